"""Gradient inversion, really run: what a server that chose the model reads from a gradient.

The attacker hands out the model. Three of its tricks, in numpy, on images in [0, 1] laid out as vectors:

*A linear layer and one image.* The gradient of row k of ``z = Wx + b`` is g_k x, that of its bias g_k, so their ratio
is the image, whatever g_k is. Clipping multiplies both by one number, which cancels.

*An imprint layer and a batch* ("Robbing the Fed", Fowl et al. 2022). All rows measure the brightness h of an image, and
the biases -c_j are quantiles of a guess at how bright images are; after a ReLU, row j adds up the images with h > c_j.
Two neighbouring rows differ by the images between c_j and c_(j+1): one alone comes back exactly, several as a mixture.

*The best estimate without prior knowledge.* The loss sums M rows of Wx, each with the gradient x, and all other images
of the batch are known and subtracted. The attacker averages the rows and divides by the known scale: an unbiased
estimate that reaches the bound in ``medpriv_core.privacy.reconstruction``.

DP-SGD clips the gradient of each image, over all weights together, to the clipping norm C, and adds normal noise of
deviation sigma C to the sum.

>>> image = np.array([0.2, 0.9, 0.4])
>>> gradient = np.outer([0.0, -3.0], image)
>>> invert_linear(gradient, np.array([0.0, -3.0])).round(6).tolist()
[0.2, 0.9, 0.4]
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from medpriv_core.errors import SettingError

BINS = 200  # rows of the imprint layer
# The usual brightness of images in [0, 1], where the attacker has seen none.
GUESSED_BRIGHTNESS, GUESSED_SPREAD = 0.5, 0.2
# A row whose bias moved by less, relative to the largest, holds nothing but rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Gradients:
    """What the server gets of one step: the sum over a batch.

    weights     float64 (rows, N)
    biases      float64 (rows,)
    """

    weights: np.ndarray
    biases: np.ndarray


def invert_linear(weight_gradient: np.ndarray, bias_gradient: np.ndarray) -> np.ndarray:
    """The input of a linear layer from its gradient for one image.

    Args:
        weight_gradient: Float (rows, N).
        bias_gradient: Float (rows,).

    Returns:
        Float (N,), the ratio in the row whose bias has the largest gradient.

    Raises:
        SettingError: No bias has a gradient, so there is nothing to divide by.
    """
    row = int(np.argmax(np.abs(bias_gradient)))
    if bias_gradient[row] == 0:
        raise SettingError("No bias of the layer has a gradient, so the image cannot be read from it.")
    return np.asarray(weight_gradient[row] / bias_gradient[row])


def guess_cutoffs(brightness: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Levels of brightness that divide images into bins of equal probability, by what the attacker has seen.

    Args:
        brightness: Float (n,), mean values in [0, 1] of images that the attacker knows; may be empty.
        bins: How many, 2 or more.

    Returns:
        Float64 (bins,), ascending; the first is below every brightness, so that the darkest image counts too.

    Raises:
        SettingError: There are fewer than two bins.
    """
    if bins < 2:
        raise SettingError(f"bins must be 2 or more, but is {bins}.")
    several = len(brightness) > 1 and float(np.std(brightness)) > 0
    centre = float(np.mean(brightness)) if several else GUESSED_BRIGHTNESS
    spread = float(np.std(brightness)) if several else GUESSED_SPREAD
    quantiles = centre + spread * special.ndtri(np.arange(1, bins) / bins)
    return np.concatenate([[min(-1.0, float(quantiles[0]) - 1)], quantiles])


def imprint_gradients(images: np.ndarray, cutoffs: np.ndarray, *, clipping_norm: float | None) -> Gradients:
    """The sum of an imprint layer's gradients over a batch, each clipped as DP-SGD does.

    Args:
        images: Float (B, N) in [0, 1].
        cutoffs: Ascending (rows,).
        clipping_norm: C above 0; None for training without clipping.

    Returns:
        Gradients without noise.
    """
    active = images.mean(axis=1)[:, np.newaxis] > cutoffs  # (B, rows)
    norms = np.sqrt(active.sum(axis=1) * ((images**2).sum(axis=1) + 1))
    factors = np.ones(len(images)) if clipping_norm is None else clip_factors(norms, clipping_norm)
    weighed = active * factors[:, np.newaxis]
    return Gradients(weighed.T @ images, weighed.sum(axis=0))


def clip_factors(norms: np.ndarray, clipping_norm: float) -> np.ndarray:
    """By which number each gradient is multiplied: 1, or less where its length is above the clipping norm; (n,)."""
    return np.asarray(clipping_norm / np.maximum(norms, clipping_norm))


def with_noise(gradients: Gradients, deviation: float, rng: np.random.Generator) -> Gradients:
    """The same with normal noise of this deviation on each of its numbers; 0 leaves it as it is."""
    if deviation == 0:
        return gradients
    noise = rng.standard_normal(gradients.weights.shape, dtype=np.float32)
    noise *= np.float32(deviation)
    return Gradients(
        gradients.weights + noise, gradients.biases + deviation * rng.standard_normal(gradients.biases.shape)
    )


def read_imprint(gradients: Gradients) -> np.ndarray:
    """Every image that the attacker reads from an imprint layer, one for each bin that holds something.

    Args:
        gradients: Of the layer, noised or not.

    Returns:
        Float (m, N), cut off at 0 and 1 as images are; m may be 0 where no image moved any row.
    """
    biases = gradients.biases - np.append(gradients.biases[1:], 0)
    held = np.flatnonzero(np.abs(biases) > _ROUNDING * np.abs(gradients.biases).max())
    images = gradients.weights[held]
    below_last = held < len(biases) - 1  # above the last row there is none to subtract
    images[below_last] -= gradients.weights[held[below_last] + 1]
    images /= biases[held, np.newaxis]
    return np.clip(images, 0, 1, out=images)


def nearest(candidates: np.ndarray, image: np.ndarray) -> np.ndarray | None:
    """The candidate (m, N) with the least squared error to ``image`` (N,); None where there is none.

    It is chosen with hindsight: no attacker knows which bin holds whom, so this favours the attack.
    """
    if not len(candidates):
        return None
    return np.asarray(candidates[int(np.argmin(((candidates - image) ** 2).sum(axis=1)))])


def is_isolated(images: np.ndarray, place: int, cutoffs: np.ndarray) -> bool:
    """Whether the image at ``place`` of a batch (B, N) has a bin of the imprint layer for itself."""
    bins = np.searchsorted(cutoffs, images.mean(axis=1), side="left")
    return int((bins == bins[place]).sum()) == 1


@dataclass(frozen=True, eq=False)
class Estimate:
    """The best estimate of an image without prior knowledge.

    values              float64 (N,), not cut off
    noise_deviation     of the normal noise on each value, which the attacker knows
    """

    values: np.ndarray
    noise_deviation: float


def best_estimate(
    image: np.ndarray, *, noise_multiplier: float, clipping_norm: float, rng: np.random.Generator
) -> Estimate:
    """What the average over M equal rows gives, divided by the known scale.

    M is as large as it has to be for the gradient to be clipped: below that, the noise would hide more than it must.

    Args:
        image: Float (N,) in [0, 1].
        noise_multiplier: sigma, 0 or more.
        clipping_norm: C, above 0.
        rng: Of the noise.

    Returns:
        The estimate. An image of length 0 has a gradient of 0 however many rows there are, and comes back as it is.
    """
    norm = float(np.linalg.norm(image))
    if norm == 0:
        return Estimate(image.astype(np.float64), 0.0)
    rows = max(1, math.ceil((clipping_norm / norm) ** 2))
    factor = float(clip_factors(np.array([math.sqrt(rows) * norm]), clipping_norm)[0])
    # The mean of M independent normal numbers is one normal number, so one draw does for all rows.
    deviation = noise_multiplier * clipping_norm / math.sqrt(rows) / factor
    return Estimate(image + deviation * rng.standard_normal(image.shape), deviation)
