"""A noise of any mechanism, by settings of which each takes what it has."""

from __future__ import annotations

from medpriv_core.mechanisms.catalog import own_parameters, picture_noise
from medpriv_core.mechanisms.picture_noise import PictureNoise


def any_noise(name: str, *, beta: float, **parameters: int) -> PictureNoise:
    return picture_noise(name, beta=beta, **own_parameters(name, parameters))
