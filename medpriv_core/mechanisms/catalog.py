"""The mechanisms that medpriv offers, by name. A further one is a class like these, and a line here.

>>> import numpy as np
>>> noise = picture_noise("gaussian", beta=1.0)
>>> noised = noise.release(np.full((8, 8, 1), 0.5), np.random.default_rng(0))
>>> noised.shape, noised.dtype, noise.noise_deviation
((8, 8, 1), dtype('float32'), 1.0)
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.additive import Gaussian, LaplacePerImage, LaplacePerPixel
from medpriv_core.mechanisms.discrete_laplace import DiscreteLaplace
from medpriv_core.mechanisms.dp_pix import DpPix
from medpriv_core.mechanisms.picture_noise import Parameter, PictureNoise

MECHANISMS: dict[str, type[PictureNoise]] = {
    kind.name: kind for kind in (LaplacePerPixel, LaplacePerImage, Gaussian, DiscreteLaplace, DpPix)
}
USUAL = LaplacePerPixel.name


def mechanism_named(name: str) -> type[PictureNoise]:
    """The mechanism of that name; raises ``SettingError`` if there is none."""
    if not isinstance(name, str) or name not in MECHANISMS:
        raise SettingError(f"mechanism must be one of {', '.join(MECHANISMS)}, but is {reprlib.repr(name)}.")
    return MECHANISMS[name]


def picture_noise(name: str, *, beta: float, **parameters: int) -> PictureNoise:
    """Describe noise on images. The result draws nothing yet.

    Args:
        name: Of the mechanism, one of ``MECHANISMS``: "laplace_per_pixel", "gaussian" and so on.
        beta: Amount of noise, in units of the range from black to white, from 0.001 to 10,000. For Laplace noise it is
            the scale, for Gaussian noise the standard deviation; what for others, ``beta_term`` says.
        **parameters: Those that the mechanism has besides (``PictureNoise.parameters``), by name. What is not given has
            its usual value.

    Returns:
        The noise. ``noise.guarantee((h, w, channels), delta=1e-5, copies=1)`` says which epsilon holds for an image of
        this shape: ``epsilon_image`` with ``delta``, for any two images; ``epsilon_image_pure`` with certainty; and
        ``unit_epsilon`` for two images that differ in one ``unit``. ``noise.release(picture, generator)`` takes
        floats of shape (h, w, channels) from 0 to 1 and gives float32, not limited to that range.

    Raises:
        SettingError: For an unknown name, a parameter of another mechanism, or a value outside its bounds.
    """
    kind = mechanism_named(name)
    for one in parameters:
        if one not in kind.parameters():
            owners = [other.name for other in MECHANISMS.values() if one in other.parameters()]
            belongs = f"belongs to {', '.join(owners)}" if owners else "is no parameter of any noise"
            raise SettingError(f"[{one}] {belongs}, but the mechanism is {name}; leave it out.")
    return kind(beta, **parameters)


def own_parameters(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a mechanism besides beta, out of the settings of several mechanisms.

    Args:
        name: One of ``MECHANISMS``.
        values: Settings by name, such as the options of a command; None for one that is not set.

    Returns:
        Those that the mechanism has and that are set, by name.

    Raises:
        SettingError: There is no mechanism of that name.
    """
    known = mechanism_named(name).parameters()
    return {one: value for one, value in values.items() if one in known and value is not None}


def all_parameters() -> dict[str, Parameter]:
    """The parameters of all mechanisms, besides beta, by name."""
    return {name: known for kind in MECHANISMS.values() for name, known in kind.parameters().items()}
