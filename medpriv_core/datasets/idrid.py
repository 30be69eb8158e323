"""IDRiD: 516 fundus photographs of an Indian eye clinic, graded 0 to 4 for diabetic retinopathy.

Porwal et al. 2018 (doi 10.3390/data3030025) published them already split, 413 to train on and 103 to test,
and number each side from IDRiD_001 on: a name means an image only together with its side. Two layouts are
read, each as a folder or zip: ``train.csv`` and ``test.csv`` beside the folders ``train`` and ``test``, and
the archive "B. Disease Grading" as IEEE DataPort serves it; also with capitals, underscores or dots otherwise.

The split stays as published, so that figures compare with others'. In a copy shrunk to 385 x 256 pixels, six
photographs are there twice, byte for byte, three of them under two grades: five among the training images,
and one on both sides (IDRiD_118 to train on, IDRiD_064 to test). What is promised to "one image" covers one
of two copies; for both together, count two images a patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medpriv_core.datasets.base import DatasetInfo, SplitName
from medpriv_core.datasets.file_dataset import FileDataset
from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.files import FileSplit, inner_archives
from medpriv_core.datasets.graded_images import check_grade_folders, find_images
from medpriv_core.datasets.graded_table import DR_GRADES, MAX_TABLE_BYTES, read_grades, read_more
from medpriv_core.datasets.names import folded, is_image, without_suffix
from medpriv_core.datasets.report import LeftOut, unread
from medpriv_core.errors import DatasetError
from medpriv_core.printable import printable

SPLITS: tuple[SplitName, ...] = ("train", "test")
_OEDEMA = ("macularedemarisk", "riskofmacularedema", "riskofmacularoedema")  # ``folded``


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


class Idrid(FileDataset):
    """The dataset ``idrid``; raises ``DatasetError`` if a csv or an image is missing or wrong."""

    info = DatasetInfo(
        name="idrid",
        title="IDRiD, diabetic retinopathy",
        classes=DR_GRADES,
        channels=3,
        synthetic=False,
        source="Indian Diabetic Retinopathy Image Dataset, Porwal et al. 2018, fundus photographs of an eye clinic in "
        "Nanded, doi 10.3390/data3030025, CC BY 4.0.",
        ordered=True,
    )
    how_to_add = (
        'Download "B. Disease Grading" of the Indian Diabetic Retinopathy Image Dataset from IEEE DataPort and add the '
        "zip, or the folder with train.csv, test.csv, train and test."
    )

    def __init__(self, files: FileSource) -> None:
        self._files = files
        self._root, layout = _find_layout(files)
        self._tables: list[str] = []
        self._splits: dict[SplitName, FileSplit] = {}
        self._folders: list[str] = []
        self._risks: dict[SplitName, list[str]] = {}
        for side in SPLITS:
            table = _find_table(files, self._root, layout.tables[side])
            if table is None:
                raise DatasetError(
                    f"There is no {self._root}{layout.tables[side]} in {files.location}. Restore it: both the training "
                    "and the test images need their csv."
                )
            data, columns = files.read(table, MAX_TABLE_BYTES), {"id_column": layout.id_column}
            columns |= {"grade_column": layout.grade_column}
            grades = read_grades(data, table, **columns)
            risks = read_more(data, table, **columns, called=_OEDEMA)
            self._risks[side] = [risks.get(id_, "") for id_ in grades]
            folder = _find_folder(files, self._root, layout.folders[side])
            names = find_images(files, folder, grades, table=table, suffix=".jpg")
            check_grade_folders(names, grades, table=table)
            self._tables.append(table)
            self._folders.append(folder)
            self._splits[side] = FileSplit(
                files=files,
                names=list(names.values()),
                ids=[printable(without_suffix(name.rsplit("/", 1)[-1])) for name in names.values()],
                labels=np.array(list(grades.values()), dtype=np.int64),
                channels=self.info.channels,
            )

    def groups(self, name: SplitName) -> Mapping[str, Sequence[str]]:
        """See ``AddedDataset``: the risk of macular oedema, a second diagnosis in IDRiD's tables."""
        risks = [f"risk {risk}" if risk else "" for risk in self._risks[name]]
        return {"risk of macular oedema": risks} if any(risks) else {}

    def left_out(self) -> list[LeftOut]:
        """See ``AddedDataset``."""
        used = {name for split in self._splits.values() for name in split.names}
        return unread(self._files, used, tables=self._tables, why=self._why)

    def _why(self, name: str) -> str:
        if name.startswith(tuple(self._folders)):
            return "images that no row of the table grades"
        return "images in folders that belong to none of the tables read"


def _find_layout(files: FileSource) -> tuple[str, _Layout]:
    """The topmost root (empty, or ending in "/") below which either table of a layout lies, and that layout."""
    found: dict[tuple[str, int], str] = {}  # root and number of the layout -> a table of it
    tables = [name for name in files.names if name.lower().endswith(".csv")]
    for number, layout in enumerate(_LAYOUTS):
        for table in layout.tables.values():
            wanted = _folded(table)
            for name in tables:
                if _folded(name)[-len(wanted) :] == wanted:
                    root = "".join(f"{part}/" for part in name.split("/")[: -len(wanted)])
                    found.setdefault((root, number), name)
    if not found:
        raise DatasetError(
            f"There is no table of IDRiD's grades in {files.location}. Give the folder or zip that holds train.csv, "
            f'test.csv, train and test, or "1. Original Images" and "2. Groundtruths".{inner_archives(files)}'
        )
    depth = min(root.count("/") for root, _ in found)
    topmost = [place for place in found if place[0].count("/") == depth]
    if len(topmost) > 1:
        places = " and ".join(found[place] for place in topmost[:2])
        raise DatasetError(f"{files.location} holds IDRiD more than once ({places}). Give one of them.")
    root, number = topmost[0]
    return root, _LAYOUTS[number]


def _find_table(files: FileSource, root: str, table: str) -> str | None:
    """The file that is called like ``table`` below ``root``, whatever its capitals and signs."""
    there = [name for name in files.names if name.startswith(root) and _folded(name[len(root) :]) == _folded(table)]
    if len(there) > 1 and root + table not in there:
        raise DatasetError(f"{files.location} holds {there[0]} and {there[1]}. Leave one of them.")
    return root + table if root + table in there else next(iter(there), None)


def _find_folder(files: FileSource, root: str, folder: str) -> str:
    """The folder that is called like ``folder`` below ``root``; ``folder`` itself where there is none."""
    wanted = _folded(folder.rstrip("/"))
    there = {
        "".join(f"{part}/" for part in parts[: len(wanted)])
        for name in files.names
        if name.startswith(root)
        and is_image(name)
        and _folded("/".join((parts := name[len(root) :].split("/"))[:-1]))[: len(wanted)] == wanted
    }
    if len(there) > 1 and folder not in there:
        first, second = sorted(there)[:2]
        raise DatasetError(f"{files.location} holds {root}{first} and {root}{second}. Leave one of them.")
    return root + (folder if folder in there else next(iter(there), folder))


def _folded(path: str) -> list[str]:
    return [folded(part) for part in path.split("/")]
