"""Noise that is added to every pixel: Laplace as in the paper's text and as in its code, and Gaussian.

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

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.mechanisms.laplace import laplace_clamped_mean, laplace_clamped_variance
from medpriv_core.mechanisms.likelihood import distances
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.mechanisms.sources import NoiseSource
from medpriv_core.privacy.image_cells import Shape
from medpriv_core.privacy.image_epsilon import (
    LEVELS,
    ImageGuarantee,
    gaussian_guarantee,
    laplace_guarantee,
    no_guarantee,
)

# Values that are noised at once: their numbers stay in a core's own cache.
_BLOCK = 1 << 16
ROUNDING = 1 / 255  # a release and its shift may each be rounded to the nearest of 256 levels
PROBED_PIXELS = 256


@dataclass(frozen=True)
class LaplacePerPixel(PictureNoise):
    """Laplace noise of scale beta, drawn for each value: the mechanism of the paper's text."""

    name: ClassVar[str] = "laplace_per_pixel"
    title: ClassVar[str] = "Laplace per pixel"
    short: ClassVar[str] = "per pixel"
    formula: ClassVar[str] = "y = x + Lap(β), drawn for each value"
    explanation: ClassVar[str] = (
        "Every value of the image gets a random number of its own: the method that the paper describes."
    )
    beta_term: ClassVar[str] = "Laplace scale"
    drawn: ClassVar[str] = "Laplace noise per pixel"

    @property
    def stored_as(self) -> str:
        """See ``PictureNoise``; as version 0.1.0 named it."""
        return "laplace-per_pixel"

    def noised(self, pixels: np.ndarray, source: NoiseSource) -> np.ndarray:
        """See ``PictureNoise``."""
        return np.asarray(pixels + source.laplace(self.beta, pixels.shape))

    def noised_levels(self, picture: np.ndarray, source: NoiseSource) -> np.ndarray:
        """See ``PictureNoise``. On grey levels and some at a time, which is quicker."""
        clean = np.ascontiguousarray(picture).reshape(-1)
        noised = np.empty_like(clean)
        for start in range(0, len(clean), _BLOCK):
            block = clean[start : start + _BLOCK]
            noise = source.laplace(LEVELS * self.beta, block.shape)
            noise += block
            np.clip(noise, 0, LEVELS, out=noise)
            np.rint(noise, out=noise)
            noised[start : start + len(block)] = noise
        return noised.reshape(picture.shape)

    def clamped_mean(self, levels: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``."""
        return laplace_clamped_mean(levels, scale=self.beta)

    def clamped_variance(self, levels: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``."""
        return laplace_clamped_variance(levels, scale=self.beta)

    @property
    def noise_deviation(self) -> float:
        """See ``PictureNoise``."""
        return math.sqrt(2) * self.beta

    def log_likelihoods(self, releases: np.ndarray, gallery_unit: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``: minus the sum of absolute differences, divided by the scale."""
        return -distances(releases, gallery_unit, "cityblock") / self.beta

    def guarantee(self, shape: Shape, *, delta: float = DEFAULT_DELTA, copies: int = 1) -> ImageGuarantee:
        """See ``PictureNoise``. Sources: Dwork and Roth 2014, theorem 3.6; ``image_laplace`` for ε at δ."""
        return laplace_guarantee(beta=self.beta, shape=shape, delta=delta, copies=copies)

    def finding_epsilon(self, *, area_pixels: float, contrast: float, channels: int = 1) -> float:
        """See ``PictureNoise``. Each unit of distance costs 1/beta (metric privacy, Chatzikokolakis et al. 2013)."""
        return area_pixels * contrast * channels / self.beta


@dataclass(frozen=True)
class LaplacePerImage(PictureNoise):
    """One Laplace number of scale beta for the whole picture: what the authors' published code did."""

    name: ClassVar[str] = "laplace_per_image"
    title: ClassVar[str] = "Laplace per image"
    short: ClassVar[str] = "per image"
    formula: ClassVar[str] = "y = x + Lap(β), drawn once"
    explanation: ClassVar[str] = (
        "One random number makes the whole image brighter or darker, as the authors' published code did: the shapes "
        "in it stay as they are."
    )
    beta_term: ClassVar[str] = "Laplace scale"
    drawn: ClassVar[str] = "Laplace noise per image, a shift of its brightness"
    no_finding: ClassVar[str] = "One random number for the whole image hides no finding: its shape stays as it is."

    @property
    def stored_as(self) -> str:
        """See ``PictureNoise``; as version 0.1.0 named it."""
        return "laplace-per_image"

    def noised(self, pixels: np.ndarray, source: NoiseSource) -> np.ndarray:
        """See ``PictureNoise``."""
        return np.asarray(pixels + source.laplace(self.beta, (1,))[0])

    def clamped_mean(self, levels: np.ndarray) -> None:
        """See ``PictureNoise``: None, because neighbouring pixels share their noise."""

    @property
    def noise_deviation(self) -> float:
        """See ``PictureNoise``."""
        return math.sqrt(2) * self.beta

    def log_likelihoods(self, releases: np.ndarray, gallery_unit: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``. The shift is read off any pixel that is neither black nor white.

        A picture that does not fit all pixels with one shift is impossible; among those that fit, a smaller shift is
        likelier. If the whole release is black (or white), the likelihood is the chance of a shift that large.
        """
        return np.stack([self._of_one(np.clip(one, 0, 1), gallery_unit) for one in releases])

    def _of_one(self, release: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """Of one clamped release (h, w, c), for every picture of the gallery."""
        seen, pictures = release.ravel(), gallery.reshape(len(gallery), -1)
        visible = np.flatnonzero((seen > 0) & (seen < 1))
        if visible.size == 0:
            return self._of_saturated(seen, pictures)
        # A few pixels rule out nearly all pictures; what is left is looked at in full.
        probes = visible[:: -(-visible.size // PROBED_PIXELS)]
        differences = seen[probes] - pictures[:, probes]
        shifts = differences.mean(axis=1)
        fits = np.abs(differences - shifts[:, np.newaxis]).max(axis=1) <= ROUNDING
        scores = np.full(len(pictures), -np.inf)
        for index in np.flatnonzero(fits):
            if np.abs(np.clip(pictures[index] + shifts[index], 0, 1) - seen).max() <= ROUNDING:
                scores[index] = -abs(shifts[index]) / self.beta
        return scores

    def _of_saturated(self, seen: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        """Where every pixel is black or white: the chance of a shift that does this to the picture."""
        black = seen == 0
        if black.all():
            return np.asarray(-pictures.max(axis=1) / self.beta)
        if not black.any():
            return np.asarray(-(1 - pictures.min(axis=1)) / self.beta)
        # Both at once: only a picture of pure black and white with no shift to speak of does that.
        fits = (pictures[:, black].max(axis=1) <= ROUNDING) & (pictures[:, ~black].min(axis=1) >= 1 - ROUNDING)
        return np.where(fits, 0.0, -np.inf)

    def guarantee(self, shape: Shape, *, delta: float = DEFAULT_DELTA, copies: int = 1) -> ImageGuarantee:
        """See ``PictureNoise``. The shared shift cancels in the difference of any two pixels, so no ε is finite."""
        if math.prod(shape) == 1:  # then both draws are the same
            return laplace_guarantee(beta=self.beta, shape=shape, delta=delta, copies=copies)
        return no_guarantee(
            beta=self.beta,
            shape=shape,
            delta=delta,
            copies=copies,
            why=f"One random number shifts the brightness of the whole image. At β = {self.beta:g} that turns at "
            f"least {math.exp(-1 / self.beta):.0%} of all images completely black or white; the others show "
            "everything.",
        )


@dataclass(frozen=True)
class Gaussian(PictureNoise):
    """Gaussian noise of standard deviation beta, drawn for each value."""

    name: ClassVar[str] = "gaussian"
    title: ClassVar[str] = "Gaussian per pixel"
    short: ClassVar[str] = "Gaussian"
    formula: ClassVar[str] = "y = x + N(0, β²), drawn for each value"
    explanation: ClassVar[str] = (
        "Every value gets a random number from the bell curve, which protects a whole image as well as Laplace noise "
        "of twice the power."
    )
    beta_term: ClassVar[str] = "standard deviation"
    drawn: ClassVar[str] = "Gaussian noise per pixel"
    no_finding: ClassVar[str] = (
        "Gaussian noise hides a finding by the square root of its area, and with a probability δ of failing; for ε of "
        "the finding choose Laplace per pixel."
    )

    def noised(self, pixels: np.ndarray, source: NoiseSource) -> np.ndarray:
        """See ``PictureNoise``."""
        return np.asarray(pixels + source.normal(self.beta, pixels.shape))

    def clamped_mean(self, levels: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``."""
        levels = np.clip(np.asarray(levels, dtype=np.float64), 0, 1)
        # The integral of the distribution function: E max(0, N - t) = _beyond(t) for noise N.
        return levels + self._beyond(levels) - self._beyond(1 - levels)

    def clamped_variance(self, levels: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``: what a normal distribution has within [0, 1], and what lies at 1."""
        levels = np.clip(np.asarray(levels, dtype=np.float64), 0, 1)
        low, high = -levels / self.beta, (1 - levels) / self.beta
        within = scipy.special.ndtr(high) - scipy.special.ndtr(low)
        at_low, at_high = (np.exp(-(edge**2) / 2) / math.sqrt(2 * math.pi) for edge in (low, high))
        squares = (
            (levels**2 + self.beta**2) * within
            + 2 * levels * self.beta * (at_low - at_high)
            + self.beta**2 * (low * at_low - high * at_high)
            + scipy.special.ndtr(-high)
        )
        return np.asarray(np.maximum(0, squares - self.clamped_mean(levels) ** 2))

    def _beyond(self, threshold: np.ndarray) -> np.ndarray:
        t = threshold / self.beta
        density = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
        return np.asarray(self.beta * (density - t * scipy.special.ndtr(-t)))

    @property
    def noise_deviation(self) -> float:
        """See ``PictureNoise``."""
        return self.beta

    def log_likelihoods(self, releases: np.ndarray, gallery_unit: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``: minus the sum of squared differences, divided by twice the variance."""
        return -distances(releases, gallery_unit, "sqeuclidean") / (2 * self.beta**2)

    def guarantee(self, shape: Shape, *, delta: float = DEFAULT_DELTA, copies: int = 1) -> ImageGuarantee:
        """See ``PictureNoise``. Source: Balle and Wang 2018."""
        return gaussian_guarantee(beta=self.beta, shape=shape, delta=delta, copies=copies)
