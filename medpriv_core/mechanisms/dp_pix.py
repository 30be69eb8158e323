"""DP-Pix: large cells instead of pixels, with Laplace noise on the mean of each (Fan 2018).

A few changed pixels hardly move the mean of a large cell, so it needs little noise, and a picture remains that looks
pixelised. What is promised covers up to ``changed_pixels`` pixels: a small finding, not the person. ``image_cells``
says how cells at the border keep that promise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.mechanisms.laplace import finite_pixels, laplace_clamped_mean
from medpriv_core.mechanisms.mechanism import Mechanism
from medpriv_core.privacy.image_cells import Shape, cell_grid, cell_noise_scale, check_cells
from medpriv_core.privacy.image_epsilon import ImageGuarantee, MechanismName, mechanism_guarantee


@dataclass(frozen=True)
class DpPix(Mechanism):
    """Noised means of cells of ``block`` x ``block`` pixels: epsilon 1/beta for up to ``changed_pixels`` pixels."""

    name: ClassVar[MechanismName] = "dp_pix"
    block: int = 8
    changed_pixels: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cells(block=self.block, changed_pixels=self.changed_pixels)

    @property
    def scale(self) -> float:
        """Laplace scale of the noise on each mean."""
        return cell_noise_scale(beta=self.beta, block=self.block, changed_pixels=self.changed_pixels)

    def release(self, picture_unit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See ``Mechanism``. Raises ``SettingError`` if no cell fits into the picture."""
        pixels = finite_pixels(picture_unit)
        heights, widths = cell_sides(pixels.shape, block=self.block)
        sums = np.add.reduceat(pixels.astype(np.float64), _starts(heights), axis=0)
        means = np.add.reduceat(sums, _starts(widths), axis=1) / np.outer(heights, widths)[:, :, np.newaxis]
        noised = means + rng.laplace(0.0, self.scale, means.shape)
        return np.repeat(np.repeat(noised, heights, axis=0), widths, axis=1).astype(np.float32)

    def clamped_mean(self, levels: np.ndarray) -> np.ndarray:
        """See ``Mechanism``."""
        return laplace_clamped_mean(levels, scale=self.scale)

    @property
    def noise_deviation(self) -> float:
        """See ``Mechanism``."""
        return math.sqrt(2) * self.scale

    def guarantee(self, shape: Shape, *, delta: float = DEFAULT_DELTA, copies: int = 1) -> ImageGuarantee:
        """See ``Mechanism``."""
        return mechanism_guarantee(
            self.name,
            beta=self.beta,
            shape=shape,
            delta=delta,
            copies=copies,
            block=self.block,
            changed_pixels=self.changed_pixels,
        )


def cell_sides(shape: tuple[int, ...], *, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Heights of the rows of cells and widths of their columns, in pixels; they add up to the picture's sides."""
    height, width, channels = shape
    rows, columns = cell_grid((height, width, channels), block=block)
    return _parts(height, rows), _parts(width, columns)


def _parts(length: int, count: int) -> np.ndarray:
    return np.diff(np.arange(count + 1) * length // count)


def _starts(sides: np.ndarray) -> np.ndarray:
    return np.cumsum(sides) - sides
