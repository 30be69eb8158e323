"""Pictures that several tests of attacks look at."""

from __future__ import annotations

import functools

import numpy as np
from skimage import color, data, transform

from medpriv_core.datasets.synthetic.chest import draw_chest


@functools.cache
def retina_unit() -> np.ndarray:
    """The retina that comes with scikit-image: grey, 256 x 256, float64 in [0, 1]."""
    grey = color.rgb2gray(data.retina()).astype(float)
    return np.clip(transform.resize(grey, (256, 256), anti_aliasing=True), 0, 1)


def retina() -> np.ndarray:
    """The same as uint8 of shape (256, 256, 1)."""
    return np.rint(retina_unit() * 255).astype(np.uint8)[:, :, None]


@functools.cache
def coloured_retina() -> np.ndarray:
    """uint8 of shape (96, 128, 3)."""
    return np.rint(transform.resize(data.retina(), (96, 128), anti_aliasing=True) * 255).astype(np.uint8)


def bars(height: int, width: int, channels: int) -> np.ndarray:
    """Soft dark and bright bars with a slope, uint8: a made-up picture of any shape."""
    rows, columns = np.mgrid[:height, :width]
    grey = 0.5 + 0.3 * np.sin(2 * np.pi * 2 * columns / max(width, 2)) + 0.2 * (rows / height - 0.5)
    tint = np.linspace(1, 0.7, channels)
    return np.rint(grey[:, :, None] * tint * 255).astype(np.uint8)


@functools.cache
def synthetic_chest() -> np.ndarray:
    """A drawn chest radiograph, uint8 of shape (128, 128, 1)."""
    return draw_chest(image_size=128, label=1, rng=np.random.default_rng(3))[:, :, None]
