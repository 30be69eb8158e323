"""From a released picture to its independently noised values, and back to a picture.

A filter averages noise away only if every value has noise of its own. A pixelised picture (DP-Pix) holds one value for
each cell, so an attacker works on the small picture of the cells. A large picture is averaged over squares of
pixels first, to answer while the user waits: that is itself an average, so the attack gets no weaker, but no detail
finer than a square comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from medpriv_core.mechanisms.cells import cell_means, cell_sides
from medpriv_core.mechanisms.picture_noise import PictureNoise

MeanCurve = Callable[[np.ndarray], np.ndarray | None]

LARGEST_SIDE = 320  # pixels; all filters take about three seconds for that in colour
CURVE_LEVELS = np.linspace(0, 1, 2001)


@dataclass(frozen=True)
class Samples:
    """Independently noised values of one clamped release."""

    values: np.ndarray  # float32 (h', w', c) in [0, 1]
    pixels: int  # each value stands for about pixels x pixels of the picture
    each: int  # over about how many noisy values each is an average
    noise_deviation: float  # standard deviation of the clamped noise in them

    @property
    def averaged(self) -> bool:
        """Whether each is an average over several noisy values."""
        return self.each > 1


def read_samples(clamped: np.ndarray, noise: PictureNoise) -> Samples:
    """The values that ``clamped`` (h, w, c), float32 in [0, 1], holds.

    The clamped noise is weaker than the mechanism's; how strong it is, is measured in the picture.
    """
    values, cell = noise.independent_values(clamped)
    factor = reduction(values.shape[:2])
    values = shrink(values, factor)
    return Samples(
        values,
        cell * factor,
        each=factor**2,
        noise_deviation=_noise_level(values, noise.noise_deviation / factor),
    )


def reduction(shape: tuple[int, ...]) -> int:
    """By which whole number a picture of ``shape`` = (h, w) is reduced, so that no side is above the limit."""
    return -(-max(shape) // LARGEST_SIDE)


def shrink(picture: np.ndarray, factor: int) -> np.ndarray:
    """Means over squares of ``factor`` pixels, some one pixel smaller where a side is no multiple; float32."""
    picture = picture.astype(np.float32, copy=False)
    if factor == 1:
        return picture
    heights, widths = (cell_sides(side, -(-side // factor)) for side in picture.shape[:2])
    return cell_means(picture, heights, widths, np.float32).astype(np.float32)


def expand(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``values`` (h', w', c) as a picture of ``shape`` (h, w, c), interpolated between the centres of their squares."""
    if values.shape == shape:
        return values
    size = shape[1], shape[0]
    channels = [Image.fromarray(np.ascontiguousarray(values[:, :, c], dtype=np.float32)) for c in range(shape[2])]
    return np.stack([np.asarray(channel.resize(size, Image.Resampling.BILINEAR)) for channel in channels], axis=-1)


class MeanInversion:
    """The way back from the mean of clamped noisy values to their level, by a table of a mechanism's curve.

    >>> inversion = MeanInversion(lambda level: 0.4 + 0.2 * level)
    >>> inversion.level(np.array([0.3, 0.5, 0.6])).round(6).tolist()
    [0.0, 0.5, 1.0]
    """

    def __init__(self, clamped_mean: MeanCurve) -> None:
        curve = clamped_mean(CURVE_LEVELS)
        if curve is None:
            raise ValueError("this mechanism has no mean curve")
        self._curve = np.asarray(curve, dtype=np.float64)

    def level(self, mean: np.ndarray) -> np.ndarray:
        """The level in [0, 1] whose clamped noisy values have this mean; the nearest one where none has."""
        return np.interp(mean, self._curve, CURVE_LEVELS)


def _noise_level(values: np.ndarray, known: float) -> float:
    """Standard deviation of the noise, from differences of differences, in which slopes and edges cancel.

    Clamping brings values together, never apart, so the noise is at most the ``known`` one before clamping.
    """
    if min(values.shape[:2]) < 2:
        return known
    steps = np.diff(np.diff(values, axis=0), axis=1)
    return min(known, float(np.sqrt(np.mean(steps**2)) / 2))
