"""APTOS 2019: fundus photographs graded 0 to 4 for diabetic retinopathy.

``train.csv`` (``id_code,diagnosis``) and ``train_images/<id_code>.png``, as a folder or as Kaggle's zip. The
competition never published the grades of its test images, so the graded ones are split here: 80 % to train on and 20 %
to test, grade by grade, the same way on every machine.

Most people have it as somebody uploaded it again: photographs shrunk and sorted by grade (``colored_images/Mild``), a
split in three tables (``train_1.csv``, ``valid.csv``, ``test.csv``), or beside the images of 2015
(``trainLabels19.csv`` and ``resized train 19``). A split that comes with grades is kept; images for validation join the
training images.

Some photographs are in the set twice or more, byte for byte, a few of them under different grades. Where the split is
made here, all copies go to the same side: a test image that was trained on would measure memory, and a guarantee for
"one image" would mean little.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from medpriv_core.datasets.base import DatasetInfo, SplitName
from medpriv_core.datasets.file_dataset import FileDataset
from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.files import FileSplit, open_files
from medpriv_core.datasets.graded_layout import GradedImages, find_graded
from medpriv_core.datasets.graded_table import DR_GRADES
from medpriv_core.datasets.report import LeftOut, unread
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome
from medpriv_core.printable import printable
from medpriv_core.progress import ProgressCallback, no_progress

TEST_SHARE = 0.2
_EYEPACS = re.compile(r"\d+_(left|right)")


class Aptos2019(FileDataset):
    """The dataset ``aptos2019``; raises ``DatasetError`` if the csv or an image is missing or wrong."""

    info = DatasetInfo(
        name="aptos2019",
        title="APTOS 2019, diabetic retinopathy",
        classes=DR_GRADES,
        channels=3,
        synthetic=False,
        source="APTOS 2019 Blindness Detection, fundus photographs of Aravind Eye Hospital; Kaggle's competition "
        "rules.",
        ordered=True,
    )
    how_to_add = (
        "Download the data of the APTOS 2019 Blindness Detection competition from Kaggle and add the zip, or the "
        "folder with train.csv and train_images; copies that were shrunk, sorted by grade or split will do too."
    )

    @classmethod
    def open(cls, home: DataHome, path: Path, progress: ProgressCallback = no_progress) -> Self:
        """See ``AddedDataset``; looking for copies takes a while."""
        return cls(open_files(path, memory=home.fingerprints, progress=progress), progress=progress)

    def __init__(self, files: FileSource, *, progress: ProgressCallback = no_progress) -> None:
        self._files = files
        self._found = found = find_graded(files)
        if found.test:
            sides: dict[SplitName, Sequence[str]] = {"train": found.train, "test": found.test}
        else:
            grades = {name: found.grades[name] for name in found.train}
            ids = {found.ids[name]: name for name in found.train}
            copies = _group_copies(files, ids, progress)
            test = split_grades({id_: grades[name] for id_, name in ids.items()}, copies)
            if not test or len(test) == len(ids):
                raise DatasetError(
                    f"{files.location} has too few images to split ({len(ids)}): at least one grade needs three or "
                    "more."
                )
            sides = {
                "train": [name for id_, name in ids.items() if id_ not in test],
                "test": [name for id_, name in ids.items() if id_ in test],
            }
        self._splits = {
            side: FileSplit(
                files=files,
                names=list(names),
                ids=[printable(found.ids[name]) for name in names],
                labels=np.array([found.grades[name] for name in names], dtype=np.int64),
                channels=self.info.channels,
            )
            for side, names in sides.items()
        }

    def left_out(self) -> list[LeftOut]:
        """See ``AddedDataset``."""
        found = self._found
        return unread(self._files, found.grades, tables=found.tables, why=lambda name: _why(found, name))

    def notes(self) -> list[str]:
        """See ``AddedDataset``."""
        notes = []
        if self._found.test:
            notes.append("The split into training and test images is the one that came with the files.")
        if self._found.sorted_by_grade:
            notes.append("There is no table: the folders' names are taken for the grades.")
        ids = [id_ for split in self._splits.values() for id_ in split.ids]
        if sum(_EYEPACS.fullmatch(id_) is not None for id_ in ids) > len(ids) / 2:
            notes.append(
                "The images are called like those of EyePACS (Kaggle 2015), two eyes a patient, and not like those of "
                "APTOS 2019: check that this is what you meant to add."
            )
        return notes


def split_grades(grades: dict[str, int], copies: Sequence[Sequence[str]]) -> set[str]:
    """The ids that go to the test side: a fifth of each grade (rounded), copies kept together.

    ``grades`` maps id to grade; ``copies`` partitions the ids. Groups are taken in the order of a hash of
    their first id, as long as no grade gets more than its fifth: chance, but the same on every machine.
    """
    room = {grade: round(TEST_SHARE * count) for grade, count in Counter(grades.values()).items()}
    test: set[str] = set()
    for group in sorted(copies, key=lambda ids: hashlib.sha256(printable(min(ids)).encode()).digest()):
        needed = Counter(grades[id_] for id_ in group)
        if all(room[grade] >= count for grade, count in needed.items()):
            test.update(group)
            for grade, count in needed.items():
                room[grade] -= count
    return test


def _group_copies(files: FileSource, names: dict[str, str], progress: ProgressCallback) -> list[list[str]]:
    """The ids in groups of equal file contents, most of them alone."""
    groups: dict[object, list[str]] = defaultdict(list)
    prints = files.fingerprints(list(names.values()), progress)
    for id_, fingerprint in zip(names, prints, strict=True):
        groups[fingerprint].append(id_)
    return list(groups.values())


def _why(found: GradedImages, name: str) -> str:
    if name.startswith(tuple(found.folders)):
        return "images that no row of the table grades"
    return "images in folders that belong to none of the tables read"
