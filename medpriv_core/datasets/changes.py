"""Whether the files of a dataset have changed since it was looked at, told in less than a millisecond.

Pages ask on every click, so no image can be opened for it, nor thousands of names be listed. A file system notes on a
folder when a name in it came or went; of a zip, npz or table, size and time of change tell. What was written over in
place, under its old name, is not seen here: the fingerprints see it when the dataset is opened (``files.py``).
"""

from __future__ import annotations

import os
from pathlib import Path

from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.names import is_table

# Name below the place ("." for itself) -> [size, or -1 for a folder; time of change in ns].
Signature = dict[str, list[int]]

MOST = 2000


def sign_files(files: FileSource) -> Signature:
    """The signature of an opened folder or zip."""
    tables = [name for name in files.names if is_table(name)][:MOST] if files.folders else []
    return sign(files.location, [".", *files.folders[:MOST], *tables])


def sign(place: Path, names: list[str]) -> Signature:
    """What the file system says of the files and folders ``names`` below ``place``; nothing of those that are gone."""
    signature: Signature = {}
    for name in names:
        try:
            status = os.stat(place / name)
        except (OSError, ValueError):  # gone, or no name that can be
            continue
        folder = os.path.isdir(place / name)
        signature[name] = [-1 if folder else status.st_size, status.st_mtime_ns]
    return signature


def is_unchanged(place: Path, signature: Signature) -> bool:
    """Whether the file system still says what it said then."""
    return sign(place, list(signature)) == signature
