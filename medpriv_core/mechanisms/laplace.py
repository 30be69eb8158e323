"""Pixels before and after the noise, and the mean of clamped Laplace noise.

Pixels are numbers from 0 (black) to 1 (white). Outside, the sensitivity would be unbounded, so they are limited to that
before the noise; limiting them again afterwards is post-processing.
"""

from __future__ import annotations

import numpy as np

from medpriv_core.errors import SettingError


def finite_pixels(images: np.ndarray) -> np.ndarray:
    """``images`` limited to [0, 1] before the noise: outside, the sensitivity would be unbounded.

    Raises ``SettingError`` for no pixels, or pixels that are not finite.
    """
    images = np.asarray(images)
    if images.size == 0:
        raise SettingError("There is no pixel to add noise to.")
    if not np.isfinite(images).all():
        raise SettingError("The image has values that are not numbers (NaN or infinite); noise cannot protect those.")
    return np.clip(images, 0.0, 1.0)


def laplace_clamped_mean(levels: np.ndarray, *, scale: float) -> np.ndarray:
    """Mean of ``levels`` (in [0, 1]) plus Laplace noise of ``scale``, clamped to [0, 1]. Rises with the level."""
    levels = np.clip(np.asarray(levels, dtype=np.float64), 0, 1)
    return np.asarray(levels + scale / 2 * (np.exp(-levels / scale) - np.exp(-(1 - levels) / scale)))


def clamp(noised: np.ndarray) -> np.ndarray:
    """``noised`` limited to [0, 1], float32.

    Post-processing, so it never weakens the guarantee. For Laplace noise on pixels in [0, 1] it does
    not strengthen it either: the clamped value is a sufficient statistic of the released one.
    """
    return np.clip(noised, 0.0, 1.0).astype(np.float32)


def to_unit(images: np.ndarray) -> np.ndarray:
    """``uint8`` pixels as float32 in [0, 1]."""
    return images.astype(np.float32) / np.float32(255)


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1] as ``uint8``, rounded to the nearest of the 256 levels (post-processing)."""
    return np.rint(np.clip(images, 0.0, 1.0) * 255).astype(np.uint8)


def saturated_share(noised: np.ndarray) -> float:
    """Share of values that clamping turns into pure black or pure white, 0 to 1."""
    noised = np.asarray(noised)
    return float(np.mean((noised <= 0.0) | (noised >= 1.0)))
