"""Random variants of an image that a network should judge alike: sharper or softer, darker or flatter, a little turned.

They are for augmentation multiplicity (De et al. 2022, arXiv:2204.13650): under DP-SGD the gradients of an image and of
its variants are averaged *before* clipping, so they are one record's gradient and cost no privacy. For this, an image's
variants must not depend on which other images there are. They follow from its own content and a public number.

Sharpness is varied the most, because it depends on the camera and the scaling, and a network that learned to rely on it
fails on pictures from elsewhere. Every third variant goes further, into what another machine may do to a picture: it
may be sharpened, stretched, grainy, and lit unevenly. There are no mirror images: see ``augmentation.py``.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

BROAD_EVERY = 3


@dataclass(frozen=True)
class Changes:
    """How far a variant may go; pairs are (lowest, highest), other numbers the most to either side.

    softened, smallest   share of the variants that are softened, and the side to which an image is shrunk for it
    sharpened            share of the variants that are sharpened instead
    gamma, contrast      factors; ``brightness`` is added
    slope, bulge         unevenness of the light: along the height and the width, and from the middle to the edge
    grain                standard deviation of noise
    degrees, stretch     turning, and the logarithm of the factor between width and height
    zoom, shift          share of the side that is seen, and by which it is moved
    """

    softened: float
    smallest: float
    gamma: tuple[float, float]
    contrast: tuple[float, float]
    brightness: float
    degrees: float
    zoom: tuple[float, float]
    shift: float
    sharpened: float = 0.0
    slope: tuple[float, float] = (0.0, 0.0)
    bulge: float = 0.0
    grain: float = 0.0
    stretch: float = 0.0


MILD = Changes(
    softened=0.8,
    smallest=0.35,
    gamma=(0.75, 1.33),
    contrast=(0.7, 1.2),
    brightness=0.08,
    degrees=8.0,
    zoom=(0.9, 1.1),
    shift=0.05,
)
BROAD = Changes(
    softened=0.6,
    smallest=0.3,
    gamma=(0.61, 1.65),
    contrast=(0.6, 1.3),
    brightness=0.1,
    degrees=10.0,
    zoom=(0.82, 1.1),
    shift=0.06,
    sharpened=0.2,
    slope=(0.12, 0.08),
    bulge=0.12,
    grain=0.03,
    stretch=0.24,
)


def is_broad(number: int) -> bool:
    """Whether variant ``number`` is one of those that go further."""
    return number > 0 and number % BROAD_EVERY == 0


def vary(image: np.ndarray, *, number: int) -> np.ndarray:
    """Variant ``number`` (1, 2, ...) of an ``uint8`` image (side, side, channels); always the same one."""
    content = hashlib.sha256(np.ascontiguousarray(image).data).digest()
    rng = np.random.default_rng([number, *np.frombuffer(content, np.uint32)])
    changes = BROAD if is_broad(number) else MILD
    picture = _refocused(Image.fromarray(image.squeeze()), changes, rng)
    picture = _relit(picture, changes, rng)
    return np.asarray(_moved(picture, changes, rng)).reshape(image.shape)


def _refocused(picture: Image.Image, changes: Changes, rng: np.random.Generator) -> Image.Image:
    draw = rng.random()
    if draw < changes.softened:
        side = max(8, round(picture.width * rng.uniform(changes.smallest, 1)))
        small = picture.resize((side, side), Image.Resampling.BILINEAR)
        return small.resize(picture.size, Image.Resampling.BICUBIC)
    if draw < changes.softened + changes.sharpened:
        percent = round(rng.uniform(40, 150))
        return picture.filter(ImageFilter.UnsharpMask(radius=rng.uniform(1, 3), percent=percent, threshold=0))
    return picture


def _relit(picture: Image.Image, changes: Changes, rng: np.random.Generator) -> Image.Image:
    values = (np.asarray(picture, dtype=np.float32) / 255) ** rng.uniform(*changes.gamma)
    mean = values.mean()
    values = (values - mean) * rng.uniform(*changes.contrast) + mean
    values = values + rng.uniform(-changes.brightness, changes.brightness)
    if changes is BROAD:
        one_colour = (*values.shape[:2], *[1] * (values.ndim - 2))  # light and grain are the same in every colour
        values = values + _uneven_light(values.shape[0], changes, rng).reshape(one_colour)
        if rng.random() < 0.5:
            values = values + rng.normal(0, rng.uniform(0, changes.grain), one_colour)
    return Image.fromarray((values.clip(0, 1) * 255).astype(np.uint8))


def _uneven_light(side: int, changes: Changes, rng: np.random.Generator) -> np.ndarray:
    """(side, side), what is added to each pixel; about 0 on the whole."""
    rows, columns = (rng.uniform(-most, most) for most in changes.slope)
    bulge = rng.uniform(-changes.bulge, changes.bulge)
    line = np.linspace(-1, 1, side, dtype=np.float32)
    y, x = line[:, None], line[None, :]
    light: np.ndarray = rows * y + columns * x + bulge * (x * x + y * y - 2 / 3)
    return light


def _moved(picture: Image.Image, changes: Changes, rng: np.random.Generator) -> Image.Image:
    angle = np.deg2rad(rng.uniform(-changes.degrees, changes.degrees))
    zoom = rng.uniform(*changes.zoom)
    shift_x, shift_y = rng.uniform(-changes.shift, changes.shift, 2) * picture.width
    wider = math.exp(rng.uniform(-changes.stretch, changes.stretch) / 2)
    cos, sin, middle = np.cos(angle) * zoom, np.sin(angle) * zoom, picture.width / 2
    across, down = (cos * wider, sin * wider), (-sin / wider, cos / wider)
    rows = (
        (across[0], down[0], middle - middle * (across[0] + down[0]) + shift_x),
        (across[1], down[1], middle - middle * (across[1] + down[1]) + shift_y),
    )
    return picture.transform(picture.size, Image.Transform.AFFINE, (*rows[0], *rows[1]), Image.Resampling.BILINEAR)
