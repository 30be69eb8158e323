"""``datasets.json``: where the added datasets lie, and what adding them found; every record is checked when read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from medpriv_core.atomic import write_json
from medpriv_core.datasets.base import AddedDataset
from medpriv_core.datasets.catalog import readers
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.locks import hold_lock
from medpriv_core.patients import LARGEST, PATIENTS
from medpriv_core.regular_file import read_regular

MOST_BYTES = 64 * 2**20
_MOST_IMAGES = 10**9

Records = dict[str, dict[str, Any]]  # by name of the dataset


def read_added(home: DataHome) -> Records:
    """The records; raises ``DatasetError`` if the list is damaged, and ``DataHomeError`` where the disk refuses."""
    with explain_disk_errors(home.root):
        if not home.registry.exists():
            return {}
        content = read_regular(home.registry, called=str(home.registry), error=DatasetError, most_bytes=MOST_BYTES)
    try:
        records: Records = json.loads(content)
        known = readers(home)
        for name, record in records.items():
            _check(known.get(name), record)
    # RecursionError: brackets within brackets within brackets. The others: not the shape that it was written in.
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        raise DatasetError(
            f"The list of added datasets, {home.registry}, is damaged. Remove that file and add your datasets again."
        ) from error
    return records


@contextmanager
def changed_added(home: DataHome) -> Iterator[Records]:
    """The records, written back at the end; nobody else changes them meanwhile."""
    with hold_lock(home.registry.with_suffix(".lock")), explain_disk_errors(home.root):
        records = read_added(home)
        yield records
        write_json(home.registry, records)


def _check(reader: type[AddedDataset] | None, record: dict[str, Any]) -> None:
    """Raise ``TypeError``, ``ValueError`` or ``KeyError`` for a record that cannot be shown or computed with."""
    if not isinstance(record, dict):
        raise TypeError("no record")
    if reader is None:
        return  # of another version, or its record is gone; nothing here looks at it
    if (
        not isinstance(record["path"], str)
        or not isinstance(record.get("content"), str | None)
        or not isinstance(record.get("sha256"), str | None)
    ):
        raise TypeError("a text is none")
    classes = len(reader.info.classes)
    for counts in (record["train_counts"], record["test_counts"]):
        if not isinstance(counts, list) or len(counts) != classes or not all(map(_is_count, counts)):
            raise ValueError("counts of images are none")
    if not all(record.get(key) is None or _is_count(record[key]) for key in (PATIENTS, LARGEST)):
        raise ValueError("counts of patients are none")


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST_IMAGES
