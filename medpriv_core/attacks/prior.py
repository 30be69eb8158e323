"""The linear prior: what an attacker who has seen other patients' images makes of a noised one.

A filter knows that neighbouring pixels are alike. Somebody who has a few thousand chest X-rays of other patients knows
much more: how bright each place usually is, and what goes with what. Of that knowledge the mean m and the covariance S
of such images are enough for the best estimate that is linear in what was released. Let that be

    y = a + g x + noise of variance v, independent for each value

then the estimate of least squared error is

    x̂ = m + g S (g² S + v)⁻¹ (y - a - g m)

For noise that is not clamped a = 0, g = 1 and v is its variance. Clamped noise bends: its mean over a flat area of
level x is a curve, to which a line is fitted where the grey levels of such images lie, and v has both the variance of
the clamped noise and what the line misses of the curve (``line_of``).

S is kept as its largest eigenvalues with their directions; what is left of the variance is spread evenly over all other
directions. Mirrored images are learned from as well. So S never mixes what is even and what is odd under mirroring, and
each half of it is decomposed by itself, which is four times less work and exactly the same.

The mean and the directions are made of patients' images. They are kept in the data home, and exported by nothing.

>>> images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1)).astype(np.uint8)
>>> prior = learn(images)
>>> estimate(prior, prior.mean, Line(0.0, 1.0, 0.1)).shape
(4, 4, 1)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.laplace import to_unit
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.progress import ProgressCallback, no_progress

SIDE = 64  # pixels; of larger images a copy is attacked that is averaged down to it
SMALLEST_SIDE = 16
DIRECTIONS = 600  # at most; the others count as equal
GREY_LEVELS = 256
_EVEN = 1e-12  # spread of grey levels below which there is but one
PHASE = "Learning what such images have in common"


@dataclass(frozen=True, eq=False)
class Prior:
    """What was learned from images of one size, in units of [0, 1].

    mean        float32 (side, side, c): the average image
    directions  float32 (k, side * side * c): orthonormal rows, those of the largest variance first
    variances   float32 (k,): of the images along each
    rest        variance along each other direction
    histogram   float64 (256,): shares of the grey levels in them
    images      how many were learned from, the mirrored ones not counted
    """

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    rest: float
    histogram: np.ndarray
    images: int


@dataclass(frozen=True)
class Line:
    """How a released value comes of its level: ``intercept + slope * level`` and noise of this ``variance``."""

    intercept: float
    slope: float
    variance: float


def learn(images: np.ndarray, *, progress: ProgressCallback = no_progress) -> Prior:
    """Learn mean and covariance of images, and of each of them mirrored.

    Args:
        images: uint8 (n, side, side, c), one or more, c = 1 or 3.
        progress: Called between the two halves of the work; what it raises ends it.

    Returns:
        The prior.

    Raises:
        SettingError: They are of another shape or type, or there is none.
    """
    if images.ndim != 4 or images.shape[1] != images.shape[2] or images.dtype != np.uint8 or not images.size:
        raise SettingError("Learning needs one square image or more, all of one size, with 8 bits a channel.")
    count, side, _, channels = images.shape
    progress(PHASE, 0, 2)
    even, odd = _parts(to_unit(images))
    average = even.mean(axis=0, dtype=np.float64).astype(np.float32)
    of_even = _principal(even - average)
    progress(PHASE, 1, 2)
    of_odd = _principal(odd)
    variances = np.concatenate([of_even[0], of_odd[0]])
    # Half of what so many images can span: variances along the last directions of few images are luck.
    order = np.argsort(-variances, kind="stable")[: min(DIRECTIONS, count)]
    whole = [_whole(part, side, channels, sign=sign) for part, sign in ((of_even[1], 1), (of_odd[1], -1))]
    mean = _whole(average[np.newaxis], side, channels, sign=1).reshape(side, side, channels)
    left = max(0.0, of_even[2] + of_odd[2] - float(variances[order].sum()))
    progress(PHASE, 2, 2)
    return Prior(
        mean,
        directions=np.ascontiguousarray(np.concatenate(whole)[order]),
        variances=variances[order].astype(np.float32),
        rest=left / max(1, mean.size - len(order)),
        histogram=np.bincount(images.reshape(-1), minlength=GREY_LEVELS) / images.size,
        images=count,
    )


def line_of(noise: PictureNoise, histogram: np.ndarray, *, share: float = 1.0) -> Line | None:
    """The line that the clamped values of a mechanism follow most closely for images of these grey levels.

    Args:
        noise: The mechanism; an attacker knows it.
        histogram: (256,): shares of the grey levels.
        share: What averaging leaves of the variance of the noise: 1/k for means of k values. The mean curve stays.

    Returns:
        The line of least squares, with all that it leaves as variance; None where neighbouring values share their
        noise.
    """
    levels = np.linspace(0, 1, GREY_LEVELS)
    means, variances = noise.clamped_mean(levels), noise.clamped_variance(levels)
    if means is None or variances is None:
        return None
    level, mean = float(histogram @ levels), float(histogram @ means)
    spread = float(histogram @ (levels - level) ** 2)
    # Images of one grey level have no slope of their own: that of the whole curve.
    slope = (
        float(histogram @ ((levels - level) * (means - mean))) / spread
        if spread > _EVEN
        else float(means[-1] - means[0])
    )
    intercept = mean - slope * level
    missed = float(histogram @ (means - intercept - slope * levels) ** 2)
    return Line(intercept, slope, share * float(histogram @ variances) + missed)


def estimate(prior: Prior, values: np.ndarray, line: Line) -> np.ndarray:
    """The estimate of an image that is linear in what was released and has the least squared error.

    Args:
        prior: What was learned from other images.
        values: Float (side, side, c), as the prior has them: what was released.
        line: How they come of the image. For noise that is not clamped: 0, 1 and its variance.

    Returns:
        float64 (side, side, c), in units of [0, 1], which it may leave.
    """
    mean = prior.mean.astype(np.float64)
    surprise = values - line.intercept - line.slope * mean
    # The directions are large: in their own type they are not copied.
    along = prior.directions @ surprise.reshape(-1).astype(np.float32)
    gains, rest = _gain(prior.variances.astype(np.float64), line), float(_gain(np.array(prior.rest), line))
    told = ((gains - rest) * along).astype(np.float32) @ prior.directions
    return mean + told.reshape(mean.shape) + rest * surprise


def _gain(variances: np.ndarray, line: Line) -> np.ndarray:
    """How far a surprise is believed along directions of these variances."""
    seen = line.slope**2 * variances + line.variance
    return np.divide(line.slope * variances, seen, out=np.zeros_like(seen), where=seen > 0)


def _parts(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is even under mirroring of images (n, side, side, c), and what is odd, as rows of the same length in all."""
    count, side, middle = len(unit), unit.shape[1], -(-unit.shape[1] // 2)
    left, right = unit[:, :, :middle], unit[:, :, ::-1][:, :, :middle]
    scale = np.full((middle, 1), math.sqrt(0.5), dtype=np.float32)
    if side % 2:  # the middle column is its own mirror image
        scale[-1] = 0.5
    even, odd = (left + right) * scale, ((left - right) * scale)[:, :, : side // 2]
    return even.reshape(count, -1), odd.reshape(count, -1)


def _principal(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Largest variances (k,), their directions (k, d), and the sum of all, of rows (n, d) about zero."""
    rows, size = centred.shape
    if not size:  # images one pixel wide have no odd part
        return np.zeros(0), np.zeros((0, 0), dtype=np.float32), 0.0
    rows_fewer = rows < size
    # In float32 the smallest of them would be rounding; the smaller of both products has the same eigenvalues.
    products = (centred @ centred.T if rows_fewer else centred.T @ centred).astype(np.float64) / rows
    first = max(0, len(products) - DIRECTIONS)
    variances, vectors = scipy.linalg.eigh(products, subset_by_index=[first, len(products) - 1], check_finite=False)
    variances, vectors = variances[::-1], vectors[:, ::-1].T
    sound = variances > len(products) * np.finfo(np.float32).eps * variances[0]
    variances, vectors = variances[sound], vectors[sound].astype(np.float32)
    if rows_fewer:
        vectors = vectors @ centred
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return variances, vectors, float(np.trace(products))


def _whole(parts: np.ndarray, side: int, channels: int, *, sign: int) -> np.ndarray:
    """Even (``sign`` 1) or odd (-1) parts of images (k, d) as whole images (k, side * side * c) of the same length."""
    half = parts.reshape(len(parts), side, parts.shape[1] // (side * channels), channels)
    mirrored = half[:, :, : side // 2]
    middle = np.zeros((len(parts), side, side % 2, channels), dtype=parts.dtype)
    if sign == 1 and side % 2:
        middle = half[:, :, -1:]
    scale = parts.dtype.type(np.sqrt(0.5))
    whole = np.concatenate([mirrored * scale, middle, sign * scale * mirrored[:, :, ::-1]], axis=2)
    return whole.reshape(len(parts), side * side * channels)
