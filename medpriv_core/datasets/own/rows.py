"""What a layout says of each image of somebody's own dataset, before anything of it is interpreted."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from medpriv_core.datasets.base import SplitName
from medpriv_core.datasets.names import folded
from medpriv_core.datasets.report import LeftOut

# What a folder or a cell is called that says which split an image belongs to, ``folded``; None is validation.
SPLITS: dict[str, SplitName | None] = {
    **dict.fromkeys(("train", "training", "trainset", "trainingset", "traindata"), "train"),
    **dict.fromkeys(("test", "testing", "testset", "testingset", "testdata"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "validationset", "valset", "dev", "validate"), None),
}
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]0+)?")


@dataclass(frozen=True)
class Row:
    """One image.

    file     its name in the source of files
    label    as it is written, in the table or as the name of its folder; None where there is none
    split    as it is written; None where none is given
    patient  as it is written in table or header; it is never kept, the data home keeps a salted hash
    groups   one value for each subgroup column
    frame    of a file with several, counting from 0; None where the dataset says which
    """

    file: str
    label: str | None
    split: str | None = None
    patient: str | None = None
    groups: tuple[str, ...] = ()
    frame: int | None = None


@dataclass(frozen=True)
class Found:
    """What a reader of a layout found.

    left_out  of files and rows: every one that gives no image is counted under a reason
    notes     whole sentences
    columns   of a table: what was taken for what
    """

    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()


def split_of(text: str) -> tuple[bool, SplitName | None]:
    """Whether a text names a split, and which: None stands for validation.

    >>> split_of("Train_Set"), split_of("val"), split_of("NORMAL")
    ((True, 'train'), (True, None), (False, None))
    """
    name = folded(text)
    return name in SPLITS, SPLITS.get(name)


def label_key(text: str) -> str:
    """What is the same for two spellings of one label: case, blanks and signs between words do not count.

    >>> label_key(" No_DR "), label_key("no dr"), label_key("0.0"), label_key("0"), label_key("Stage 2")
    ('no dr', 'no dr', '0', '0', 'stage 2')
    """
    text = unicodedata.normalize("NFC", text).strip().strip("\"'").strip()
    if _NUMBER.fullmatch(text):
        return str(int(re.split("[.,]", text)[0]))
    return " ".join(re.split(r"[\s_\-]+", text.casefold())).strip()
