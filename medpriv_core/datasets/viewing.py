"""Single images for the screen, without preparing the whole dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from medpriv_core.datasets.base import Dataset
from medpriv_core.datasets.images import to_square
from medpriv_core.datasets.patients import patient_numbers
from medpriv_core.errors import DatasetError


@dataclass(frozen=True)
class ViewedImage:
    """One image as it is stored."""

    pixels: np.ndarray  # uint8, shape (h, w, channels)
    label: str  # the class in plain words


@dataclass(frozen=True)
class Gallery:
    """Images of one size, among which one is to be found again."""

    pictures: np.ndarray  # uint8, shape (n, size, size, channels)
    place: int  # of the one to be found
    by_patient: bool = False  # each is known to be of another patient


def images_of_class(dataset: Dataset, class_name: str | None) -> np.ndarray:
    """Indexes into the training split of the images of one class, or of all."""
    labels = dataset.split("train").labels
    if class_name is None:
        return np.arange(len(labels))
    if class_name not in dataset.info.classes:
        raise DatasetError(f"{dataset.info.title} has no class {class_name!r}: {', '.join(dataset.info.classes)}.")
    return np.flatnonzero(labels == dataset.info.classes.index(class_name))


def view_image(dataset: Dataset, index: int) -> ViewedImage:
    """The training image at ``index``; raises ``ImageError``."""
    split = dataset.split("train")
    if not 0 <= index < len(split.labels):
        raise DatasetError(f"{dataset.info.title} has {len(split.labels)} training images; there is none at {index}.")
    pixels = np.asarray(split.image(index), dtype=np.uint8)
    pixels = pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels
    return ViewedImage(pixels, dataset.info.classes[int(split.labels[index])])


def make_gallery(dataset: Dataset, index: int, *, size: int, most: int = 100) -> Gallery:
    """The training image at ``index`` among others, evenly spread over the split; squares of ``size`` pixels.

    Where it is known whose the images are, they are the first images of other patients. ``most``: how many images at
    most, this one included. Raises ``ImageError``.
    """
    split = dataset.split("train")
    count = len(split.labels)
    if not 0 <= index < count:
        raise DatasetError(f"{dataset.info.title} has {count} training images; there is none at {index}.")
    patients = patient_numbers(dataset, "train")
    others = _one_each(patients, but=patients[index]) if patients is not None else np.delete(np.arange(count), index)
    indexes = np.sort(np.append(_spread(others, most - 1), index))
    pictures = np.stack([to_square(split.image(int(one)), size) for one in indexes])
    return Gallery(pictures, int(np.flatnonzero(indexes == index)[0]), by_patient=patients is not None)


def pictures_of_shape(dataset: Dataset, shape: tuple[int, int, int], *, most: int = 99) -> np.ndarray:
    """At most ``most`` training images, evenly spread over the split, squashed to ``shape`` (h, w, c), c = 1 or 3.

    uint8 (n, h, w, c); colour becomes grey (Rec. 601 luma) and grey three equal channels where ``shape`` asks for it.
    A gallery for a picture from elsewhere, one of each patient where it is known whose they are. Raises ``ImageError``.
    """
    split, patients = dataset.split("train"), patient_numbers(dataset, "train")
    indexes = np.arange(len(split.labels)) if patients is None else _one_each(patients)
    height, width, channels = shape
    mode = "L" if channels == 1 else "RGB"
    pictures = [
        np.asarray(split.image(int(one)).convert(mode).resize((width, height), Image.Resampling.BICUBIC))
        for one in _spread(indexes, most)
    ]
    return np.stack(pictures).reshape(-1, height, width, channels)


def _one_each(patients: np.ndarray, *, but: int | None = None) -> np.ndarray:
    """The first image of each patient but one; ``patients`` (n,) are numbered."""
    numbers, first = np.unique(patients, return_index=True)
    return np.sort(first[numbers != but] if but is not None else first)


def _spread(indexes: np.ndarray, most: int) -> np.ndarray:
    """At most ``most`` of them, at even distances."""
    return indexes[np.linspace(0, len(indexes) - 1, min(most, len(indexes))).astype(int)]
