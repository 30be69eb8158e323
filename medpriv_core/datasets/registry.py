"""The registry: which datasets there are, and where on this machine the added ones lie.

Some are always there (the synthetic ones and one real photograph). The known real ones become
available when the user adds a folder or file by its path, or fetches one. What is kept is the path and a
few counts, in ``datasets.json`` under the data home; the user's own files are only ever read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from medpriv_core.datasets.aptos import Aptos2019
from medpriv_core.datasets.base import Dataset, DatasetInfo
from medpriv_core.datasets.catalog import ADDABLE, CHEST_XRAY, HOW_TO_ADD, IDRID, PNEUMONIAMNIST, RETINAMNIST
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.idrid import Idrid
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.medmnist import MedMnist
from medpriv_core.datasets.retina_photo import RetinaPhoto
from medpriv_core.datasets.synthetic import SYNTHETIC_DATASETS
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome, explain_disk_errors, read_json, write_json
from medpriv_core.locks import hold_lock
from medpriv_core.progress import ProgressCallback, no_progress


class AddedDataset(Dataset, Protocol):
    """A dataset read from the user's files."""

    def content_key(self, progress: ProgressCallback = no_progress) -> str: ...


@dataclass(frozen=True)
class DatasetEntry:
    """One line of the list of datasets."""

    info: DatasetInfo
    available: bool  # can be opened now
    location: str | None  # folder or file that was added; None for the embedded ones
    train_counts: tuple[int, ...] | None  # images of each class; None until the dataset is added
    test_counts: tuple[int, ...] | None
    problem: str | None  # why an added dataset is not available, and what to do
    how_to_add: str | None  # None for the embedded ones
    content: str | None = None  # content key of the images when they were last read

    @property
    def train(self) -> int | None:
        """Number of training images."""
        return None if self.train_counts is None else sum(self.train_counts)

    @property
    def test(self) -> int | None:
        """Number of test images."""
        return None if self.test_counts is None else sum(self.test_counts)


def dataset_names() -> list[str]:
    """All names, the embedded datasets first."""
    return [*_embedded(), *ADDABLE]


def dataset_info(name: str) -> DatasetInfo:
    """Facts about a dataset, added or not; raises ``DatasetError`` for an unknown name."""
    _check_known(name)
    return _embedded()[name].info if name in _embedded() else ADDABLE[name]


def dataset_title(name: str) -> str:
    """What a dataset is called on screen; its name, if this version does not know it."""
    try:
        return dataset_info(name).title
    except DatasetError:
        return name


def list_datasets(home: DataHome) -> list[DatasetEntry]:
    """Every known dataset, available or not; opens no image."""
    records = _read_registry(home)
    entries = [
        DatasetEntry(dataset.info, True, None, *_class_counts(dataset), None, None, _content(dataset))
        for dataset in _embedded().values()
    ]
    return entries + [_added_entry(name, records.get(name)) for name in ADDABLE]


def open_dataset(home: DataHome, name: str, *, progress: ProgressCallback = no_progress) -> Dataset:
    """The dataset, ready to be read; no image is decoded yet.

    Raises ``DatasetError`` if the name is unknown, or the dataset is not added, gone or no longer in order.
    """
    _check_known(name)
    if name in _embedded():
        return _embedded()[name]
    entry = _added_entry(name, _read_registry(home).get(name))
    if entry.location is None:
        raise DatasetError(f"The dataset {name} has not been added yet. {entry.how_to_add}")
    if entry.problem is not None:
        raise DatasetError(entry.problem)
    return _open_added(home, name, Path(entry.location), progress)


def add_dataset(
    home: DataHome, name: str, path: str | Path, *, progress: ProgressCallback = no_progress
) -> DatasetEntry:
    """Check the files at ``path`` by opening them as ``name``, and remember the place.

    Reads every file of a folder once for its fingerprint (``progress`` counts them). Adding again
    replaces the place. Raises ``DatasetError`` and changes nothing if the files are not in order.
    """
    _check_known(name)
    if name in _embedded():
        raise DatasetError(f"The dataset {name} is built in; it need not be added.")
    place = Path(path).expanduser().absolute()
    if not place.exists():
        raise DatasetError(f"There is no folder or file at {place}. Check the path.")
    home.check_writable()
    _read_registry(home)  # if it is damaged, say so before reading thousands of files
    dataset = _open_added(home, name, place, progress)
    content = dataset.content_key(progress)
    train_counts, test_counts = _class_counts(dataset)
    record = {"path": str(place), "train_counts": train_counts, "test_counts": test_counts, "content": content}
    with _changed_registry(home) as records:
        records[name] = record
    return _added_entry(name, record)


def content_of(home: DataHome, name: str) -> str:
    """The content key under which the dataset's images were last read, computed now if they never were.

    Reading the key of a folder anew looks at each of its files; a run that is started does so and remembers it. Raises
    ``DatasetError`` as ``open_dataset`` does.
    """
    _check_known(name)
    remembered = None if name in _embedded() else _read_registry(home).get(name, {}).get("content")
    if isinstance(remembered, str):
        return remembered
    key = open_dataset(home, name).content_key()
    remember_content(home, name, key)
    return key


def remember_content(home: DataHome, name: str, key: str) -> None:
    """Keep the content key that an added dataset's images have now."""
    record = _read_registry(home).get(name)
    if record is not None and record.get("content") != key:
        with _changed_registry(home) as records:
            if name in records:
                records[name]["content"] = key


def remove_dataset(home: DataHome, name: str) -> None:
    """Forget where a dataset lies; the user's files and the prepared arrays stay.

    Raises ``DatasetError`` if it was not added.
    """
    _check_known(name)
    with _changed_registry(home) as records:
        if name not in records:
            raise DatasetError(f"The dataset {name} was not added, so there is nothing to remove.")
        del records[name]


@cache
def _embedded() -> dict[str, Dataset]:
    photo = RetinaPhoto()
    return {**SYNTHETIC_DATASETS, photo.info.name: photo}


def _open_added(home: DataHome, name: str, path: Path, progress: ProgressCallback) -> AddedDataset:
    if name in (PNEUMONIAMNIST.name, RETINAMNIST.name):
        return MedMnist(ADDABLE[name], path)
    files = open_files(path, memory=home.fingerprints)
    if name == CHEST_XRAY.name:
        return ChestXray(files)
    return Idrid(files) if name == IDRID.name else Aptos2019(files, progress=progress)


def _check_known(name: str) -> None:
    if name not in dataset_names():
        raise DatasetError(f"There is no dataset {name!r}. Known: {', '.join(dataset_names())}.")


def _added_entry(name: str, record: dict[str, Any] | None) -> DatasetEntry:
    info = ADDABLE[name]
    if record is None:
        return DatasetEntry(info, False, None, None, None, None, HOW_TO_ADD[name])
    problem = None
    if not Path(record["path"]).exists():
        problem = (
            f"The dataset {name} was added from {record['path']}, but nothing is there any more. Put it back, or add "
            "the dataset again from where it is now."
        )
    return DatasetEntry(
        info=info,
        available=problem is None,
        location=record["path"],
        train_counts=tuple(record["train_counts"]),
        test_counts=tuple(record["test_counts"]),
        problem=problem,
        how_to_add=HOW_TO_ADD[name],
        content=record.get("content"),
    )


def _content(dataset: Dataset) -> str | None:
    """Of what is built in; a picture to look at is read only then."""
    return dataset.content_key() if dataset.info.trainable else None


def _class_counts(dataset: Dataset) -> tuple[tuple[int, ...], tuple[int, ...]]:
    classes = len(dataset.info.classes)
    train, test = (np.bincount(dataset.split(name).labels, minlength=classes) for name in ("train", "test"))
    return tuple(train.tolist()), tuple(test.tolist())


def _read_registry(home: DataHome) -> dict[str, dict[str, Any]]:
    with explain_disk_errors(home.root):
        records = read_json(home.registry)
        if records is None and not home.registry.exists():
            return {}
    try:
        for record in records.values():
            counts = [*record["train_counts"], *record["test_counts"]]
            if not isinstance(record["path"], str) or not all(isinstance(count, int) for count in counts):
                raise TypeError
    except (AttributeError, KeyError, TypeError) as error:
        raise DatasetError(
            f"The list of added datasets, {home.registry}, is damaged. Delete that file and add your datasets again."
        ) from error
    return records


@contextmanager
def _changed_registry(home: DataHome) -> Iterator[dict[str, dict[str, Any]]]:
    """The records, written back at the end; nobody else changes them meanwhile."""
    with hold_lock(home.registry.with_suffix(".lock")), explain_disk_errors(home.root):
        records = _read_registry(home)
        yield records
        write_json(home.registry, records)
