"""Tables that are no text: the sheets of an Excel workbook (xlsx), and Parquet.

Formulas are never worked out: a cell is what the program that saved the workbook kept as its value. Whole numbers that
a spreadsheet or a column with gaps made decimal ones ("2.0") are whole again.
"""

from __future__ import annotations

import datetime
import io
import math
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from medpriv_core.errors import DatasetError

WORKBOOK, PARQUET = b"PK\x03\x04", b"PAR1"
_MAX_UNPACKED_BYTES = 2**31  # what 256 MB of a workbook may become
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_PLAIN = ("int", "uint", "float", "double", "halffloat", "bool", "string", "large_string", "date", "timestamp",
          "decimal", "dictionary<values=string", "null")  # fmt: skip


def is_no_text(data: bytes) -> bool:
    """Whether a table is a workbook or Parquet by its first bytes, whatever it is called."""
    return data.startswith((WORKBOOK, PARQUET, _OLD_EXCEL))


def read_sheets(data: bytes, name: str, *, most_rows: int) -> dict[str, list[list[str]]]:
    """The rows that are not empty of each sheet that has some, by its name; a Parquet file is one without a name.

    The first row are names of columns. Columns of Parquet that hold neither text, numbers, dates nor yes and no are
    left out. Raises ``DatasetError`` for what is neither, is damaged, locked by a password or larger than is read.
    """
    if data.startswith(_OLD_EXCEL):
        raise DatasetError(f"{name} is locked by a password or of an Excel before 2007. Save it as xlsx or csv.")
    if data.startswith(PARQUET):
        return {"": _kept(_parquet_rows(data, name, most_rows), name, most_rows)}
    sheets: dict[str, list[list[str]]] = {}
    for sheet, rows in _workbook(data, name, most_rows):
        if rows:
            sheets[sheet] = rows
    return sheets


def _workbook(data: bytes, name: str, most_rows: int) -> Iterator[tuple[str, list[list[str]]]]:
    import openpyxl  # half a second, and few have such a table

    with _told(f"{name} is not an Excel workbook that can be read. Save it as xlsx or csv."):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
        if unpacked > _MAX_UNPACKED_BYTES:
            raise DatasetError(f"{name} unpacks to {unpacked / 2**30:.0f} GB, more than is read. Save it as csv.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on styles and charts that nobody asks for
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # some programs write down a wrong size
                yield sheet.title, _kept(sheet.iter_rows(values_only=True), name, most_rows)


def _parquet_rows(data: bytes, name: str, most_rows: int) -> Iterator[Iterable[object]]:
    import pyarrow.parquet

    with _told(f"{name} is not a Parquet file that can be read. Save it again, or as csv."):
        file = pyarrow.parquet.ParquetFile(io.BytesIO(data))
        groups = [file.metadata.row_group(place) for place in range(file.metadata.num_row_groups)]
        _refuse_long(file.metadata.num_rows + 1, name, most_rows)
        plain = [field.name for field in file.schema_arrow if str(field.type).startswith(_PLAIN)]
        if sum(group.total_byte_size for group in groups) > _MAX_UNPACKED_BYTES and plain:
            raise DatasetError(f"{name} is larger than is read. Keep the columns that are needed, or save it as csv.")
        yield plain
        for batch in file.iter_batches(columns=plain):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _kept(rows: Iterable[Iterable[object]], name: str, most_rows: int) -> list[list[str]]:
    kept = []
    for row in rows:
        cells = [_text(value) for value in row]
        if any(cells):
            kept.append(cells)
            _refuse_long(len(kept), name, most_rows)
    return kept


def _refuse_long(rows: int, name: str, most_rows: int) -> None:
    if rows > most_rows:
        raise DatasetError(f"{name} has more than {most_rows:,} rows, more than there can be images. Shorten it.")


def _text(value: object) -> str:
    """A cell as a csv would have it.

    >>> [_text(value) for value in (None, 2.0, 2.5, " mild ", True, float("nan"), datetime.datetime(2020, 1, 31))]
    ['', '2', '2.5', 'mild', 'True', '', '2020-01-31']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(value).strip()


@contextmanager
def _told(sentence: str) -> Iterator[None]:
    """Whatever a reader stumbles over is one sentence; its own messages quote the file."""
    try:
        yield
    except DatasetError:
        raise
    except Exception:
        raise DatasetError(sentence) from None
