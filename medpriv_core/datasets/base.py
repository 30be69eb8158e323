"""What a dataset is, to everybody who reads, shows or trains on one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, Self

import numpy as np
from PIL import Image

from medpriv_core.home import DataHome
from medpriv_core.patients import PatientCount
from medpriv_core.pictures.reading import AS_USUAL, Reading
from medpriv_core.progress import ProgressCallback, no_progress

if TYPE_CHECKING:
    from medpriv_core.datasets.changes import Signature
    from medpriv_core.datasets.report import LeftOut

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
    reading: Reading = AS_USUAL  # how a file becomes a square


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


class AddedDataset(ABC):
    """A dataset read from the user's files, and all that the rest of the program asks of one.

    info        facts about it
    how_to_add  what the user has to have, in a sentence or two
    """

    info: ClassVar[DatasetInfo]
    how_to_add: ClassVar[str]

    @classmethod
    @abstractmethod
    def open(cls, home: DataHome, path: Path, progress: ProgressCallback = no_progress) -> Self:
        """The dataset in what lies at ``path``; raises ``DatasetError`` if that is not in order."""

    @classmethod
    def check_bytes(cls, home: DataHome, path: Path, *, added: str | None) -> None:
        """Raise ``DatasetError`` if what lies at ``path`` is damaged; ``added``: its ``digest`` when it was added.

        Of many files there is no digest, and nothing to do: ``files.py`` says how their content is known.
        """
        del home, path, added

    @staticmethod
    def patient_key(file_name: str) -> str | None:
        """What is the same for all images of a patient and different for others; None where the name does not tell."""
        del file_name
        return None

    def patients(self, name: SplitName) -> Sequence[str] | None:
        """Whose image each one of a split is: equal for all images of a patient, and different for others.

        None unless that is known of every image; here, from the names of their files.
        """
        keys = [self.patient_key(file_name) for file_name in self.split(name).ids]
        known = [key for key in keys if key is not None]
        return known if known and len(known) == len(keys) else None

    def groups(self, name: SplitName) -> Mapping[str, Sequence[str]]:
        """Groups in the data: what a column of groups is called -> the group of each image of a split, empty for none.

        Of what files or a table say, such as a sub-type of a disease; nothing about people unless a table says it.
        """
        del name
        return {}

    @abstractmethod
    def split(self, name: SplitName) -> Split:
        """One split, read lazily."""

    @abstractmethod
    def content_key(self, progress: ProgressCallback = no_progress) -> str:
        """See ``Dataset``."""

    @abstractmethod
    def left_out(self) -> list[LeftOut]:
        """What is there and not read, and why."""

    def notes(self) -> list[str]:
        """What else whoever adds it should know, in whole sentences."""
        return []

    @abstractmethod
    def check_pictures(self, progress: ProgressCallback) -> None:
        """Raise ``DatasetError`` if something that is called a picture is plainly something else."""

    @abstractmethod
    def picture_digests(self, name: SplitName, progress: ProgressCallback = no_progress) -> Sequence[object]:
        """Something for each image of a split that is equal for equal pictures, and unlike for others."""

    @abstractmethod
    def signature(self) -> Signature:
        """By which it can be told later, without reading anything, whether the files have changed."""

    def digest(self) -> str | None:
        """SHA-256 of the one file that it is read from; None where there are many."""
        return None


@dataclass(frozen=True)
class PreparedSplit:
    """One split as arrays (memory-mapped, read-only)."""

    images: np.ndarray  # uint8, shape (n, image_size, image_size, channels)
    labels: np.ndarray  # int64, shape (n,)
    patients: np.ndarray | None = None  # int64, shape (n,): whose each is, numbered from 0; None where not known of all


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
