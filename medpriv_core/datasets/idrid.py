"""IDRiD: 516 fundus photographs of an Indian eye clinic, graded 0 to 4 for diabetic retinopathy.

Porwal et al. 2018 (doi 10.3390/data3030025) published them already split, 413 to train on and 103 to test,
and number each side from IDRiD_001 on: a name means an image only together with its side. Two layouts are
read, each as a folder or zip: ``train.csv`` and ``test.csv`` beside the folders ``train`` and ``test``, and
the archive "B. Disease Grading" as IEEE DataPort serves it.

The split stays as published, so that figures compare with others'. In a copy shrunk to 385 x 256 pixels, six
photographs are there twice, byte for byte, three of them under two grades: five among the training images,
and one on both sides (IDRiD_118 to train on, IDRiD_064 to test). What is promised to "one image" covers one
of two copies; for both together, count two images a patient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.datasets.base import DatasetInfo, SplitName
from medpriv_core.datasets.catalog import IDRID
from medpriv_core.datasets.files import FileSource, FileSplit, content_key
from medpriv_core.datasets.graded_table import find_images, read_grades
from medpriv_core.errors import DatasetError
from medpriv_core.progress import ProgressCallback, no_progress

SPLITS: tuple[SplitName, ...] = ("train", "test")


@dataclass(frozen=True)
class _Layout:
    """Where tables and images lie below the root, and what the columns are called."""

    tables: dict[SplitName, str]
    folders: dict[SplitName, str]
    id_column: str
    grade_column: str


_LAYOUTS = (
    _Layout(
        tables={"train": "train.csv", "test": "test.csv"},
        folders={"train": "train/", "test": "test/"},
        id_column="image",
        grade_column="retinopathy_grade",
    ),
    _Layout(
        tables={
            "train": "2. Groundtruths/a. IDRiD_Disease Grading_Training Labels.csv",
            "test": "2. Groundtruths/b. IDRiD_Disease Grading_Testing Labels.csv",
        },
        folders={
            "train": "1. Original Images/a. Training Set/",
            "test": "1. Original Images/b. Testing Set/",
        },
        id_column="Image name",
        grade_column="Retinopathy grade",
    ),
)


class Idrid:
    """The dataset ``idrid``; raises ``DatasetError`` if a csv or an image is missing or wrong."""

    info: DatasetInfo = IDRID

    def __init__(self, files: FileSource) -> None:
        root, layout = _find_layout(files)
        self._splits: dict[SplitName, FileSplit] = {}
        for side in SPLITS:
            table = root + layout.tables[side]
            if table not in files.names:
                raise DatasetError(
                    f"There is no {table} in {files.location}. Restore it: both the training and the test images "
                    "need their csv."
                )
            grades = read_grades(files.read(table), table, id_column=layout.id_column, grade_column=layout.grade_column)
            names = find_images(files, root + layout.folders[side], grades, table=table, suffix=".jpg")
            self._splits[side] = FileSplit(
                files=files,
                names=list(names.values()),
                ids=list(names),
                labels=np.array(list(grades.values()), dtype=np.int64),
                channels=self.info.channels,
            )

    def split(self, name: SplitName) -> FileSplit:
        return self._splits[name]

    def content_key(self, progress: ProgressCallback = no_progress) -> str:
        return content_key(self.info.name, self._splits.values(), progress)


def _find_layout(files: FileSource) -> tuple[str, _Layout]:
    """The topmost root (empty, or ending in "/") below which either table of a layout lies, and that layout."""
    found: dict[tuple[str, int], str] = {}  # root and number of the layout -> a table of it
    for number, layout in enumerate(_LAYOUTS):
        for table in layout.tables.values():
            for name in files.names:
                if f"/{name}".endswith(f"/{table}"):
                    found.setdefault((name.removesuffix(table), number), name)
    if not found:
        raise DatasetError(
            f"There is no table of IDRiD's grades in {files.location}. Give the folder or zip that holds train.csv, "
            'test.csv, train and test, or "1. Original Images" and "2. Groundtruths".'
        )
    depth = min(root.count("/") for root, _ in found)
    topmost = [place for place in found if place[0].count("/") == depth]
    if len(topmost) > 1:
        places = " and ".join(found[place] for place in topmost[:2])
        raise DatasetError(f"{files.location} holds IDRiD more than once ({places}). Give one of them.")
    root, number = topmost[0]
    return root, _LAYOUTS[number]
