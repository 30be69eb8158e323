"""What epsilon holds for one noised picture.

The unit of protection decides everything. With Laplace noise of scale beta and pixels in [0, 1] the epsilon of *one
pixel* is 1/beta. The epsilon of *the whole picture*, where any two pictures are neighbours as Local-DP demands, is
d/beta for d independently noised values, because the privacy losses of the values add up. If a small probability delta
of more is accepted, it is less:

>>> guarantee = laplace_guarantee(beta=1.0, shape=(28, 28, 1), delta=1e-5)
>>> guarantee.unit, guarantee.unit_epsilon, guarantee.epsilon_image_pure
('one pixel', 1.0, 784.0)
>>> 382 < guarantee.epsilon_image < 383
True

K noised copies of one picture are K times as many values. With one draw for the whole picture the differences between
its pixels are released exactly. Then no finite epsilon holds for the content, and the guarantee says infinity.

Which of these a mechanism has is said by the mechanism (``medpriv_core.mechanisms``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.privacy.image_cells import Shape
from medpriv_core.privacy.image_gaussian import gaussian_epsilon
from medpriv_core.privacy.image_laplace import laplace_epsilon
from medpriv_core.spec import check_bound

# saddle_point: image_laplace.py; gaussian: image_gaussian.py, exact; none: no finite epsilon holds.
ImageAccountant = Literal["saddle_point", "gaussian", "none"]

MAX_COPIES = 10_000
# Grey levels of an 8-bit pixel above black: what discrete Laplace noise has to hide.
LEVELS = 255


@dataclass(frozen=True, kw_only=True)
class ImageGuarantee:
    """Epsilons of all the noised copies of one picture together. ``math.inf`` means that none holds.

    copies              independent releases of the picture
    values              independently noised values of one copy
    parts               what these values are: "values" or "cells"
    unit                what ``unit_epsilon`` protects, in words: "one pixel"
    unit_epsilon        for two pictures that differ in one unit, by the full range from black to white
    unit_delta          its delta: 0 where it holds with certainty
    epsilon_image_pure  with certainty (delta = 0), for any two pictures
    epsilon_image       at ``delta``, for any two pictures
    accountant          how ``epsilon_image`` was computed
    exact               whether ``epsilon_image`` is exact; else it is an upper bound, at most 0.5 % above the truth
    why_none            sentences on what such noise does, where no epsilon holds
    value_loss          the largest privacy loss of one noised value, of the continuous Laplace noise that dominates
                        it; None for other noise
    value_distance      from black to white, over the standard deviation of the Gaussian noise of one value; None for
                        other noise
    """

    beta: float
    copies: int
    values: int
    parts: Literal["values", "cells"] = "values"
    delta: float
    unit: str
    unit_epsilon: float
    unit_delta: float
    epsilon_image_pure: float
    epsilon_image: float
    accountant: ImageAccountant
    exact: bool
    why_none: str = ""
    value_loss: float | None = None
    value_distance: float | None = None


def laplace_guarantee(
    *,
    beta: float,
    shape: Shape,
    loss: float | None = None,
    dominated_by: float | None = None,
    cells: int | None = None,
    changed_pixels: int = 1,
    delta: float = DEFAULT_DELTA,
    copies: int = 1,
) -> ImageGuarantee:
    """What holds for pictures with Laplace noise by which ``changed_pixels`` pixels have an ε of 1/beta.

    Sources: Dwork and Roth 2014, theorem 3.6; ``image_laplace`` for ε at δ.

    Args:
        beta: Amount of noise, for pixels in [0, 1]; from 0.001 to 10,000.
        shape: Height, width and channels of the picture.
        loss: The largest privacy loss of one noised value: its sensitivity over its scale. None: 1/beta.
        dominated_by: The largest loss of the continuous Laplace noise that dominates this noise. None: it is continuous
            itself.
        cells: How many noised values a colour has. None: one for each pixel.
        changed_pixels: How many pixels are one unit of protection.
        delta: The chance with which an ε may fail, from 1e-12 to 0.1.
        copies: Independent releases of the picture, from 1 to 10,000.

    Returns:
        The ε of one unit and of the whole picture, for all copies together.

    Raises:
        SettingError: The picture has no pixels, or a number is outside its bounds.
    """
    _check(beta=beta, shape=shape, delta=delta, copies=copies)
    loss = 1 / beta if loss is None else loss
    values = math.prod(shape) if cells is None else cells * shape[2]
    pure = copies * values * loss
    return ImageGuarantee(
        beta=beta,
        copies=copies,
        values=values,
        parts="values" if cells is None else "cells",
        delta=delta,
        unit=_unit(channels=shape[2], changed_pixels=changed_pixels),
        unit_epsilon=min(copies / beta, pure),
        unit_delta=0.0,
        epsilon_image_pure=pure,
        epsilon_image=min(laplace_epsilon(theta=dominated_by or loss, values=copies * values, delta=delta), pure),
        accountant="saddle_point",
        exact=False,
        value_loss=dominated_by or loss,
    )


def gaussian_guarantee(*, beta: float, shape: Shape, delta: float = DEFAULT_DELTA, copies: int = 1) -> ImageGuarantee:
    """What holds for pictures with Gaussian noise on each value (Balle and Wang 2018).

    Args:
        beta: Standard deviation of the noise, for pixels in [0, 1]; from 0.001 to 10,000.
        shape: Height, width and channels of the picture.
        delta: The chance with which an ε may fail, from 1e-12 to 0.1.
        copies: Independent releases of the picture, from 1 to 10,000.

    Returns:
        The ε of one pixel or colour value and of the whole picture, for all copies together, both at ``delta``.

    Raises:
        SettingError: The picture has no pixels, or a number is outside its bounds.
    """
    _check(beta=beta, shape=shape, delta=delta, copies=copies)
    values = math.prod(shape)
    return ImageGuarantee(
        beta=beta,
        copies=copies,
        values=values,
        delta=delta,
        unit=_unit(channels=shape[2]),
        unit_epsilon=gaussian_epsilon(mu=math.sqrt(copies) / beta, delta=delta),
        unit_delta=delta,
        epsilon_image_pure=math.inf,
        epsilon_image=gaussian_epsilon(mu=math.sqrt(copies * values) / beta, delta=delta),
        accountant="gaussian",
        exact=True,
        value_distance=1 / beta,
    )


def no_guarantee(
    *, beta: float, shape: Shape, delta: float = DEFAULT_DELTA, copies: int = 1, why: str
) -> ImageGuarantee:
    """What holds for noise that hides no difference between two pictures: no ε.

    Args:
        beta: Amount of noise, for pixels in [0, 1]; from 0.001 to 10,000.
        shape: Height, width and channels of the picture.
        delta: The chance with which an ε may fail, from 1e-12 to 0.1.
        copies: Independent releases of the picture, from 1 to 10,000.
        why: Sentences on what such noise does.

    Returns:
        A guarantee in which every ε is infinite.

    Raises:
        SettingError: The picture has no pixels, or a number is outside its bounds.
    """
    _check(beta=beta, shape=shape, delta=delta, copies=copies)
    return ImageGuarantee(
        beta=beta,
        copies=copies,
        values=math.prod(shape),
        delta=delta,
        unit=_unit(channels=shape[2]),
        unit_epsilon=math.inf,
        unit_delta=0.0,
        epsilon_image_pure=math.inf,
        epsilon_image=math.inf,
        accountant="none",
        exact=False,
        why_none=why,
    )


def _check(*, beta: float, shape: Shape, delta: float, copies: int) -> None:
    check_bound("beta", beta)
    check_bound("delta", delta)
    if min(shape) < 1:
        raise SettingError("The image has no pixels.")
    if not 1 <= copies <= MAX_COPIES:
        raise SettingError(f"copies must be between 1 and {MAX_COPIES}, but is {copies}.")


def _unit(*, channels: int, changed_pixels: int = 1) -> str:
    noun = "pixel" if channels == 1 else "colour value"
    return f"one {noun}" if changed_pixels == 1 else f"up to {changed_pixels:,} {noun}s"
