"""A csv that grades images, and the images that it names.

Collections of fundus photographs come as a table with one row an image (its name without the suffix, its
grade) beside a folder of files. Tables pass through spreadsheets and lose rows, gain empty ones or end up
beside other images; a wrong label trains silently, so every disagreement is an error that names its row.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence

from medpriv_core.datasets.files import FileSource, is_image
from medpriv_core.errors import DatasetError

_GRADES = ("0", "1", "2", "3", "4")


def read_grades(data: bytes, table: str, *, id_column: str, grade_column: str) -> dict[str, int]:
    """Id -> grade (0 to 4) of each row, in the order of the rows; empty rows and other columns do not count.

    ``data`` is the csv in UTF-8 and ``table`` its name in errors. Raises ``DatasetError`` if it cannot be
    read, lacks a column, has no rows, lacks an id, has a grade outside 0..4 or an id twice, or knows one
    grade only.
    """
    rows = _read_rows(data, table)
    if not rows:
        raise DatasetError(f"{table} is empty. Download it again.")
    header, *rows = rows
    missing = [column for column in (id_column, grade_column) if column not in header]
    if missing:
        raise DatasetError(
            f"{table} has no column {' and no column '.join(missing)}. It needs the columns {id_column} and "
            f"{grade_column}."
        )
    if not rows:
        raise DatasetError(f"{table} has no rows. Download it again.")
    id_at, grade_at = header.index(id_column), header.index(grade_column)
    pairs = [(row[id_at], row[grade_at]) for row in (_pad(row, len(header)) for row in rows)]
    unnamed = [grade for id_, grade in pairs if not id_]
    if unnamed:
        raise DatasetError(
            f"{table} has a row with the {grade_column} {unnamed[0]!r} and no {id_column}{and_more(unnamed)}. Name "
            "its image or remove it."
        )
    wrong = [(id_, grade) for id_, grade in pairs if grade not in _GRADES]
    if wrong:
        id_, grade = wrong[0]
        raise DatasetError(
            f"{table} gives {id_} the {grade_column} {grade!r}{and_more(wrong)}; grades are whole numbers from 0 to 4. "
            "Correct or remove it."
        )
    repeated = [id_ for id_, count in Counter(id_ for id_, _ in pairs).items() if count > 1]
    if repeated:
        raise DatasetError(f"{table} names {repeated[0]} more than once{and_more(repeated)}. Leave one row for each.")
    grades = {id_: int(grade) for id_, grade in pairs}
    if len(set(grades.values())) == 1:
        raise DatasetError(f"{table} has images of one grade only, so there is nothing to tell apart.")
    return grades


def find_images(files: FileSource, folder: str, ids: Iterable[str], *, table: str, suffix: str) -> dict[str, str]:
    """Id -> name of its image file in ``folder`` (which ends in "/"), in the order of ``ids``.

    ``suffix`` (".png") is what the publisher's files end in; errors use it, and any image suffix will do.
    Raises ``DatasetError`` if the folder has no images, or not exactly one for each id.
    """
    by_id: dict[str, list[str]] = {}
    for name in files.names:
        if name.startswith(folder) and is_image(name):
            by_id.setdefault(name[len(folder) :].rsplit(".", 1)[0], []).append(name)
    if not by_id:
        raise DatasetError(
            f"There are no images in {folder} of {files.location}, though {table} names some. Put them there."
        )
    ids = list(ids)
    unknown = [id_ for id_ in ids if id_ not in by_id]
    if unknown:
        raise DatasetError(
            f"{table} names {unknown[0]!r}, but {folder}{unknown[0]}{suffix} does not exist{and_more(unknown)}. "
            "Restore the images or remove the rows."
        )
    doubtful = [id_ for id_ in ids if len(by_id[id_]) > 1]
    if doubtful:
        first, second, *_ = by_id[doubtful[0]]
        raise DatasetError(
            f"{table} names {doubtful[0]!r}, which may be {first} or {second}{and_more(doubtful)}. Leave one of them."
        )
    return {id_: by_id[id_][0] for id_ in ids}


def and_more(offenders: Sequence[object]) -> str:
    """How many there are beside the first, in brackets; nothing if it is alone."""
    return f" (and {len(offenders) - 1:,} more like it)" if len(offenders) > 1 else ""


def _read_rows(data: bytes, table: str) -> list[list[str]]:
    """The cells of each row that is not empty, without the blanks around them."""
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        rows = [[cell.strip() for cell in row] for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table} is not a readable csv file in UTF-8. Download it again.") from error
    return [row for row in rows if any(row)]


def _pad(row: list[str], length: int) -> list[str]:
    return row + [""] * (length - len(row))
