"""DP-Pix: large cells instead of pixels, with Laplace noise on the mean of each (Fan 2018).

A few changed pixels hardly move the mean of a large cell, so it needs little noise, and a picture remains that looks
pixelised. Its beta promises epsilon 1/beta for up to ``changed_pixels`` = m pixels: for a small finding, not for the
person. That is what m is: a neighbourhood, and no second promise. For any two pictures, as Local-DP demands, the losses
of all cells add up, and ``guarantee`` says that epsilon too. ``image_cells`` says how cells at the border keep the
promise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.mechanisms.cells import cell_means, cell_sides, first_of_cells
from medpriv_core.mechanisms.laplace import laplace_clamped_mean, laplace_clamped_variance
from medpriv_core.mechanisms.likelihood import distances
from medpriv_core.mechanisms.picture_noise import PictureNoise, run_parameter
from medpriv_core.mechanisms.sources import NoiseSource
from medpriv_core.privacy.image_cells import Shape, cell_grid, cell_noise_scale
from medpriv_core.privacy.image_epsilon import ImageGuarantee, laplace_guarantee


@dataclass(frozen=True)
class DpPix(PictureNoise):
    """Noised means of cells of ``block`` x ``block`` pixels: epsilon 1/beta for up to ``changed_pixels`` pixels."""

    name: ClassVar[str] = "dp_pix"
    title: ClassVar[str] = "DP-Pix, noised mosaic"
    short: ClassVar[str] = "DP-Pix"
    formula: ClassVar[str] = "y = mean of a b × b cell + Lap(m β / b²)"
    explanation: ClassVar[str] = (
        "The image becomes a mosaic of noised squares, which hides findings of up to m pixels, not the patient."
    )
    beta_term: ClassVar[str] = "Laplace scale for b² = m; each cell has m β / b²"
    drawn: ClassVar[str] = "noise per cell of a mosaic"
    no_finding: ClassVar[str] = (
        "The mosaic hides any change of as many pixels as were chosen (m), whatever its contrast; for ε by area and "
        "contrast choose Laplace per pixel."
    )

    block: int = run_parameter("block", options=(2, 4, 8, 16, 32))
    changed_pixels: int = run_parameter("changed_pixels", options=(1, 4, 16, 64, 256))

    def check_shape(self, shape: Shape) -> None:
        """See ``PictureNoise``."""
        cell_grid(shape, block=self.block)

    @property
    def scale(self) -> float:
        """Laplace scale of the noise on each mean."""
        return cell_noise_scale(beta=self.beta, block=self.block, changed_pixels=self.changed_pixels)

    def noised(self, pixels: np.ndarray, source: NoiseSource) -> np.ndarray:
        """See ``PictureNoise``."""
        heights, widths = self._sides(pixels.shape)
        means = self._means(pixels[np.newaxis])[0]
        noised = means + source.laplace(self.scale, means.shape)
        return np.repeat(np.repeat(noised, heights, axis=0), widths, axis=1)

    def clamped_mean(self, levels: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``."""
        return laplace_clamped_mean(levels, scale=self.scale)

    def clamped_variance(self, levels: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``."""
        return laplace_clamped_variance(levels, scale=self.scale)

    @property
    def noise_deviation(self) -> float:
        """See ``PictureNoise``."""
        return math.sqrt(2) * self.scale

    def log_likelihoods(self, releases: np.ndarray, gallery_unit: np.ndarray) -> np.ndarray:
        """See ``PictureNoise``: as for Laplace noise, on the cells."""
        return -distances(self._means(releases), self._means(gallery_unit), "cityblock") / self.scale

    def independent_values(self, clamped: np.ndarray) -> tuple[np.ndarray, int]:
        """See ``PictureNoise``: one for each cell."""
        heights, widths = self._sides(clamped.shape)
        return clamped[np.ix_(first_of_cells(heights), first_of_cells(widths))], self.block

    def guarantee(self, shape: Shape, *, delta: float = DEFAULT_DELTA, copies: int = 1) -> ImageGuarantee:
        """See ``PictureNoise``. Source: Fan 2018."""
        rows, columns = cell_grid(shape, block=self.block)
        return laplace_guarantee(
            beta=self.beta,
            loss=1 / self.scale,
            shape=shape,
            cells=rows * columns,
            changed_pixels=self.changed_pixels,
            delta=delta,
            copies=copies,
        )

    def _sides(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Heights of the rows of cells and widths of their columns, in pixels; they add up to the picture's sides."""
        height, width, channels = shape
        rows, columns = cell_grid((height, width, channels), block=self.block)
        return cell_sides(height, rows), cell_sides(width, columns)

    def _means(self, pictures: np.ndarray) -> np.ndarray:
        """Means of the cells of float pictures (K, h, w, c), float64; of a release, they are its noisy values."""
        heights, widths = self._sides(pictures.shape[1:])
        return cell_means(pictures, heights, widths, np.float64)
