"""Tools shared by the drawings: grids, soft edges, smooth textures, strokes.

Everything is given in unit coordinates, (0, 0) the upper left corner and (1, 1) the lower right one, so that
one patient can be drawn at any size: random numbers decide about geometry and coarse textures, whose count
does not depend on the number of pixels. Only sensor grain is drawn pixel by pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from medpriv_core.errors import SettingError

Array = np.ndarray

SMALLEST_SIZE = 16
LARGEST_SIZE = 1024
_OVERSAMPLING = 4  # strokes thinner than a pixel stay visible as faint lines
CHUNK = 5  # segments of one stroke that share a width, that of the middle one


@dataclass(frozen=True)
class Stroke:
    """A tapering line."""

    points: Array  # float64, shape (n, 2): x and y
    widths: Array  # float64, shape (n,), in unit coordinates
    strength: float = 1.0  # grey level in [0, 1]


@dataclass(frozen=True)
class Spot:
    """A filled patch."""

    outline: Array  # float64, shape (n, 2): x and y of its corners
    strength: float  # grey level in [0, 1]


def check_request(*, image_size: int, label: int, classes: int) -> None:
    """Raise ``SettingError`` if a drawing of this size or with this label cannot be made."""
    if not SMALLEST_SIZE <= image_size <= LARGEST_SIZE:
        raise SettingError(
            f"image_size must be between {SMALLEST_SIZE} and {LARGEST_SIZE} for a synthetic image, but is {image_size}."
        )
    if not 0 <= label < classes:
        raise SettingError(f"label must be between 0 and {classes - 1} for this kind of image, but is {label}.")


def child_streams(rng: np.random.Generator, count: int) -> list[np.random.Generator]:
    """Independent generators for the parts of one picture.

    With one stream each, anatomy, disease and film can use any number of draws without shifting one another:
    the same seed with another label shows the same patient with another finding.
    """
    return [np.random.default_rng(int(seed)) for seed in rng.integers(0, 2**63 - 1, size=count)]


def unit_grid(size: int) -> tuple[Array, Array]:
    """The x and y of all pixel centres, float32, each of shape (size, size)."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(axis, axis)
    return x, y


def soft_step(distance: Array, softness: float) -> Array:
    """0 where ``distance`` is well below zero, 1 well above, a smooth ramp of half-width ``softness`` between."""
    t = distance * (0.5 / softness)
    t += 0.5
    np.clip(t, 0.0, 1.0, out=t)  # in place, as this runs thirty times a film
    slope = -2.0 * t
    slope += 3.0
    slope *= t
    slope *= t
    return slope


def bump(x: Array, y: Array, *, centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0) -> Array:
    """A Gaussian hill of height 1 with the given standard deviations, its first axis turned by ``angle``."""
    return np.exp(-0.5 * squared_radius(x, y, centre=centre, radii=radii, angle=angle))


def squared_radius(
    x: Array, y: Array, *, centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0
) -> Array:
    """Squared distance from ``centre`` in units of the radii of a turned ellipse (1 on its edge)."""
    # Plain Python numbers, because numpy's float64 scalars would turn float32 maps into float64.
    cos, sin = math.cos(angle), math.sin(angle)
    dx, dy = x - float(centre[0]), y - float(centre[1])
    along, across = (cos * dx + sin * dy) / radii[0], (cos * dy - sin * dx) / radii[1]
    return along * along + across * across


def smooth_noise(rng: np.random.Generator, *, cells: int, size: int) -> Array:
    """A random texture of mean about 0 and sd about 1, with ``cells`` hills and valleys along each side."""
    lattice = rng.standard_normal((cells, cells)).astype(np.float32)
    texture = Image.fromarray(lattice).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(texture) / 0.7  # interpolation flattens; 0.7 is its usual sd


def rough_noise(rng: np.random.Generator, *, cells: int, octaves: int, size: int) -> Array:
    """Smooth textures of doubling fineness and halving height, summed: cloud-like, sd about 1."""
    heights = [0.5**octave for octave in range(octaves)]
    layers = [height * smooth_noise(rng, cells=cells * 2**octave, size=size) for octave, height in enumerate(heights)]
    return np.sum(layers, axis=0) / math.hypot(*heights)


def wander(
    rng: np.random.Generator,
    *,
    starts: Array,
    headings: Array,
    lengths: Array,
    bends: Array,
    wiggle: float,
    steps: int = 15,
) -> tuple[Array, Array]:
    """Lines that start in a direction (radians), turn by ``bends`` on their way and tremble by ``wiggle``.

    ``starts`` has shape (n, 2), the other arrays (n,). Returns their points, shape (n, steps + 1, 2), and the
    heading at each point, shape (n, steps + 1).
    """
    progress = np.linspace(0.0, 1.0, steps + 1)
    tremble = np.cumsum(rng.standard_normal((len(starts), steps + 1)), axis=1) * (wiggle / np.sqrt(steps))
    turned = headings[:, None] + bends[:, None] * progress + tremble
    moves = np.stack([np.cos(turned), np.sin(turned)], axis=2) * (lengths / steps)[:, None, None]
    points = np.repeat(starts[:, None, :], steps + 1, axis=1)
    points[:, 1:] += np.cumsum(moves[:, :-1], axis=1)
    return points, turned


def draw_strokes(strokes: Sequence[Stroke], size: int) -> Array:
    """Coverage in [0, 1] by the strokes, float32 of shape (size, size); where they cross, the strongest shows."""
    if not strokes:
        return np.zeros((size, size), dtype=np.float32)
    fine = size * _OVERSAMPLING
    canvas = Image.new("L", (fine, fine))
    pen = ImageDraw.Draw(canvas)
    for stroke in sorted(strokes, key=lambda stroke: stroke.strength):
        places = (stroke.points * fine).ravel().tolist()
        widths = (stroke.widths * fine).tolist()
        for first in range(0, len(widths) - 1, CHUNK):
            part = widths[first : first + CHUNK + 1]
            width = part[len(part) // 2]
            grey = round(255 * stroke.strength * min(1.0, width))
            pen.line(places[2 * first : 2 * (first + len(part))], fill=grey, width=max(1, round(width)))
    return _reduced(canvas)


def draw_spots(spots: Sequence[Spot], size: int) -> Array:
    """Coverage in [0, 1] by the spots, float32 of shape (size, size); where they overlap, the strongest shows."""
    if not spots:
        return np.zeros((size, size), dtype=np.float32)
    fine = size * _OVERSAMPLING
    canvas = Image.new("L", (fine, fine))
    pen = ImageDraw.Draw(canvas)
    for spot in sorted(spots, key=lambda spot: spot.strength):
        pen.polygon((spot.outline * fine).ravel().tolist(), fill=round(255 * spot.strength))
    return _reduced(canvas)


def _reduced(canvas: Image.Image) -> Array:
    return np.asarray(canvas.reduce(_OVERSAMPLING), dtype=np.float32) / 255
