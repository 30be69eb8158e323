"""What epsilon holds for one noised picture.

The unit of protection decides everything. With Laplace noise of scale beta and pixels in [0, 1] the epsilon of *one
pixel* is 1/beta. The epsilon of *the whole picture*, where any two pictures are neighbours as Local-DP demands, is
d/beta for d independently noised values, because the privacy losses of the values add up. If a small probability delta
of more is accepted, it is less:

>>> guarantee = mechanism_guarantee("laplace_per_pixel", beta=1.0, shape=(28, 28, 1), delta=1e-5)
>>> guarantee.unit, guarantee.unit_epsilon, guarantee.epsilon_image_pure
('one pixel', 1.0, 784.0)
>>> 382 < guarantee.epsilon_image < 383
True

K noised copies of one picture are K times as many values. With one draw for the whole picture the differences between
its pixels are released exactly. Then no finite epsilon holds for the content, and the guarantee says infinity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypedDict, Unpack, get_args

import scipy

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.privacy.image_cells import Shape, cell_grid, cell_noise_scale, check_cells
from medpriv_core.privacy.image_gaussian import gaussian_epsilon
from medpriv_core.privacy.image_laplace import laplace_epsilon
from medpriv_core.spec import BOUNDS, NoiseDraw, check_bound

MechanismName = Literal["laplace_per_pixel", "laplace_per_image", "gaussian", "discrete_laplace", "dp_pix"]
MECHANISM_NAMES: tuple[MechanismName, ...] = get_args(MechanismName)
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
    unit                what ``unit_epsilon`` protects, in words: "one pixel"
    unit_epsilon        for two pictures that differ in one unit, by the full range from black to white
    unit_delta          its delta: 0 where it holds with certainty
    epsilon_image_pure  with certainty (delta = 0), for any two pictures
    epsilon_image       at ``delta``, for any two pictures
    accountant          how ``epsilon_image`` was computed
    exact               whether ``epsilon_image`` is exact; else it is an upper bound, at most 0.5 % above the truth
    """

    mechanism: MechanismName
    beta: float
    copies: int
    values: int
    delta: float
    unit: str
    unit_epsilon: float
    unit_delta: float
    epsilon_image_pure: float
    epsilon_image: float
    accountant: ImageAccountant
    exact: bool


class ReleaseSettings(TypedDict, total=False):
    """What ``mechanism_guarantee`` has defaults for."""

    delta: float
    copies: int
    block: int
    changed_pixels: int


def checked_name(name: str) -> MechanismName:
    """``name``, if a mechanism has it; else raises ``SettingError``."""
    for known in MECHANISM_NAMES:
        if name == known:
            return known
    raise SettingError(f"mechanism must be one of {', '.join(MECHANISM_NAMES)}, but is {name!r}.")


def image_guarantee(*, beta: float, values: int, draw: NoiseDraw, delta: float = DEFAULT_DELTA) -> ImageGuarantee:
    """The guarantee of Laplace noise on ``values`` pixels times channels, as training pictures get it.

    A grey image copied to three channels after the noise counts its pixels once. Raises as ``mechanism_guarantee``.
    """
    name = "laplace_per_image" if draw == "per_image" else "laplace_per_pixel"
    return mechanism_guarantee(name, beta=beta, shape=(values, 1, 1), delta=delta)


def mechanism_guarantee(
    name: str,
    *,
    beta: float,
    shape: Shape,
    delta: float = DEFAULT_DELTA,
    copies: int = 1,
    block: int = 8,
    changed_pixels: int = 16,
) -> ImageGuarantee:
    """The guarantee of ``copies`` independent releases of one picture of ``shape`` (h, w, c).

    beta in units of the range from black to white: the Laplace scale, or the standard deviation of Gaussian noise;
    delta in (0, 0.1]. ``block`` and ``changed_pixels`` are those of dp_pix, see ``image_cells``. In colour the unit is
    one colour value, of which a pixel has three. Raises ``SettingError`` outside the bounds.

    Sources: Dwork and Roth 2014, theorem 3.6 (Laplace); ``image_laplace`` for its epsilon at delta; Balle and Wang
    2018 (Gaussian); Fan 2018 (dp_pix).
    """
    mechanism = checked_name(name)
    check_bound("beta", beta)
    check_bound("delta", delta)
    if min(shape) < 1:
        raise SettingError("The image has no pixels.")
    if not 1 <= copies <= MAX_COPIES:
        raise SettingError(f"copies must be between 1 and {MAX_COPIES}, but is {copies}.")
    values = math.prod(shape)
    unit_epsilon, unit_delta = copies / beta, 0.0
    accountant: ImageAccountant = "saddle_point"
    # The shared shift cancels in the difference of any two pixels. With a single value, both draws are the same.
    if name == "laplace_per_image" and values > 1:
        unit_epsilon = pure = epsilon = math.inf
        accountant = "none"
    elif name == "gaussian":
        unit_epsilon, unit_delta = gaussian_epsilon(mu=math.sqrt(copies) / beta, delta=delta), delta
        pure, epsilon = math.inf, gaussian_epsilon(mu=math.sqrt(copies * values) / beta, delta=delta)
        accountant = "gaussian"
    else:
        scale = beta
        if name == "dp_pix":
            check_cells(block=block, changed_pixels=changed_pixels)
            scale = cell_noise_scale(beta=beta, block=block, changed_pixels=changed_pixels)
            values = math.prod(cell_grid(shape, block=block)) * shape[2]
        pure = copies * values / scale
        unit_epsilon = min(unit_epsilon, pure)
        loss = _continuous_loss(1 / scale) if name == "discrete_laplace" else 1 / scale
        epsilon = min(laplace_epsilon(theta=loss, values=copies * values, delta=delta), pure)
    return ImageGuarantee(
        mechanism=mechanism,
        beta=beta,
        copies=copies,
        values=values,
        delta=delta,
        unit=_unit(mechanism, channels=shape[2], changed_pixels=changed_pixels),
        unit_epsilon=unit_epsilon,
        unit_delta=unit_delta,
        epsilon_image_pure=pure,
        epsilon_image=epsilon,
        accountant=accountant,
        exact=accountant == "gaussian",
    )


def lesion_epsilon(
    name: str = "laplace_per_pixel", *, area_pixels: float, contrast: float, beta: float, channels: int = 1
) -> float | None:
    """Epsilon to which a finding is hidden: for two pictures that are alike but for it, with certainty (delta = 0).

    ``area_pixels`` pixels that differ by ``contrast`` (0 to 1, of the range from black to white) in each of
    ``channels`` channels are a distance of area * contrast * channels, and each unit of distance costs 1/beta (metric
    privacy, Chatzikokolakis et al. 2013). Holds for Laplace noise drawn for each value; None for other mechanisms,
    whose noise measures distance in another way. Raises ``SettingError`` for impossible numbers.

    >>> lesion_epsilon(area_pixels=100, contrast=0.3, beta=4.0)
    7.5
    """
    check_bound("beta", beta)
    mechanism = checked_name(name)
    if not 0 < area_pixels < math.inf:
        raise SettingError(f"The area must be above 0 pixels, but is {area_pixels}.")
    if not 0 < contrast <= 1:
        raise SettingError(f"The contrast must be above 0 and at most 1 (from black to white), but is {contrast}.")
    if mechanism not in ("laplace_per_pixel", "discrete_laplace"):
        return None
    return area_pixels * contrast * channels / beta


def beta_for_image_epsilon(
    mechanism_name: str, *, epsilon: float, shape: Shape, **settings: Unpack[ReleaseSettings]
) -> float:
    """A beta of four digits with which the whole picture has at most ``epsilon`` at its delta, and hardly less.

    ``settings`` as of ``mechanism_guarantee``. Raises ``SettingError`` where no beta within its bounds does that.
    """
    low, high = BOUNDS["beta"]
    if not 0 < epsilon < math.inf:
        raise SettingError(f"The epsilon wanted for the whole picture must be above 0 and finite, but is {epsilon}.")

    def excess(log_beta: float) -> float:
        # Written in logarithms, in which epsilon is nearly straight.
        return math.log(max(spent(math.exp(log_beta)), 1e-9 * epsilon) / epsilon)

    def spent(beta: float) -> float:
        clipped = min(max(beta, low), high)
        return mechanism_guarantee(mechanism_name, beta=clipped, shape=shape, **settings).epsilon_image

    if math.isinf(spent(high)):
        raise SettingError(
            "One random number for the whole picture gives it no finite epsilon, whatever beta is; choose noise that "
            "is drawn for each pixel."
        )
    if spent(high) > epsilon:
        raise SettingError(
            f"An epsilon of {epsilon:g} for the whole picture needs more noise than beta {high:g}, the most allowed. "
            "Allow a larger epsilon, or take a smaller picture."
        )
    if spent(low) <= epsilon:
        raise SettingError(
            f"Already the least noise allowed, beta {low:g}, keeps the whole picture within epsilon {epsilon:g}; ask "
            "for a smaller epsilon."
        )
    # brentq stops on either side of the target.
    beta = _round_up(math.exp(scipy.optimize.brentq(excess, math.log(low), math.log(high), xtol=2e-5)))
    while spent(beta) > epsilon:
        beta = _round_up(beta * 1.00005)
    return beta


def _continuous_loss(loss: float) -> float:
    """Loss of the continuous Laplace noise that dominates discrete noise of this ``loss``, and is hardly worse.

    Discrete noise of scale s on integers, of sensitivity n, has delta(eps) = 1 - (a^(k+1) + e^eps a^(n-k)) / (1 + a)
    for a = e^(-1/s) and the best integer k, so at most the value for the best real one, 1 - e^((eps-n/s)/2) /
    cosh(1/(2s)). That is delta(eps) of continuous noise whose loss is larger than n/s by 2 ln cosh(1/(2s)). What
    dominates one value dominates all of them composed (Zhu, Dong and Wang 2022, theorem 10).
    """
    return loss + 2 * math.log(math.cosh(loss / (2 * LEVELS)))


def _round_up(value: float) -> float:
    """To four digits; the next such number where ``value`` has more."""
    digits = 3 - math.floor(math.log10(value))
    return math.ceil(round(value * 10**digits, 6)) / 10**digits


def _unit(name: MechanismName, *, channels: int, changed_pixels: int) -> str:
    pixels = f"up to {changed_pixels:,}" if name == "dp_pix" and changed_pixels > 1 else "one"
    noun = "pixel" if channels == 1 else "colour value"
    return f"{pixels} {noun}" if pixels == "one" else f"{pixels} {noun}s"
