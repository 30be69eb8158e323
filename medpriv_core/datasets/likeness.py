"""Whether an image from elsewhere is like those that a network learned from: sharpness, brightness, contrast.

A network that learned from small copies sees a full-size original twice as sharp as any image it knows, and judges it
worse. Each image is measured as the network gets it, on its square. What is said of the training images here depends on
them without noise: it is for the screen of the one who holds them, and no export has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.datasets.arrays import work_in_order
from medpriv_core.datasets.base import Dataset
from medpriv_core.datasets.files import square_of

SAMPLED = 200
FEWEST = 100  # training images; of fewer, chance alone puts an image of the same kind beyond all of them too often
_BATCH = 8
# What is measured -> what an image is that has less than all others, and more.
_WORDS = {
    "sharpness": ("less sharp (as after enlarging or smoothing)", "sharper (as an original is beside small copies)"),
    "brightness": ("darker", "brighter"),
    "contrast": ("of less contrast", "of more contrast"),
}


@dataclass(frozen=True, eq=False)
class Measures:
    """Measures of n images, each an array (n,).

    sharpness   mean absolute Laplacian over mean absolute difference of neighbours; no unit, contrast does not matter
    brightness  mean grey, 0 to 255
    contrast    standard deviation of grey, 0 to 127.5
    """

    sharpness: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray

    @property
    def enough(self) -> bool:
        """Whether there are so many that chance seldom puts an image of the same kind beyond all of them."""
        return len(self.sharpness) >= FEWEST


def measure(squares: np.ndarray) -> Measures:
    """Measure ``uint8`` images (n, size, size, channels), size at least 3; the sharpness of one grey alone is 0.

    >>> rows = np.indices((8, 8))[0][None, :, :, None]
    >>> [float(measure(image.astype(np.uint8)).sharpness[0]) for image in (20 * rows, 255 * (rows % 2), 0 * rows)]
    [0.0, 2.0, 0.0]
    """
    grey = squares.astype(np.float32).mean(-1)
    centre = 4 * grey[:, 1:-1, 1:-1]
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    differences = sum(np.abs(np.diff(grey, axis=axis)).mean((1, 2)) for axis in (1, 2))
    laplacian = np.abs(centre - around).mean((1, 2))
    sharpness = np.divide(laplacian, differences, out=np.zeros_like(laplacian), where=differences > 0)
    return Measures(sharpness, grey.mean((1, 2)), grey.std((1, 2)))


def measure_training_images(dataset: Dataset, *, size: int, most: int = SAMPLED) -> Measures:
    """The measures of ``most`` training images, or of all, on squares of ``size`` pixels; raises ``ImageError``."""
    split = dataset.split("train")
    places = np.linspace(0, len(split.labels) - 1, min(most, len(split.labels))).astype(int).tolist()

    def squares(start: int) -> Measures:
        found = [square_of(split, place, size, dataset.info.reading.fit) for place in places[start : start + _BATCH]]
        return measure(np.stack(found))

    parts = list(work_in_order(squares, range(0, len(places), _BATCH)))
    return Measures(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _WORDS})


def unlike(square: np.ndarray, typical: Measures) -> str:
    """In what an image, ``uint8`` (size, size, channels), is beyond each of the training images measured; or nothing.

    Nothing either where fewer than ``FEWEST`` were measured.

    >>> grey = Measures(*(np.linspace(low, high, 100) for low, high in ((0.5, 0.9), (90, 160), (30, 70))))
    >>> unlike(np.full((8, 8, 1), 200, np.uint8), grey)[:73]
    'This image is unlike the training images: less sharp (as after enlarging '
    """
    if not typical.enough:
        return ""
    own = measure(square[np.newaxis])
    found = []
    for name, (less, more) in _WORDS.items():
        value, known = float(getattr(own, name)[0]), getattr(typical, name)
        if not known.min() <= value <= known.max():
            found.append(less if value < known.min() else more)
    if not found:
        return ""
    return (
        f"This image is unlike the training images: {'; '.join(found)} than each of {len(typical.sharpness):,} of "
        "them. What the network says of it may be less reliable."
    )
