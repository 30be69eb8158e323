"""Noise from a seeded generator, added to every pixel: for demonstrations, not for releasing patients' pictures.

Over a flat area the clamped values have a known mean. With Laplace noise of scale beta at level x it is

    x + beta/2 · (e^(-x/beta) - e^(-(1-x)/beta))

which rises with x for every beta, so whoever averages many pixels can read x off the curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from medpriv_core.mechanisms.laplace import add_laplace_noise, finite_pixels, laplace_clamped_mean
from medpriv_core.mechanisms.mechanism import Mechanism
from medpriv_core.privacy.image_epsilon import MechanismName


@dataclass(frozen=True)
class LaplacePerPixel(Mechanism):
    """Laplace noise of scale beta, drawn for each value: the mechanism of the paper's text."""

    name: ClassVar[MechanismName] = "laplace_per_pixel"

    def release(self, picture_unit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See ``Mechanism``."""
        return add_laplace_noise(picture_unit, beta=self.beta, draw="per_pixel", rng=rng)

    def clamped_mean(self, levels: np.ndarray) -> np.ndarray:
        """See ``Mechanism``."""
        return laplace_clamped_mean(levels, scale=self.beta)

    @property
    def noise_deviation(self) -> float:
        """See ``Mechanism``."""
        return math.sqrt(2) * self.beta


@dataclass(frozen=True)
class LaplacePerImage(Mechanism):
    """One Laplace number of scale beta for the whole picture: what the authors' published code did."""

    name: ClassVar[MechanismName] = "laplace_per_image"

    def release(self, picture_unit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See ``Mechanism``."""
        return add_laplace_noise(picture_unit, beta=self.beta, draw="per_image", rng=rng)

    def clamped_mean(self, levels: np.ndarray) -> None:
        """None: neighbouring pixels share their noise, so there is nothing to average."""

    @property
    def noise_deviation(self) -> float:
        """See ``Mechanism``."""
        return math.sqrt(2) * self.beta


@dataclass(frozen=True)
class Gaussian(Mechanism):
    """Gaussian noise of standard deviation beta, drawn for each value."""

    name: ClassVar[MechanismName] = "gaussian"

    def release(self, picture_unit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See ``Mechanism``."""
        pixels = finite_pixels(picture_unit)
        return (pixels + self.beta * rng.standard_normal(pixels.shape)).astype(np.float32)

    def clamped_mean(self, levels: np.ndarray) -> np.ndarray:
        """See ``Mechanism``."""
        levels = np.clip(np.asarray(levels, dtype=np.float64), 0, 1)
        # The integral of the distribution function: E max(0, N - t) = _beyond(t) for noise N.
        return levels + self._beyond(levels) - self._beyond(1 - levels)

    def _beyond(self, threshold: np.ndarray) -> np.ndarray:
        t = threshold / self.beta
        density = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
        return np.asarray(self.beta * (density - t * scipy.special.ndtr(-t)))

    @property
    def noise_deviation(self) -> float:
        """See ``Mechanism``."""
        return self.beta
