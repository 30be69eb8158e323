"""How likely each picture of a gallery is the origin of a release: the log-likelihood of every mechanism.

Constants that all pictures of the gallery share are left out; they change no order.

- Laplace noise for each value, continuous or discrete: minus the sum of absolute differences, divided by the scale.
  Clamping the release changes every picture's sum by the same amount, so it changes nothing.
- Gaussian noise: minus the sum of squared differences, divided by twice the variance.
- DP-Pix: as Laplace, on the cells.
- One Laplace number for the whole picture: the shift is read off any pixel that is neither black nor white. A picture
  that does not fit all pixels with one shift is impossible; among those that fit, a smaller shift is likelier. If the
  whole release is black (or white), the likelihood is the chance of a shift that large.
"""

from __future__ import annotations

import math

import numpy as np

from medpriv_core.mechanisms.discrete_laplace import DiscreteLaplace
from medpriv_core.mechanisms.dp_pix import DpPix, cell_sides
from medpriv_core.mechanisms.mechanism import Mechanism

VALUES_AT_ONCE = 16384  # of each picture: 100 pictures of that many fit into a processor's cache
ROUNDING = 1 / 255  # a release and its shift may each be rounded to the nearest of 256 levels
PROBED_PIXELS = 256


def log_likelihoods(releases: np.ndarray, gallery_unit: np.ndarray, mechanism: Mechanism) -> np.ndarray:
    """Log-likelihoods, float64 (D, N), up to a constant for each release; minus infinity is impossible.

    releases      float (D, h, w, c), not clamped (for Gaussian noise; otherwise it may be)
    gallery_unit  float32 (N, h, w, c) in [0, 1]
    """
    if mechanism.name == "laplace_per_image":
        return np.stack([_shift_likelihoods(np.clip(one, 0, 1), gallery_unit, mechanism.beta) for one in releases])
    if isinstance(mechanism, DpPix):
        return -_sums(_cells(releases, mechanism), _cells(gallery_unit, mechanism), "cityblock") / mechanism.scale
    if mechanism.name == "gaussian":
        return -_sums(releases, gallery_unit, "sqeuclidean") / (2 * mechanism.beta**2)
    return -_sums(releases, gallery_unit, "cityblock") / mechanism.beta


def simulate_release(mechanism: Mechanism, picture_unit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A release to count successes with; nobody ever sees it.

    The exact sampler of the discrete mechanism takes a minute for a hundred pictures. Here the difference of two
    geometric numbers stands in: the same distribution, from an ordinary generator.
    """
    if not isinstance(mechanism, DiscreteLaplace):
        return mechanism.release(picture_unit, rng)
    stop = -math.expm1(-1 / mechanism.scale)
    noise = rng.geometric(stop, picture_unit.shape) - rng.geometric(stop, picture_unit.shape)
    return (np.rint(picture_unit * 255) + noise).astype(np.float32) / 255


def _sums(releases: np.ndarray, gallery: np.ndarray, metric: str) -> np.ndarray:
    """Sums of absolute ("cityblock") or squared ("sqeuclidean") differences, float64 (D, N)."""
    from scipy.spatial.distance import cdist

    first, second = releases.reshape(len(releases), -1), gallery.reshape(len(gallery), -1)
    sums = np.zeros((len(first), len(second)))
    for start in range(0, first.shape[1], VALUES_AT_ONCE):
        part = slice(start, start + VALUES_AT_ONCE)
        sums += cdist(first[:, part], second[:, part], metric)
    return sums


def _cells(pictures: np.ndarray, mechanism: DpPix) -> np.ndarray:
    """Means of the cells of float pictures (K, h, w, c); of a release, they are its noisy values."""
    heights, widths = cell_sides(pictures.shape[1:], block=mechanism.block)
    rows, columns = np.cumsum(heights) - heights, np.cumsum(widths) - widths
    sums = np.add.reduceat(np.add.reduceat(pictures, rows, axis=1, dtype=np.float64), columns, axis=2)
    return sums / np.outer(heights, widths)[:, :, np.newaxis]


def _shift_likelihoods(release: np.ndarray, gallery: np.ndarray, beta: float) -> np.ndarray:
    """Of one clamped release (h, w, c), for every picture of the gallery."""
    seen, pictures = release.ravel(), gallery.reshape(len(gallery), -1)
    visible = np.flatnonzero((seen > 0) & (seen < 1))
    if visible.size == 0:
        return _saturated_likelihoods(seen, pictures, beta)
    # A few pixels rule out nearly all pictures; what is left is looked at in full.
    probes = visible[:: -(-visible.size // PROBED_PIXELS)]
    differences = seen[probes] - pictures[:, probes]
    shifts = differences.mean(axis=1)
    fits = np.abs(differences - shifts[:, np.newaxis]).max(axis=1) <= ROUNDING
    scores = np.full(len(pictures), -np.inf)
    for index in np.flatnonzero(fits):
        if np.abs(np.clip(pictures[index] + shifts[index], 0, 1) - seen).max() <= ROUNDING:
            scores[index] = -abs(shifts[index]) / beta
    return scores


def _saturated_likelihoods(seen: np.ndarray, pictures: np.ndarray, beta: float) -> np.ndarray:
    """Where every pixel is black or white: the chance of a shift that does this to the picture."""
    black = seen == 0
    if black.all():
        return -pictures.max(axis=1) / beta
    if not black.any():
        return -(1 - pictures.min(axis=1)) / beta
    # Both at once: only a picture of pure black and white with no shift to speak of does that.
    fits = (pictures[:, black].max(axis=1) <= ROUNDING) & (pictures[:, ~black].min(axis=1) >= 1 - ROUNDING)
    return np.where(fits, 0.0, -np.inf)
