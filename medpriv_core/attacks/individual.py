"""What of a likeness is individual: that of two images, less what all images of their kind have in common.

An attacker who has learned from other patients answers with an average chest where the noised image tells nothing, and
an average chest is like every chest: correlation 0.8 with images that nobody has noised. So beside the likeness stand

- the floor: how like the original the average image of other patients is, which needs no noised image;
- the correlation of what is individual: of original and attempt, both less that average;
- the place of the attempt in a gallery: whether the nearest image of it is the right one.

All of it is measured at the size at which the average was learned, so that no attempt counts as more than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medpriv_core.attacks.similarity import Likeness, correlation, likeness
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.cells import cell_means, cell_sides
from medpriv_core.mechanisms.laplace import to_bytes, to_unit


@dataclass(frozen=True, eq=False)
class Individual:
    """An attempt against the average image, at the size of that.

    square       float32 (side, side, c) in [0, 1]: the attempt
    likeness     with the original
    average      likeness of the average image with the original: the floor
    correlation  of original and attempt, both less the average, -1 to 1; None where one of them is the average
    """

    square: np.ndarray
    likeness: Likeness
    average: Likeness
    correlation: float | None


class AgainstAverage:
    """Measures attempts at one original against the average image of others.

    Args:
        original: uint8 (h, w, c), no side smaller than that of the average.
        average: Float (side, side, c) in units of [0, 1].
    """

    def __init__(self, original: np.ndarray, average: np.ndarray) -> None:
        self.side = len(average)
        self._original = square_means(to_unit(original), self.side)
        self._average = np.clip(average, 0, 1).astype(np.float32)
        self._floor = _likeness(self._original, self._average)

    def measure(self, square: np.ndarray) -> Individual:
        """Of an attempt, float (side, side, c) in units of [0, 1]."""
        square = np.clip(square, 0, 1).astype(np.float32)
        own = correlation(self._original - self._average, square - self._average)
        return Individual(square, _likeness(self._original, square), self._floor, own)


def square_means(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture averaged down to a square, its aspect ratio not kept: as images of datasets are squashed.

    Args:
        picture: Float (h, w, c), no side below ``side``.
        side: In pixels.

    Returns:
        float32 (side, side, c), each the mean of a cell; cells differ by a pixel where a side is no multiple.
    """
    heights, widths = (cell_sides(length, side) for length in picture.shape[:2])
    return cell_means(picture, heights, widths, np.float32).astype(np.float32)


def gallery_places(squares: Sequence[np.ndarray], gallery: np.ndarray, place: int) -> list[int] | None:
    """Which place the right image of a gallery has for each of several attempts, nearest first; 1 is found.

    Nearest by squared differences. It is the wrong tool for finding a patient: the likelihood of the noised image
    itself (``reidentification``) finds more of them. Here it tells whether an attempt shows the patient or just
    somebody.

    Args:
        squares: Of each attempt, float (side, side, c) in units of [0, 1].
        gallery: uint8 (n, h, w, c).
        place: Of the right one in it.

    Returns:
        1 to n for each. Of images that are equally near, all count as before the right one: a gallery of equals betrays
        nobody. None where the images of the gallery are smaller than the attempts.

    Raises:
        SettingError: The gallery is of other colours, or ``place`` is not in it.
    """
    side, _, channels = squares[0].shape
    if gallery.ndim != 4 or gallery.shape[3] != channels or not 0 <= place < len(gallery):
        raise SettingError("The gallery must have the right image, and as many colours as the attempt.")
    if min(gallery.shape[1:3]) < side:
        return None
    others = np.stack([square_means(to_unit(one), side) for one in gallery])
    places = []
    for square in squares:
        distances = ((others - square) ** 2).sum(axis=(1, 2, 3), dtype=np.float64)
        places.append(int(np.sum(distances <= distances[place])))
    return places


def _likeness(original: np.ndarray, other: np.ndarray) -> Likeness:
    return likeness(to_bytes(original), to_bytes(other))
