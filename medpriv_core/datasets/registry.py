"""The registry: which datasets there are, and where on this machine the added ones lie.

Some are always there (the synthetic ones and one real photograph). The known real ones become
available when the user adds a folder or file by its path, or fetches one. What is kept is the path, a few counts and
what adding reported, in ``datasets.json`` under the data home; the user's own files are only ever read.

A guarantee needs the number of images that a run will really see. So the counts of the list are those of now: where
the file system says that something changed since the dataset was added (``changes.py``), it is opened and counted
again, and the entry says so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medpriv_core.datasets.added import changed_added, read_added
from medpriv_core.datasets.base import AddedDataset, Dataset, DatasetInfo
from medpriv_core.datasets.catalog import ADDABLE, BUILT_IN, readers
from medpriv_core.datasets.changes import Signature, is_unchanged, sign, sign_files
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.patients import patients_of
from medpriv_core.datasets.report import AddReport, as_record, count_copies, from_record
from medpriv_core.errors import DatasetError, MedprivError
from medpriv_core.given_paths import find_place
from medpriv_core.home import DataHome, data_home
from medpriv_core.patients import PatientCount, count_records, patient_facts, recorded_patients
from medpriv_core.printable import printable
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.spec import RunSpec

UNREAD = ""  # no content has this key


@dataclass(frozen=True)
class DatasetEntry:
    """One line of the list of datasets."""

    info: DatasetInfo
    available: bool  # can be opened now
    location: str | None  # folder or file that was added, as text for people; None for the embedded ones
    train_counts: tuple[int, ...] | None  # images of each class, now; None until the dataset is added
    test_counts: tuple[int, ...] | None
    problem: str | None  # why an added dataset is not available, and what to do
    how_to_add: str | None  # None for the embedded ones
    content: str | None = None  # content key of the images when they were last read; UNREAD where they changed since
    changed: str | None = None  # that other images are there than when it was added, in a sentence
    report: AddReport | None = None  # of the day it was added; None for the embedded, or where it was not kept
    patients: PatientCount | None = None  # of the training images; None where names of files do not tell

    @property
    def train(self) -> int | None:
        """Number of training images."""
        return None if self.train_counts is None else sum(self.train_counts)

    def records(self, spec: RunSpec) -> int:
        """How many records a run draws from, n; raises ``SettingError`` for patients that nobody knows."""
        return count_records(spec, images=self.train or 0, patients=self.patients, dataset=self.info.title)

    @property
    def test(self) -> int | None:
        """Number of test images."""
        return None if self.test_counts is None else sum(self.test_counts)


def dataset_names(home: DataHome | None = None) -> list[str]:
    """All names, the embedded datasets first, the user's own last; by default of the data home of this process."""
    return [*BUILT_IN, *readers(home or data_home())]


def dataset_info(name: str, home: DataHome | None = None) -> DatasetInfo:
    """Facts about a dataset, added or not; raises ``DatasetError`` for an unknown name.

    Of the user's own, that in ``home``, by default the data home of this process: which dataset a run was trained on is
    asked wherever runs are shown.
    """
    if name in BUILT_IN:
        return BUILT_IN[name].info
    reader = ADDABLE.get(name) or _reader(home or data_home(), name)
    return reader.info


def dataset_title(name: str) -> str:
    """What a dataset is called on screen; its name, if this version does not know it."""
    try:
        return dataset_info(name).title
    except DatasetError:
        return name


def list_datasets(home: DataHome) -> list[DatasetEntry]:
    """Every known dataset, available or not; opens no image."""
    records = read_added(home)
    entries = [
        DatasetEntry(
            dataset.info,
            True,
            None,
            *_class_counts(dataset),
            None,
            None,
            _content(dataset),
            patients=patients_of(dataset),
        )
        for dataset in BUILT_IN.values()
    ]
    return entries + [_entry_now(home, name, records.get(name)) for name in readers(home)]


def open_dataset(home: DataHome, name: str, *, progress: ProgressCallback = no_progress) -> Dataset:
    """The dataset, ready to be read; no image is decoded yet.

    Raises ``DatasetError`` if the name is unknown, or the dataset is not added, gone or no longer in order.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    reader, record = _reader(home, name), read_added(home).get(name)
    if record is None:
        raise DatasetError(f"The dataset {name} has not been added yet. {reader.how_to_add}")
    if (problem := _added_entry(home, name, record).problem) is not None:
        raise DatasetError(problem)
    place = Path(record["path"])
    added = record.get("sha256")
    if added and not (isinstance(record.get("signature"), dict) and is_unchanged(place, record["signature"])):
        added = None
    reader.check_bytes(home, place, added=added)
    return reader.open(home, place, progress)


def add_dataset(
    home: DataHome, name: str, path: str | Path, *, progress: ProgressCallback = no_progress
) -> DatasetEntry:
    """Check the files at ``path`` by opening them as ``name``, and remember the place.

    ``path`` may be written as people copy it (``given_paths.find_place``). Reads every file of a folder once for its
    fingerprint (``progress`` counts them). Adding again replaces the place. The entry's report says what was left out,
    with names of some files. Raises ``DatasetError`` and changes nothing if the files are not in order.
    """
    if name in BUILT_IN:
        raise DatasetError(f"The dataset {name} is built in; it need not be added.")
    reader, place = _reader(home, name), find_place(path)
    home.check_writable()
    read_added(home)  # if it is damaged, say so before reading thousands of files
    dataset = reader.open(home, place, progress)
    signature = dataset.signature()
    dataset.check_pictures(progress)
    content = dataset.content_key(progress)
    report = AddReport(
        left_out=tuple(dataset.left_out()),
        copies=count_copies(dataset.picture_digests("train", progress), dataset.picture_digests("test", progress)),
        notes=tuple(dataset.notes()),
    )
    train_counts, test_counts = _class_counts(dataset)
    record: dict[str, Any] = {
        "path": str(place),
        "train_counts": train_counts,
        "test_counts": test_counts,
        "content": content,
        "signature": signature,
        "sha256": dataset.digest(),
        "report": as_record(report),
        **patient_facts(patients_of(dataset)),
    }
    with changed_added(home) as records:
        records[name] = record
    return replace(_added_entry(home, name, record), report=report)


def refresh_dataset(home: DataHome, name: str, *, progress: ProgressCallback = no_progress) -> DatasetEntry:
    """Add a dataset again from where it lies, so that the images of now are those that it was added with.

    Raises ``DatasetError`` if it was not added or is not in order.
    """
    record = read_added(home).get(name)
    if record is None:
        raise DatasetError(f"The dataset {name} was not added, so there is nothing to add again.")
    return add_dataset(home, name, record["path"], progress=progress)


def change_notice(home: DataHome, name: str) -> str | None:
    """The sentence for whoever is about to train on images that are not those that were added; None if they are.

    Raises ``DatasetError`` if the list of datasets is damaged.
    """
    return _entry_now(home, name, read_added(home).get(name)).changed if name not in BUILT_IN else None


def content_of(home: DataHome, name: str) -> str:
    """The content key under which the dataset's images were last read, computed now if they never were.

    Reading the key of a folder anew looks at each of its files; a run that is started does so and remembers it. Raises
    ``DatasetError`` as ``open_dataset`` does.
    """
    record = {} if name in BUILT_IN else read_added(home).get(name, {})
    remembered = record.get("content")
    look = _changed_look(home, name, record) if isinstance(remembered, str) and "signature" in record else None
    if isinstance(remembered, str) and (look is None or look.counts is None):
        return remembered
    if look is not None and (known := _CONTENTS.get((home.root, name))) is not None and known[0] == look.signature:
        return known[1]
    key = open_dataset(home, name).content_key()
    remember_content(home, name, key)
    if look is not None:
        _CONTENTS[home.root, name] = (look.signature, key)
    return key


def remember_content(home: DataHome, name: str, key: str) -> None:
    """Keep the content key that an added dataset's images have now."""
    record = read_added(home).get(name)
    if record is not None and record.get("content") != key:
        with changed_added(home) as records:
            if name in records:
                records[name]["content"] = key


def remove_dataset(home: DataHome, name: str) -> None:
    """Forget where a dataset lies; the user's files and the prepared arrays stay.

    Raises ``DatasetError`` if it was not added.
    """
    if name in BUILT_IN:
        raise DatasetError(f"The dataset {name} is built in and cannot be removed.")
    _reader(home, name)
    with changed_added(home) as records:
        if name not in records:
            raise DatasetError(f"The dataset {name} was not added, so there is nothing to remove.")
        del records[name]


def _reader(home: DataHome, name: str) -> type[AddedDataset]:
    known = readers(home)
    if name not in known:
        raise DatasetError(f"There is no dataset {name!r}. Known: {', '.join([*BUILT_IN, *known])}.")
    return known[name]


def _added_entry(home: DataHome, name: str, record: dict[str, Any] | None) -> DatasetEntry:
    reader = _reader(home, name)
    info, how_to_add = reader.info, reader.how_to_add
    if record is None:
        return DatasetEntry(info, False, None, None, None, None, how_to_add)
    problem = None
    if not os.path.exists(record["path"]):
        problem = (
            f"The dataset {name} was added from {printable(record['path'])}, but nothing is there any more. Put it "
            "back, or add the dataset again from where it is now."
        )
    return DatasetEntry(
        info=info,
        available=problem is None,
        location=printable(record["path"]),
        train_counts=tuple(record["train_counts"]),
        test_counts=tuple(record["test_counts"]),
        problem=problem,
        how_to_add=how_to_add,
        content=record.get("content"),
        report=from_record(record.get("report")),
        patients=recorded_patients(record),
    )


def _content(dataset: Dataset) -> str | None:
    """Of what is built in; a picture to look at is read only then."""
    return dataset.content_key() if dataset.info.trainable else None


@dataclass(frozen=True)
class _Look:
    """What was found when the changed files of a dataset were last opened."""

    path: str
    signature: Signature
    counts: tuple[tuple[int, ...], tuple[int, ...]] | None
    problem: str | None
    patients: PatientCount | None = None


# Per data home and name. Pages ask on every click, and only a change is worth opening the files for.
_LOOKS: dict[tuple[Path, str], _Look] = {}
_CONTENTS: dict[tuple[Path, str], tuple[Signature, str]] = {}  # with the content key that belongs to a look


def _entry_now(home: DataHome, name: str, record: dict[str, Any] | None) -> DatasetEntry:
    """The entry with the counts of now."""
    entry = _added_entry(home, name, record)
    if record is None or not entry.available:
        return entry
    look = _changed_look(home, name, record)
    if look is None:
        return entry
    if "signature" in record:
        # What was remembered may be of the images that were there before, also where as many are there now.
        signed, key = _CONTENTS.get((home.root, name), (None, UNREAD))
        entry = replace(entry, content=key if signed == look.signature else UNREAD)
    entry = replace(entry, patients=look.patients)
    if look.counts is None:
        return replace(entry, available=False, problem=look.problem)
    train_counts, test_counts = look.counts
    counted = replace(entry, train_counts=train_counts, test_counts=test_counts)
    if (counted.train_counts, counted.test_counts) == (entry.train_counts, entry.test_counts):
        return entry
    return replace(
        counted,
        changed=f"The files of {entry.info.title} changed since it was added: {counted.train:,} training and "
        f"{counted.test:,} test images are there now, {entry.train:,} and {entry.test:,} were then. What is shown and "
        "trained counts those of now. If that is intended, add the dataset again.",
    )


def _changed_look(home: DataHome, name: str, record: dict[str, Any]) -> _Look | None:
    """What is in an added place now; None if that is what was there when it was added."""
    place = Path(record["path"])
    added = record.get("signature")  # None where an earlier version added it
    if isinstance(added, dict) and added and is_unchanged(place, added):
        return None
    look = _LOOKS.get((home.root, name))
    if look is None or look.path != record["path"] or not is_unchanged(place, look.signature):
        look = _LOOKS[home.root, name] = _look(home, name, place)
    return look


def _look(home: DataHome, name: str, place: Path) -> _Look:
    try:
        dataset = _reader(home, name).open(home, place)
        return _Look(str(place), dataset.signature(), _class_counts(dataset), None, patients_of(dataset))
    except MedprivError as error:
        return _Look(str(place), _sign_unopened(place), None, str(error))


def _sign_unopened(place: Path) -> Signature:
    """Of files that cannot be opened as the dataset they were."""
    try:
        return sign_files(open_files(place))
    except MedprivError:
        return sign(place, ["."])


def _class_counts(dataset: Dataset) -> tuple[tuple[int, ...], tuple[int, ...]]:
    classes = len(dataset.info.classes)
    train, test = (np.bincount(dataset.split(name).labels, minlength=classes) for name in ("train", "test"))
    return tuple(train.tolist()), tuple(test.tolist())
