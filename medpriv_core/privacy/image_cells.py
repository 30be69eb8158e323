"""DP-Pix: the cells of a pixelised picture, and how much noise their means need (Fan 2018).

Two pictures count as neighbours if they differ in at most ``changed_pixels`` = m pixels. The mean of a cell of n pixels
moves by 1/n at most for each of them, so the means of cells of at least block x block pixels move by m / block² in all:
Laplace noise of scale m beta / block² gives epsilon 1/beta.

A cell at the border must not be smaller than that, or its mean would move further. Nor may pixels be repeated to fill
it: a pixel that is there eight times moves the mean eight times as far. So the sides are divided into as many parts as
there are whole blocks, some of them a pixel or a few longer; larger cells only move less.

>>> cell_grid((100, 64, 1), block=16)
(6, 4)
>>> cell_noise_scale(beta=2.0, block=16, changed_pixels=16) * 255
31.875
"""

from __future__ import annotations

from medpriv_core.errors import SettingError

Shape = tuple[int, int, int]


def cell_grid(shape: Shape, *, block: int) -> tuple[int, int]:
    """How many cells a pixelised picture has; each has at least block x block pixels.

    Args:
        shape: Height, width and channels of the picture.
        block: Side of a cell, in pixels.

    Returns:
        Rows and columns of cells.

    Raises:
        SettingError: No such cell fits into the picture.
    """
    height, width, _ = shape
    if block > min(height, width):
        raise SettingError(
            f"A cell of {block} x {block} pixels does not fit into an image of {width} x {height}; choose a block of "
            f"at most {min(height, width)}."
        )
    return height // block, width // block


def cell_noise_scale(*, beta: float, block: int, changed_pixels: int) -> float:
    """How much noise the mean of a cell needs (Fan 2018).

    Args:
        beta: The ε of ``changed_pixels`` pixels is 1/beta.
        block: Side of a cell, in pixels.
        changed_pixels: By how many pixels neighbours may differ.

    Returns:
        Laplace scale of the noise on each cell's mean, for pixels in [0, 1].
    """
    return changed_pixels * beta / block**2
