"""A table that names images and their classes: which column is what, and which file a row means.

Ids come with or without an ending, paths from somebody else's computer, in part or whole. A row is found by as much of
the end of its path as some image has, and then by looser spellings (``names.spellings``); what may be two images is an
error. Nothing is ever opened by a name from a table: only files that lie in the folder or zip are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from medpriv_core.datasets.graded_table import read_cells
from medpriv_core.datasets.names import composed, folded, spellings, without_suffix
from medpriv_core.datasets.own.rows import Found, Row, label_key, split_of
from medpriv_core.datasets.own.sheets import is_no_text, read_sheets
from medpriv_core.datasets.report import MOST_EXAMPLES, LeftOut
from medpriv_core.errors import DatasetError, UnclearTableError
from medpriv_core.printable import printable

MAX_TABLE_BYTES = 256 * 2**20
MAX_ROWS = 1_000_000
MOST_CLASSES = 100
_SAMPLE = 300
_TITLE_ROWS = 10
_MOST_GROUPS = 20

_FILE = (
    "idcode", "image", "imagename", "imageid", "imagefile", "imagepath", "imageindex", "filename", "filepath", "file",
    "path", "dicom", "dicomid", "sopinstanceuid", "sopuid", "uid", "studyinstanceuid", "id", "name",
)  # fmt: skip
_LABEL = (
    "label", "labels", "class", "classname", "target", "diagnosis", "level", "grade", "retinopathygrade", "drgrade",
    "finding", "findings", "findinglabels", "category", "severity", "dx", "y", "result", "outcome", "befund", "klasse",
)  # fmt: skip
_LABEL_WORDS = ("label", "class", "diagnos", "grad", "finding", "categor", "severity", "target")  # as "DR-Grad (0-4)"
_PATIENT = ("patientid", "patient", "patientnumber", "patientsid", "subjectid", "subject", "pid", "caseid", "personid",
            "patientennummer", "patientenid", "fallnummer")  # fmt: skip
_SPLIT = ("split", "set", "subset", "dataset", "partition", "usage", "phase", "fold")
_GROUPS = ("sex", "gender", "patientgender", "patientsex", "view", "viewposition", "site", "hospital", "machine",
           "manufacturer", "device", "ethnicity", "race", "agegroup", "geschlecht")  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """Which column of a table is what, by its name as the table has it; None where there is none, or it is guessed.

    ``groups`` are those of subgroups; None where they are guessed.
    """

    file: str | None = None
    label: str | None = None
    split: str | None = None
    patient: str | None = None
    groups: tuple[str, ...] | None = None

    def named(self) -> list[tuple[str, str]]:
        """Pairs of what it is taken for and the column."""
        pairs = [("file", self.file), ("label", self.label), ("split", self.split), ("patient", self.patient)]
        return [(kind, name) for kind, name in pairs if name] + [("group", name) for name in self.groups or ()]


@dataclass(frozen=True)
class Table:
    """A table in memory.

    file   the name of its file
    sheet  the name of its sheet, in a workbook with several
    """

    file: str
    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    sheet: str = ""

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"sheet {printable(self.sheet)} of {self.file}" if self.sheet else self.file

    def column(self, name: str) -> list[str]:
        """The cells of a column; rows that are too short have empty ones."""
        at = self.header.index(name)
        return [row[at] if at < len(row) else "" for row in self.rows]


def tables_in(data: bytes, file: str) -> list[Callable[[], Table]]:
    """The table in the bytes of a file, or one for each sheet with rows of a workbook, each made by a call.

    The calls, as this itself, raise ``DatasetError`` if there is none that can be read.
    """
    if not is_no_text(data):
        return [lambda: _table(read_cells(data, file, most_rows=MAX_ROWS + 1), file)]
    sheets = read_sheets(data, file, most_rows=MAX_ROWS + 1)
    if len(sheets) < 2:
        return [lambda: _table(_below_title(next(iter(sheets.values()), [])), file)]
    return [partial(_table, _below_title(cells), file, sheet) for sheet, cells in sheets.items()]


def _below_title(cells: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """The rows from the names of columns on: above these people write a title, alone in its row."""
    filled = [sum(map(bool, row)) for row in cells[:_TITLE_ROWS]]
    return cells[next((place for place, count in enumerate(filled) if count > 1), 0) :]


def _table(cells: Sequence[Sequence[str]], file: str, sheet: str = "") -> Table:
    name = Table(file, (), (), sheet).name
    if len(cells) < 2:
        raise DatasetError(f"{name} has no rows. Give a table with a header and a row for each image.")
    header = tuple(composed(cell) for cell in cells[0])
    twice = [cell for cell, count in Counter(header).items() if cell and count > 1]
    if twice:
        raise DatasetError(f"{name} has the column {printable(twice[0])} twice. Rename one of them.")
    return Table(file, header, cells[1:], sheet)


class Names:
    """Finds the image that a text from a table means."""

    def __init__(self, images: Iterable[str], more: Mapping[str, Sequence[str]] = {}) -> None:
        self._ends: dict[str, list[str]] = defaultdict(list)
        self._loose: dict[str, list[str]] = defaultdict(list)
        for image in images:
            parts = without_suffix(composed(image)).lower().split("/")
            for start in range(len(parts)):
                self._ends["/".join(parts[start:])].append(image)
            for spelling in set(spellings(image)[1:]):
                self._loose[spelling].append(image)
        self._more = more

    def means_all(self, text: str) -> bool:
        """Whether a text is the name of a study, series or patient in headers: all of its images are meant."""
        return text in self._more

    def of(self, text: str) -> Sequence[str]:
        """The images that the text may mean: one, none or several."""
        if text in self._more:
            return self._more[text]
        parts = without_suffix(composed(text.strip()).replace("\\", "/")).lower().strip("/").split("/")
        for start in range(len(parts)):
            found = self._ends.get("/".join(parts[start:]))
            if found:
                return found
        return next((found for spelling in spellings(text)[1:] if (found := self._loose.get(spelling))), ())


def guess_columns(table: Table, names: Names, given: Columns) -> Columns:
    """The columns, those that are not given guessed by their names and by what stands in them.

    Raises ``DatasetError`` for a column that the table does not have, and where images or labels cannot be told.
    """
    known = {name: name for name in table.header} | {folded(name): name for name in table.header}

    def chosen(name: str | None) -> str | None:
        if name is None:
            return None
        if (found := known.get(name) or known.get(folded(name))) is None:
            raise DatasetError(f"{table.name} has no column {printable(name)}. It has {_listed(table.header)}.")
        return found

    file, label, split, patient = map(chosen, (given.file, given.label, given.split, given.patient))
    groups = tuple(name for name in map(chosen, given.groups or ()) if name is not None)
    if file is None:
        file = _guess_file(table, names)
    taken = {file, label, split, patient, *groups}
    split = split or _guess_split(table, taken)
    patient = patient or _first(table, _PATIENT, taken | {split})
    label = label or _guess_label(table, taken | {split, patient})
    taken |= {split, patient, label}
    if given.groups is None:
        groups = tuple(
            name
            for name in table.header
            if name not in taken and folded(name) in _GROUPS and 1 < len(set(table.column(name))) <= _MOST_GROUPS
        )
    return Columns(file, label, split, patient, groups)


def read_rows(table: Table, columns: Columns, names: Names, *, role: str | None = None) -> Found:
    """The images that a table names; ``role`` is the split that all of it is for, where the table itself tells none.

    Raises ``DatasetError`` where it names no file that is there, what may mean two, or one image by two labels.
    """
    assert columns.file is not None
    assert columns.label is not None
    files, labels = table.column(columns.file), table.column(columns.label)
    splits = table.column(columns.split) if columns.split else [role or ""] * len(files)
    patients = table.column(columns.patient) if columns.patient else [""] * len(files)
    group_names = columns.groups or ()
    groups = list(zip(*(table.column(name) for name in group_names), strict=True)) or [()] * len(files)
    rows: dict[str, Row] = {}
    missing: list[str] = []
    unlabelled = repeated = unnamed = 0
    for text, label, split, patient, group in zip(files, labels, splits, patients, groups, strict=True):
        if not text:
            unnamed += 1
            continue
        found = names.of(text)
        if not found:
            missing.append(text)
            continue
        if not label:
            unlabelled += 1
            continue
        if len(found) > 1 and not names.means_all(text):
            found = _in_split(found, split)
            if len(found) > 1:
                raise DatasetError(
                    f"{table.name} names {printable(text)}, which may be {printable(found[0])} or "
                    f"{printable(found[1])}. Name the images with their folders, or leave one of them."
                )
        for file in found:
            row = Row(file, label, split or None, patient or None, tuple(group))
            before = rows.setdefault(file, row)
            if before is row:
                continue
            repeated += 1
            if label_key(str(before.label)) != label_key(label):
                raise DatasetError(
                    f"{table.name} gives the image {printable(file)} the labels {printable(str(before.label))} and "
                    f"{printable(label)}. Leave one row for each image."
                )
    if not rows:
        example = f", for example {printable(missing[0])}" if missing else ""
        raise DatasetError(
            f"{table.name} names no image that is there{example}. Give the folder or zip that holds its images, or "
            "name the column of their files (--file-column)."
        )
    left = [
        LeftOut("rows whose image is not there", len(missing), tuple(map(printable, missing[:MOST_EXAMPLES]))),
        LeftOut("rows without a label", unlabelled),
        LeftOut("rows that name an image again", repeated),
        LeftOut("rows without the name of an image", unnamed),
    ]
    return Found(
        tuple(rows.values()),
        tuple(one for one in left if one.count),
        group_names=group_names,
        columns=tuple(columns.named()),
    )


def merged(found: Sequence[Found]) -> Found:
    """What several tables of one dataset say, one for each split; raises ``DatasetError`` for an image in two."""
    rows = [row for one in found for row in one.rows]
    twice = next((name for name, count in Counter(row.file for row in rows).items() if count > 1), None)
    if twice is not None:
        raise DatasetError(f"Two tables name the image {printable(twice)}. An image belongs to one of them.")
    counts: dict[str, LeftOut] = {}
    for item in (item for one in found for item in one.left_out):
        before = counts.get(item.reason)
        counts[item.reason] = replace(item, count=item.count + (before.count if before else 0))
    return replace(found[0], rows=tuple(rows), left_out=tuple(counts.values()))


def _in_split(found: Sequence[str], split: str) -> Sequence[str]:
    """Of several images of one name those that lie in a folder of this split."""
    known, side = split_of(split)
    if not known:
        return found
    return [name for name in found if any(split_of(part) == (True, side) for part in name.split("/")[:-1])]


def _guess_file(table: Table, names: Names) -> str:
    best: tuple[float, int, str] | None = None
    for place, name in enumerate(table.header):
        cells = [cell for cell in table.column(name)[:_SAMPLE] if cell]
        if not cells or not name:
            continue
        share = sum(bool(names.of(cell)) for cell in cells) / len(cells)
        # A number may be somebody's file by chance; a column that is called so goes first.
        called = _FILE.index(folded(name)) if folded(name) in _FILE else len(_FILE) + place
        if share > 0 and len(set(cells)) > 1 and (best is None or (-share, called) < (-best[0], best[1])):
            best = (share, called, name)
    if best is None:
        raise UnclearTableError(
            f"No column of {table.name} names images that are there. It has {_listed(table.header)}. Give the folder "
            "or zip that holds its images, or name the column of their files (--file-column).",
            table.header,
            names_images=False,
        )
    return best[2]


def _guess_split(table: Table, taken: set[str | None]) -> str | None:
    for name in table.header:
        if name in taken or folded(name) not in _SPLIT:
            continue
        if all(split_of(cell)[0] for cell in set(table.column(name)) if cell):
            return name
    return None


def _guess_label(table: Table, taken: set[str | None]) -> str:
    free = [name for name in table.header if name and name not in taken]
    named = [name for wanted in _LABEL for name in free if folded(name) == wanted]
    few = [name for name in free if 1 < len({label_key(cell) for cell in table.column(name) if cell}) <= MOST_CLASSES]
    alike = [name for name in few if any(word in folded(name) for word in _LABEL_WORDS)]
    sure = (one for one in (alike, few) if len(one) == 1)
    # Last, what is called so and cannot be it: then the sentence is about its one label, or its thousand.
    candidates = [name for name in named if name in few] or next(sure, named[:1])
    if not candidates:
        raise UnclearTableError(
            f"It is not plain which column of {table.name} holds the classes: {_listed(few or free)}. Name it "
            "(--label-column).",
            table.header,
            names_images=True,
        )
    return candidates[0]


def _first(table: Table, called: Sequence[str], taken: set[str | None]) -> str | None:
    free = {folded(name): name for name in reversed(table.header) if name not in taken}
    return next((free[name] for name in called if name in free), None)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(printable(name)) for name in names[:12] if name)
    return f"{shown}, …" if len(names) > 12 else shown or "no columns"
