"""Single images for the screen, without preparing the whole dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.datasets.base import Dataset
from medpriv_core.datasets.images import to_square
from medpriv_core.errors import DatasetError


@dataclass(frozen=True)
class ViewedImage:
    """One image as the screen shows it."""

    pixels: np.ndarray  # uint8, shape (size, size, channels)
    label: str  # the class in plain words


def images_of_class(dataset: Dataset, class_name: str | None) -> np.ndarray:
    """Indexes into the training split of the images of one class, or of all."""
    labels = dataset.split("train").labels
    if class_name is None:
        return np.arange(len(labels))
    if class_name not in dataset.info.classes:
        raise DatasetError(f"{dataset.info.title} has no class {class_name!r}: {', '.join(dataset.info.classes)}.")
    return np.flatnonzero(labels == dataset.info.classes.index(class_name))


def view_image(dataset: Dataset, index: int, *, size: int) -> ViewedImage:
    """The training image at ``index``, squashed to a square of ``size`` pixels; raises ``ImageError``."""
    split = dataset.split("train")
    if not 0 <= index < len(split.labels):
        raise DatasetError(f"{dataset.info.title} has {len(split.labels)} training images; there is none at {index}.")
    return ViewedImage(to_square(split.image(index), size), dataset.info.classes[int(split.labels[index])])
