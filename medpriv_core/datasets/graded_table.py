"""A table that grades images: one row an image, with its name and its grade.

Tables pass through spreadsheets on their way. They come with semicolons or tabs between the cells, in UTF-16 or an
alphabet of Windows, with headers in capitals, ids that end in ".png" and grades like "2.0" or "Moderate". All that is
read. A wrong label trains silently, though, so whatever could mean two things is an error that names its row.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from medpriv_core.datasets.file_source import MAX_FILES
from medpriv_core.datasets.names import folded
from medpriv_core.errors import DatasetError

DR_GRADES = ("No DR", "Mild", "Moderate", "Severe", "Proliferative")  # of diabetic retinopathy, 0 to 4
TABLE_SUFFIXES = (".csv", ".tsv", ".txt")
MAX_TABLE_BYTES = 32 * 1024**2
MAX_ROWS = MAX_FILES  # an image each
_LONGEST_HEADER = 64 * 1024

# How columns are called, ``folded``: APTOS 2019, EyePACS, IDRiD, and copies of them.
_ID_COLUMNS = ("idcode", "image", "imagename", "imageid", "imagefile", "imagepath", "filename", "file", "id", "name")
_GRADE_COLUMNS = (
    "diagnosis",
    "level",
    "retinopathygrade",
    "grade",
    "drgrade",
    "drlevel",
    "label",
    "class",
    "severity",
    "diagnosisgrade",
    "diabeticretinopathygrade",
    "target",
)

# Grades in words, ``folded``: the International Clinical Diabetic Retinopathy scale as people write it.
_GRADES: dict[str, int] = {
    **dict.fromkeys(("nodr", "no", "none", "normal", "healthy", "nodiabeticretinopathy", "noapparentretinopathy"), 0),
    **dict.fromkeys(("mild", "milddr", "mildnpdr", "mildnonproliferativedr"), 1),
    **dict.fromkeys(("moderate", "moderatedr", "moderatenpdr", "moderatenonproliferativedr"), 2),
    **dict.fromkeys(("severe", "severedr", "severenpdr", "severenonproliferativedr"), 3),
    **dict.fromkeys(("proliferative", "proliferate", "proliferativedr", "proliferatedr", "pdr"), 4),
    "proliferativediabeticretinopathy": 4,
}
_NUMBER = re.compile(r"(?:(?:grade|level|class|stage|dr)[ _-]*)?([0-4])(?:[.,]0+)?", re.IGNORECASE)
_NUMBER_AND_WORD = re.compile(r"([0-4])[ _.:-]+(.+)")

_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class GradeTable:
    """A table that was read."""

    name: str  # of its file
    grades: dict[str, int]  # id -> grade 0 to 4, in the order of the rows


def parse_grade(text: str) -> int | None:
    """The grade that a cell or folder stands for, 0 to 4; None if it is none.

    >>> [parse_grade(text) for text in ("2", " 3 ", "2.0", "Proliferate_DR", "No DR", "1 - Mild", "1.5", "5", "")]
    [2, 3, 2, 4, 0, 1, None, None, None]
    """
    text = text.strip().strip("\"'").strip()
    if number := _NUMBER.fullmatch(text):
        return int(number[1])
    if both := _NUMBER_AND_WORD.fullmatch(text):
        word = _GRADES.get(folded(both[2]))
        return word if word == int(both[1]) else None
    return _GRADES.get(folded(text))


def has_grades(data: bytes) -> bool:
    """Whether a table has a column of names, one of grades, and rows: a list of ungraded images has not."""
    try:
        rows = read_cells(data, "table")
        return len(rows) > 1 and _columns(rows[0], "table", "id_code", "diagnosis") is not None
    except DatasetError:
        return False


def read_grades(data: bytes, table: str, *, id_column: str, grade_column: str) -> dict[str, int]:
    """Id -> grade (0 to 4) of each row, in the order of the rows; empty rows and other columns do not count.

    ``data`` is the file, ``table`` its name in errors, and the columns are called as their publisher does. Raises
    ``DatasetError`` if it cannot be read, lacks a column, has no rows, lacks an id, has something else than a grade or
    an id twice, or knows one grade only.
    """
    rows = read_cells(data, table)
    if not rows:
        raise DatasetError(f"{table} is empty. Download it again.")
    header, *rows = rows
    id_at, grade_at = _columns(header, table, id_column, grade_column)
    if not rows:
        raise DatasetError(f"{table} has no rows. Download it again.")
    pairs = [(row[id_at], row[grade_at]) for row in (_pad(row, len(header)) for row in rows)]
    unnamed = [grade for id_, grade in pairs if not id_]
    if unnamed:
        raise DatasetError(
            f"{table} has a row with the {grade_column} {unnamed[0]!r} and no {id_column}{and_more(unnamed)}. Name "
            "its image or remove it."
        )
    wrong = [(id_, grade) for id_, grade in pairs if parse_grade(grade) is None]
    if wrong:
        id_, grade = wrong[0]
        raise DatasetError(
            f"{table} gives {id_} the {grade_column} {grade!r}{and_more(wrong)}; grades are whole numbers from 0 to 4, "
            "or their names (No DR, Mild, Moderate, Severe, Proliferative). Correct or remove it."
        )
    repeated = [id_ for id_, count in Counter(id_ for id_, _ in pairs).items() if count > 1]
    if repeated:
        raise DatasetError(f"{table} names {repeated[0]} more than once{and_more(repeated)}. Leave one row for each.")
    grades = {id_: parsed for id_, text in pairs if (parsed := parse_grade(text)) is not None}
    if len(set(grades.values())) == 1:
        raise DatasetError(f"{table} has images of one grade only, so there is nothing to tell apart.")
    return grades


def read_more(data: bytes, table: str, *, id_column: str, grade_column: str, called: Sequence[str]) -> dict[str, str]:
    """Id -> what another column says of it, of a table that ``read_grades`` reads; empty where there is no such column.

    ``called`` are names that the column may have, ``folded``.
    """
    header, *rows = read_cells(data, table)
    at = next((place for place, cell in enumerate(header) if folded(cell) in called), None)
    if at is None:
        return {}
    id_at, _ = _columns(header, table, id_column, grade_column)
    return {row[id_at]: row[at] for row in (_pad(row, len(header)) for row in rows)}


def and_more(offenders: Sequence[object]) -> str:
    """How many there are beside the first, in brackets; nothing if it is alone."""
    return f" (and {len(offenders) - 1:,} more like it)" if len(offenders) > 1 else ""


def _columns(header: Sequence[str], table: str, id_column: str, grade_column: str) -> tuple[int, int]:
    """Where ids and grades stand; raises ``DatasetError`` if that is not plain."""
    names = [folded(cell) for cell in header]
    found, missing = [], []
    for column, aliases in ((id_column, _ID_COLUMNS), (grade_column, _GRADE_COLUMNS)):
        there = [wanted for wanted in (folded(column), *aliases) if wanted in names]
        if not there:
            missing.append(column)
            continue
        rivals = [cell for cell in header if folded(cell) in (there if aliases is _GRADE_COLUMNS else there[:1])]
        if there[0] == folded(column):
            rivals = [cell for cell in header if folded(cell) == there[0]]
        if len(rivals) > 1:
            raise DatasetError(
                f"{table} has the columns {rivals[0]!r} and {rivals[1]!r}, which both may be the {column}. Leave one."
            )
        found.append(names.index(there[0]))
    if missing:
        raise DatasetError(
            f"{table} has no column {' and no column '.join(missing)}. It needs the columns {id_column} and "
            f"{grade_column}; it has {', '.join(repr(cell) for cell in header if cell)[:200] or 'none'}."
        )
    return found[0], found[1]


def read_cells(data: bytes, table: str, *, most_rows: int = MAX_ROWS) -> list[list[str]]:
    """The cells of each row that is not empty, without the blanks and quotes around them.

    ``table`` is what errors call it. Raises ``DatasetError`` for what is no table, or one of more rows.
    """
    if data.startswith(b"PK\x03\x04") or data.startswith(b"\xd0\xcf\x11\xe0"):
        raise DatasetError(f"{table} is a spreadsheet under another name. Save it as csv.")
    text = _decode(data)
    unreadable = DatasetError(f"{table} is not a readable csv file. Save it as csv in UTF-8, or download it again.")
    if re.search(r"[\x00-\x08\x0e-\x1f]", text):
        raise unreadable
    told = re.match(r'\s*"?sep=(.)"?[ \t]*(?:\r\n|\r|\n)', text, re.IGNORECASE)  # Excel's own word for it
    if told:
        text = text[told.end() :]
    separator = told[1] if told else _separator(text)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True):
            cells = [cell.strip().strip("\"'").strip() for cell in row]
            if any(cells):
                rows.append(cells)
            if len(rows) > most_rows:
                raise DatasetError(
                    f"{table} has more than {most_rows:,} rows, more than there can be images. Shorten it."
                )
    except (csv.Error, ValueError, TypeError) as error:  # the last two: a sign that cannot stand between cells
        raise unreadable from error
    return rows


def _decode(data: bytes) -> str:
    for mark, encoding in _ENCODINGS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if data[1:2] == b"\0" and data[:1] != b"\0":  # UTF-16 whose mark was lost
        return data.decode("utf-16-le", errors="replace")
    if data[:1] == b"\0" and data[1:2] != b"\0":
        return data.decode("utf-16-be", errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _separator(text: str) -> str:
    """The sign between the cells of the header."""
    first = len(text) - len(text.lstrip())
    begin = max(text.rfind("\n", 0, first), text.rfind("\r", 0, first)) + 1
    header = next(iter(text[begin : begin + _LONGEST_HEADER].splitlines()), "")
    return max(",;\t|", key=lambda sign: (header.count(sign), sign == ","))


def _pad(row: list[str], length: int) -> list[str]:
    return row + [""] * (length - len(row))
