"""What is remembered of the files in an added folder, so that they need not be read again: size, time, CRC-32 of each.

The content of a dataset, and with it what was spent on its images, goes by these numbers. So the record carries a
digest of itself. Whatever is wrong with it (cut short, changed, a folder in its place, written by version 0.1.0, which
kept no digest), the files are read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from medpriv_core.atomic import write_json
from medpriv_core.errors import DataHomeError
from medpriv_core.home import explain_disk_errors
from medpriv_core.regular_file import read_regular

MOST_BYTES = 256 * 2**20
# Name -> [size in bytes, time of change in ns, CRC-32].
Remembered = dict[str, list[int]]


def read_fingerprints(path: Path) -> Remembered:
    """What is remembered in ``path``; nothing where it is missing, damaged or of an earlier version."""
    try:
        record = json.loads(read_regular(path, called=str(path), error=DataHomeError, most_bytes=MOST_BYTES))
        files = record["files"]
        if record["sha256"] == _digest(files) and all(_is_fingerprint(entry) for entry in files.values()):
            return dict(files)
    # RecursionError: brackets within brackets within brackets. The others: not the shape that it was written in.
    except (DataHomeError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        pass
    return {}


def write_fingerprints(path: Path, files: Remembered) -> None:
    """Remember ``files`` in ``path``; raises ``DataHomeError`` where the disk refuses."""
    with explain_disk_errors(path), contextlib.suppress(IsADirectoryError):  # then nothing is remembered
        write_json(path, {"files": files, "sha256": _digest(files)})


def _digest(files: Any) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _is_fingerprint(entry: Any) -> bool:
    return isinstance(entry, list) and len(entry) == 3 and all(type(number) is int for number in entry)
