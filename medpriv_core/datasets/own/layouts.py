"""How the images of somebody's own dataset are labelled: by folders of classes, or by tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.names import folded, is_table
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.images import ImageFiles
from medpriv_core.datasets.own.recipe import Layout
from medpriv_core.datasets.own.rows import Found
from medpriv_core.datasets.own.tables import (
    MAX_TABLE_BYTES,
    Columns,
    Names,
    Table,
    guess_columns,
    merged,
    read_rows,
    tables_in,
)
from medpriv_core.datasets.report import unread
from medpriv_core.errors import DatasetError, UnclearTableError
from medpriv_core.regular_file import read_regular


def choose_layout(
    files: FileSource, images: ImageFiles, choices: Choices
) -> tuple[Layout, list[Table], list[DatasetError]]:
    """How the images are labelled, by which tables, and what is wrong with tables that are therefore set aside.

    Raises ``DatasetError`` where only a table can be meant, and none can be read.
    """
    if choices.layout == "folders":
        return "folders", [], []
    names = Names(images.names, images.by_uid)
    if choices.table is not None:
        data = read_regular(choices.table, called=str(choices.table), error=DatasetError, most_bytes=MAX_TABLE_BYTES)
        made = tables_in(data, choices.table.name)
        if len(made) == 1:
            return "table", [made[0]()], []
        useful, complaints = _useful(made, names, choices.columns)
        return "table", _counting(useful, complaints, choices.table.name), []
    there = [name for name in files.names if is_table(name)]
    useful, complaints = [], []
    for name in sorted(there, key=lambda one: (one.count("/"), one)):
        try:
            made = tables_in(files.read(name, MAX_TABLE_BYTES), name)
        except DatasetError as error:
            complaints.append(error)
            continue
        found, wrong = _useful(made, names, choices.columns)
        useful += found
        complaints += [] if found and len(made) > 1 else wrong  # a workbook has sheets of other things
    # Who names a column means a table.
    if choices.layout == "table" or choices.columns.named() or (useful and choices.layout is None):
        return "table", _counting(useful, complaints, str(files.location)), []
    return "folders", [], complaints


def _useful(
    made: Sequence[Callable[[], Table]], names: Names, columns: Columns
) -> tuple[list[Table], list[DatasetError]]:
    """The tables whose columns are plain, and what is wrong with the others."""
    useful: list[Table] = []
    wrong: list[DatasetError] = []
    for make in made:
        try:
            table = make()
            guess_columns(table, names, columns)
            useful.append(table)
        except DatasetError as error:
            wrong.append(error)
    return useful, wrong


def _counting(useful: Sequence[Table], complaints: Sequence[DatasetError], where: str) -> list[Table]:
    """The tables that count: one, or those of one header for different splits. Raises ``DatasetError`` otherwise."""
    if not useful:
        none = DatasetError(f"There is no table (csv, tsv, xlsx, parquet) in {where}. Give it with --table.")
        raise most_likely([*complaints, none])
    alike = [table for table in useful if table.header == useful[0].header]
    other = next((table for table in useful if table not in alike and table.file == useful[0].file), None)
    if other is not None:
        raise DatasetError(
            f"{useful[0].name} and {other.name} both name images, and have different columns. Give them the same "
            "columns, or save the one that counts on its own and name it (--table)."
        )
    if len(alike) > 1 and len({_role(table) for table in alike}) < len(alike):
        raise DatasetError(
            f"{where} holds several tables of its images ({alike[0].name} and {alike[1].name}). Name the one that "
            "counts (--table), saved on its own."
        )
    return alike


def most_likely(complaints: Sequence[DatasetError]) -> DatasetError:
    """Of what is wrong with several tables that which is most likely about the one that is meant, else the first."""
    return max(complaints, key=lambda one: one.likely if isinstance(one, UnclearTableError) else 0)


def _role(table: Table) -> str | None:
    """The split that a table is for, by the name of its sheet or file."""
    stem = folded(table.sheet or table.file.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    return next((word for word in ("train", "test", "val", "dev") if stem.startswith(word)), None)


def read_tables(
    files: FileSource, images: ImageFiles, tables: Sequence[Table], names: Names, choices: Choices
) -> tuple[Found, Columns]:
    """The images that the tables name, with what they leave out, and the columns that were found."""
    columns = guess_columns(tables[0], names, choices.columns)
    several = len(tables) > 1
    found = merged([read_rows(table, columns, names, role=_role(table) if several else None) for table in tables])
    used = {row.file for row in found.rows}
    rest = unread(
        files, used, tables=[table.file for table in tables], why=lambda _: "images that no row of a table labels"
    )
    not_image = set(images.not_image)
    if not_image:
        rest = [one for one in rest if one.reason != "files without an ending, which are not taken for images"]
    return replace(found, left_out=(*found.left_out, *rest)), columns
