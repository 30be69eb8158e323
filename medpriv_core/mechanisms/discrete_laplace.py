"""Exact noise on 8-bit pixels: for real releases.

Laplace noise made of floating-point numbers leaves a trace of the pixel in their last digits (Mironov 2012). So whole
numbers are released instead: the grey level from 0 to 255 plus a whole number k, drawn with a probability proportional
to e^(-abs(k)/s), by an exact sampler from a cryptographic generator (Canonne, Kamath and Steinke 2020, by OpenDP, or
``keyed.py`` for stored copies). With s = 255 beta the epsilon of one pixel is 1/beta, as for Laplace noise of scale
beta.

The mean of the clamped values at level x is x + (e^(-x/beta) - e^(-(1-x)/beta)) / (510 sinh(1/s)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.mechanisms.likelihood import distances
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.mechanisms.sources import NoiseSource
from medpriv_core.privacy.image_cells import Shape
from medpriv_core.privacy.image_epsilon import LEVELS, ImageGuarantee, laplace_guarantee


@dataclass(frozen=True)
class DiscreteLaplace(PictureNoise):
    """Discrete Laplace noise of scale 255 beta on grey levels, drawn for each value."""

    name: ClassVar[str] = "discrete_laplace"
    title: ClassVar[str] = "Discrete Laplace, exact (OpenDP)"
    short: ClassVar[str] = "discrete Laplace"
    formula: ClassVar[str] = "y = k + DLap(255 β), for grey levels k = 0 … 255"
    explanation: ClassVar[str] = (
        "Every value gets a whole number of grey levels, drawn exactly and so that nobody can foresee it: for images "
        "that are really handed out."
    )
    beta_term: ClassVar[str] = "Laplace scale, as a share of the 255 grey levels"
    drawn: ClassVar[str] = "discrete Laplace noise per pixel"
    fit_for_release: ClassVar[bool] = True

    @property
    def scale(self) -> float:
        """In grey levels."""
        return LEVELS * self.beta

    def noised(self, pixels: np.ndarray, source: NoiseSource) -> np.ndarray:
        """See ``PictureNoise``. Whole grey levels, divided by 255."""
        levels = np.rint(pixels * LEVELS).astype(np.float64)
        return np.asarray((levels + source.discrete_laplace(self.scale, pixels.shape)) / LEVELS)

    def clamped_mean(self, levels: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``. Exact at the 256 grey levels, and smooth between them."""
        levels = np.clip(np.asarray(levels, dtype=np.float64), 0, 1)
        difference = np.exp(-levels / self.beta) - np.exp(-(1 - levels) / self.beta)
        return np.asarray(levels + difference * _over_sinh(1 / self.scale) / (2 * LEVELS))

    def clamped_variance(self, levels: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``. Exact at the 256 grey levels, by all values that can be released; linear between."""
        grey = np.arange(LEVELS + 1)
        fall = math.exp(-1 / self.scale)
        chances = (1 - fall) / (1 + fall) * fall ** np.abs(grey[:, np.newaxis] - grey)
        chances[:, 0], chances[:, -1] = fall**grey / (1 + fall), fall ** (LEVELS - grey) / (1 + fall)
        from_level = (grey / LEVELS - grey[:, np.newaxis] / LEVELS) ** 2
        offset = self.clamped_mean(grey / LEVELS) - grey / LEVELS
        exact = np.maximum(0, (chances * from_level).sum(axis=1) - offset**2)
        return np.asarray(np.interp(np.clip(levels, 0, 1), grey / LEVELS, exact))

    @property
    def noise_deviation(self) -> float:
        """See ``PictureNoise``."""
        return _over_sinh(1 / (2 * self.scale)) / math.sqrt(2) / LEVELS

    def log_likelihoods(self, releases: np.ndarray, gallery_unit: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``: as for continuous Laplace noise."""
        return -distances(releases, gallery_unit, "cityblock") / self.beta

    def guarantee(self, shape: Shape, *, delta: float = DEFAULT_DELTA, copies: int = 1) -> ImageGuarantee:
        """See ``PictureNoise``. By the continuous noise that dominates it and is hardly worse.

        Discrete noise of scale s on integers, of sensitivity n, has delta(eps) = 1 - (a^(k+1) + e^eps a^(n-k)) /
        (1 + a) for a = e^(-1/s) and the best integer k, so at most the value for the best real one,
        1 - e^((eps-n/s)/2) / cosh(1/(2s)). That is delta(eps) of continuous noise whose loss is larger than n/s by
        2 ln cosh(1/(2s)). What dominates one value dominates all of them composed (Zhu, Dong and Wang 2022, theorem
        10).
        """
        larger = 1 / self.beta + 2 * math.log(math.cosh(1 / (2 * self.scale)))
        return laplace_guarantee(beta=self.beta, dominated_by=larger, shape=shape, delta=delta, copies=copies)

    def finding_epsilon(self, *, area_pixels: float, contrast: float, channels: int = 1) -> float:
        """See ``PictureNoise``; as for continuous Laplace noise."""
        return area_pixels * contrast * channels / self.beta


def _over_sinh(x: float) -> float:
    """1 / sinh(x), which is 0 where sinh overflows."""
    return 1 / math.sinh(x) if x < 700 else 0.0
