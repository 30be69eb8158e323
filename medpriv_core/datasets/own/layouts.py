"""How the images of somebody's own dataset are labelled: by folders of classes, or by tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.graded_table import TABLE_SUFFIXES
from medpriv_core.datasets.names import folded
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
    read_table,
)
from medpriv_core.datasets.report import unread
from medpriv_core.errors import DatasetError
from medpriv_core.regular_file import read_regular


def choose_layout(
    files: FileSource, images: ImageFiles, choices: Choices
) -> tuple[Layout, list[Table], list[DatasetError]]:
    """How the images are labelled, by which tables, and what is wrong with tables that are therefore set aside.

    Raises ``DatasetError`` where only a table can be meant, and none can be read.
    """
    if choices.layout == "folders":
        return "folders", [], []
    if choices.table is not None:
        data = read_regular(choices.table, called=str(choices.table), error=DatasetError, most_bytes=MAX_TABLE_BYTES)
        return "table", [read_table(data, choices.table.name)], []
    there = [name for name in files.names if name.lower().endswith(TABLE_SUFFIXES)]
    names = Names(images.names, images.by_uid)
    useful: list[Table] = []
    complaints: list[DatasetError] = []
    for name in sorted(there, key=lambda one: (one.count("/"), one)):
        try:
            table = read_table(files.read(name, MAX_TABLE_BYTES), name)
            guess_columns(table, names, choices.columns)
            useful.append(table)
        except DatasetError as error:
            complaints.append(error)
    # Who names a column means a table.
    if choices.layout == "table" or choices.columns.named() or (useful and choices.layout is None):
        if not useful:
            raise (
                complaints[0]
                if complaints
                else DatasetError(f"There is no table (csv, tsv) in {files.location}. Give it with --table.")
            )
        header = useful[0].header
        alike = [table for table in useful if table.header == header]
        if len(alike) > 1 and len({_role(table.name) for table in alike}) < len(alike):
            raise DatasetError(
                f"{files.location} holds several tables of its images ({alike[0].name} and {alike[1].name}). Name the "
                "one that counts (--table)."
            )
        return "table", alike, []
    return "folders", [], complaints


def _role(table: str) -> str | None:
    """The split that a table is for, by its name."""
    stem = folded(table.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    return next((word for word in ("train", "test", "val", "dev") if stem.startswith(word)), None)


def read_tables(
    files: FileSource, images: ImageFiles, tables: Sequence[Table], names: Names, choices: Choices
) -> tuple[Found, Columns]:
    """The images that the tables name, with what they leave out, and the columns that were found."""
    columns = guess_columns(tables[0], names, choices.columns)
    several = len(tables) > 1
    found = merged([read_rows(table, columns, names, role=_role(table.name) if several else None) for table in tables])
    used = {row.file for row in found.rows}
    rest = unread(
        files, used, tables=[table.name for table in tables], why=lambda _: "images that no row of a table labels"
    )
    not_image = set(images.not_image)
    if not_image:
        rest = [one for one in rest if one.reason != "files without an ending, which are not taken for images"]
    return replace(found, left_out=(*found.left_out, *rest)), columns
