"""What a dataset is, to everybody who reads, shows or trains on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from medpriv_core.patients import PatientCount

SplitName = Literal["train", "test"]


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a dataset that do not need its images."""

    name: str  # in the registry and in RunSpec.dataset, e.g. "chest_xray"
    title: str  # for people, e.g. "Chest X-rays, pneumonia"
    classes: tuple[str, ...]  # one plain name a label, in the order of the labels 0, 1, ...
    channels: Literal[1, 3]  # 1 = grey: noise is drawn once and copied to the network's three channels
    synthetic: bool  # drawn by a program, not taken from a patient
    source: str  # one sentence: where it comes from and under which licence
    ordered: bool = False  # the classes are grades of one disease
    trainable: bool = True  # False for a single picture that is only shown


class Split(Protocol):
    """One split, read lazily: nothing is decoded until an image is asked for."""

    @property
    def labels(self) -> np.ndarray:
        """int64, shape (n,)"""
        ...

    @property
    def ids(self) -> Sequence[str]:
        """A short name an image, for people (file name, id_code or number)."""
        ...

    def image(self, index: int) -> Image.Image:
        """The image at its own size, mode "L" (1 channel) or "RGB" (3); raises ``ImageError``."""
        ...


class Dataset(Protocol):
    """A dataset that is ready to be read."""

    @property
    def info(self) -> DatasetInfo: ...

    def split(self, name: SplitName) -> Split: ...

    def content_key(self) -> str:
        """A hexadecimal digest of the content: other images or labels, other key."""
        ...


@dataclass(frozen=True)
class PreparedSplit:
    """One split as arrays (memory-mapped, read-only)."""

    images: np.ndarray  # uint8, shape (n, image_size, image_size, channels)
    labels: np.ndarray  # int64, shape (n,)


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset converted once to square ``uint8`` images of one size."""

    info: DatasetInfo
    key: str  # content key of the dataset and image size
    image_size: int
    folder: Path
    train: PreparedSplit
    test: PreparedSplit
    patients: PatientCount | None = None  # of the training images, where names of files tell
