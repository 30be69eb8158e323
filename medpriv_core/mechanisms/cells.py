"""A picture divided into cells: runs of neighbouring rows by runs of neighbouring columns, nearly equal in size."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike


def cell_sides(length: int, count: int) -> np.ndarray:
    """Divide a length into nearly equal parts.

    >>> cell_sides(7, 3).tolist()
    [2, 2, 3]

    Args:
        length: In pixels.
        count: How many parts, at most ``length``.

    Returns:
        (count,) whole pixels, ``length`` in all.
    """
    return np.diff(np.arange(count + 1) * length // count)


def first_of_cells(sides: np.ndarray) -> np.ndarray:
    """Where each part begins: (count,) pixels from 0.

    >>> first_of_cells(cell_sides(7, 3)).tolist()
    [0, 2, 4]
    """
    return np.cumsum(sides) - sides


def cell_means(pictures: np.ndarray, heights: np.ndarray, widths: np.ndarray, dtype: DTypeLike) -> np.ndarray:
    """The mean of each cell.

    Args:
        pictures: (..., h, w, c), one picture or several.
        heights: (rows,) pixels, h in all.
        widths: (columns,) pixels, w in all.
        dtype: What the sums are kept in.

    Returns:
        (..., rows, columns, c).
    """
    sums = np.add.reduceat(pictures, first_of_cells(heights), axis=-3, dtype=dtype)
    return np.asarray(
        np.add.reduceat(sums, first_of_cells(widths), axis=-2) / np.outer(heights, widths)[:, :, np.newaxis]
    )
