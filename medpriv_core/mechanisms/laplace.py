"""Pixels before and after the noise, and the mean of clamped Laplace noise.

Pixels are numbers from 0 (black) to 1 (white). Outside, the sensitivity would be unbounded, so they are limited to that
before the noise; limiting them again afterwards is post-processing.
"""

from __future__ import annotations

import numpy as np

from medpriv_core.errors import SettingError


def finite_pixels(images: np.ndarray) -> np.ndarray:
    """Pixels limited to [0, 1] before the noise: outside, the sensitivity would be unbounded.

    Args:
        images: Float array of any shape.

    Returns:
        Array of the same shape and type.

    Raises:
        SettingError: There are no pixels, or some are not finite.
    """
    images = np.asarray(images)
    if images.size == 0:
        raise SettingError("There is no pixel to add noise to.")
    if not np.isfinite(images).all():
        raise SettingError("The image has values that are not numbers (NaN or infinite); noise cannot protect those.")
    return np.clip(images, 0.0, 1.0)


def laplace_clamped_mean(levels: np.ndarray, *, scale: float) -> np.ndarray:
    """Mean of a grey level with Laplace noise, clamped to [0, 1]; it rises with the level.

    Args:
        levels: Float array of any shape, in [0, 1].
        scale: Laplace scale, in the same units.

    Returns:
        float64 array of the same shape.
    """
    levels = np.clip(np.asarray(levels, dtype=np.float64), 0, 1)
    return np.asarray(levels + scale / 2 * (np.exp(-levels / scale) - np.exp(-(1 - levels) / scale)))


def laplace_clamped_variance(levels: np.ndarray, *, scale: float) -> np.ndarray:
    """Variance of a grey level with Laplace noise, clamped to [0, 1]; at most 1/4, and the same for x and 1 - x.

    With e = exp(-x/scale) and f = exp(-(1-x)/scale) the mean square is x² + scale² (2 - e - f) - scale f.

    Args:
        levels: Float array of any shape, in [0, 1].
        scale: Laplace scale, in the same units.

    Returns:
        float64 array of the same shape.
    """
    levels = np.clip(np.asarray(levels, dtype=np.float64), 0, 1)
    low, high = np.expm1(-levels / scale), np.expm1(-(1 - levels) / scale)
    squares = levels**2 - scale**2 * (low + high) - scale * (1 + high)
    return np.asarray(np.maximum(0, squares - laplace_clamped_mean(levels, scale=scale) ** 2))


def clamp(noised: np.ndarray) -> np.ndarray:
    """Pixels limited to [0, 1].

    This is post-processing, so it never weakens the guarantee. For Laplace noise on pixels in [0, 1] it does not
    strengthen it either: the clamped value is a sufficient statistic of the released one.

    Args:
        noised: Float array of any shape; 0 is black and 1 is white.

    Returns:
        float32 array of the same shape.
    """
    return np.clip(noised, 0.0, 1.0).astype(np.float32)


def to_unit(images: np.ndarray) -> np.ndarray:
    """Pixels of 8 bits as numbers from 0 (black) to 1 (white).

    Args:
        images: uint8 array of any shape.

    Returns:
        float32 array of the same shape, in [0, 1].
    """
    return images.astype(np.float32) / np.float32(255)


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Pixels rounded to the nearest of the 256 grey levels (post-processing).

    Args:
        images: Float array of any shape; values outside [0, 1] are limited to it.

    Returns:
        uint8 array of the same shape.
    """
    return np.rint(np.clip(images, 0.0, 1.0) * 255).astype(np.uint8)


def saturated_share(noised: np.ndarray) -> float:
    """How many values clamping turns into pure black or pure white.

    Args:
        noised: Float array of any shape, not clamped.

    Returns:
        Their share of all values, from 0 to 1.
    """
    noised = np.asarray(noised)
    return float(np.mean((noised <= 0.0) | (noised >= 1.0)))
