"""Random variants of an image that a network should judge alike: sharper or softer, darker or flatter, a little turned.

They are for augmentation multiplicity (De et al. 2022, arXiv:2204.13650): under DP-SGD the gradients of an image and of
its variants are averaged *before* clipping, so they are one record's gradient and cost no privacy. For this, an image's
variants must not depend on which other images there are. They follow from its own content and a public number.

Sharpness is varied the most, because it depends on the camera and the scaling, and a network that learned to rely on it
fails on pictures from elsewhere. There are no mirror images: see ``augmentation.py``.
"""

from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image

SOFTENED_SHARE = 0.8
SMALLEST = 0.35  # the side to which an image is shrunk before it is enlarged again
GAMMA = (0.75, 1.33)
CONTRAST = (0.7, 1.2)
BRIGHTNESS = 0.08
TURN_DEGREES = 8.0
ZOOM = 0.1
SHIFT = 0.05


def vary(image: np.ndarray, *, number: int) -> np.ndarray:
    """Variant ``number`` (1, 2, ...) of an ``uint8`` image (side, side, channels); always the same one."""
    content = hashlib.sha256(np.ascontiguousarray(image).data).digest()
    rng = np.random.default_rng([number, *np.frombuffer(content, np.uint32)])
    picture = _softened(Image.fromarray(image.squeeze()), rng)
    picture = _relit(picture, rng)
    return np.asarray(_moved(picture, rng)).reshape(image.shape)


def _softened(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    if rng.random() >= SOFTENED_SHARE:
        return picture
    side = max(8, round(picture.width * rng.uniform(SMALLEST, 1)))
    small = picture.resize((side, side), Image.Resampling.BILINEAR)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def _relit(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    values = (np.asarray(picture, dtype=np.float32) / 255) ** rng.uniform(*GAMMA)
    mean = values.mean()
    values = (values - mean) * rng.uniform(*CONTRAST) + mean + rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    return Image.fromarray((values.clip(0, 1) * 255).astype(np.uint8))


def _moved(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    angle = np.deg2rad(rng.uniform(-TURN_DEGREES, TURN_DEGREES))
    zoom = rng.uniform(1 - ZOOM, 1 + ZOOM)
    shift_x, shift_y = rng.uniform(-SHIFT, SHIFT, 2) * picture.width
    cos, sin, middle = np.cos(angle) * zoom, np.sin(angle) * zoom, picture.width / 2
    rows = (
        (cos, -sin, middle - middle * cos + middle * sin + shift_x),
        (sin, cos, middle - middle * sin - middle * cos + shift_y),
    )
    return picture.transform(picture.size, Image.Transform.AFFINE, (*rows[0], *rows[1]), Image.Resampling.BILINEAR)
