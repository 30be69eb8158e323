"""APTOS 2019: fundus photographs graded 0 to 4 for diabetic retinopathy.

``train.csv`` (``id_code,diagnosis``) and ``train_images/<id_code>.png``, as a folder or as Kaggle's zip.
The competition never published the grades of its test images, so the graded ones are split here: 80 % to
train on and 20 % to test, grade by grade, the same way on every machine.

Some photographs are in the set twice or more, byte for byte, a few of them under different grades. All
copies go to the same side: a test image that was trained on would measure memory, and a guarantee for
"one image" would mean little.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from medpriv_core.datasets.base import DatasetInfo, SplitName
from medpriv_core.datasets.catalog import APTOS2019
from medpriv_core.datasets.files import FileSource, FileSplit, content_key
from medpriv_core.datasets.graded_table import find_images, read_grades
from medpriv_core.errors import DatasetError
from medpriv_core.progress import ProgressCallback, no_progress

TEST_SHARE = 0.2


class Aptos2019:
    """The dataset ``aptos2019``; raises ``DatasetError`` if the csv or an image is missing or wrong."""

    info: DatasetInfo = APTOS2019

    def __init__(self, files: FileSource, *, progress: ProgressCallback = no_progress) -> None:
        table = _find_table(files)
        grades = read_grades(files.read(table), table, id_column="id_code", grade_column="diagnosis")
        folder = f"{table[: -len('train.csv')]}train_images/"
        names = find_images(files, folder, grades, table=table, suffix=".png")
        copies = _group_copies(files, names, progress)
        test = split_grades(grades, copies)
        if not test or len(test) == len(grades):
            raise DatasetError(
                f"{files.location} has too few images to split ({len(grades)}): at least one grade needs three or more."
            )
        sides: dict[SplitName, list[str]] = {
            "train": [id_ for id_ in grades if id_ not in test],
            "test": [id_ for id_ in grades if id_ in test],
        }
        self._splits = {
            side: FileSplit(
                files=files,
                names=[names[id_] for id_ in ids],
                ids=ids,
                labels=np.array([grades[id_] for id_ in ids], dtype=np.int64),
                channels=self.info.channels,
            )
            for side, ids in sides.items()
        }

    def split(self, name: SplitName) -> FileSplit:
        return self._splits[name]

    def content_key(self, progress: ProgressCallback = no_progress) -> str:
        return content_key(self.info.name, self._splits.values(), progress)


def split_grades(grades: dict[str, int], copies: Sequence[Sequence[str]]) -> set[str]:
    """The ids that go to the test side: a fifth of each grade (rounded), copies kept together.

    ``grades`` maps id to grade; ``copies`` partitions the ids. Groups are taken in the order of a hash of
    their first id, as long as no grade gets more than its fifth: chance, but the same on every machine.
    """
    room = {grade: round(TEST_SHARE * count) for grade, count in Counter(grades.values()).items()}
    test: set[str] = set()
    for group in sorted(copies, key=lambda ids: hashlib.sha256(min(ids).encode()).digest()):
        needed = Counter(grades[id_] for id_ in group)
        if all(room[grade] >= count for grade, count in needed.items()):
            test.update(group)
            for grade, count in needed.items():
                room[grade] -= count
    return test


def _find_table(files: FileSource) -> str:
    tables = [name for name in files.names if name.lower().rsplit("/", 1)[-1] == "train.csv"]
    if not tables:
        raise DatasetError(
            f"There is no train.csv in {files.location}. Give the folder or zip that holds train.csv and train_images."
        )
    return min(tables, key=lambda name: (name.count("/"), name))


def _group_copies(files: FileSource, names: dict[str, str], progress: ProgressCallback) -> list[list[str]]:
    """The ids in groups of equal file contents, most of them alone."""
    groups: dict[object, list[str]] = defaultdict(list)
    prints = files.fingerprints(list(names.values()), progress)
    for id_, fingerprint in zip(names, prints, strict=True):
        groups[fingerprint].append(id_)
    return list(groups.values())
