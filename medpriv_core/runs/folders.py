"""The folders in which runs lie, looked at from outside: which there are, and which of them no table tells of.

A table of runs can be lost while its runs lie there untouched: deleted, emptied, put back from an old copy. Then "No
runs yet" would be the worst of answers. So whoever finds few runs in the table looks here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection

from medpriv_core.home import DataHome

# Any of these makes a folder that of a run, however damaged.
_FILES = (
    "spec.json",
    "labels.json",
    "setup.json",
    "metrics.jsonl",
    "checkpoint.pt",
    "spent.json",
    "outcome.json",
    "progress.json",
    "worker.log",
    "model.safetensors",
)
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4,16}")


def unlisted(home: DataHome, known: Collection[str] = ()) -> list[str]:
    """The names, in order, of what lies in the folder of runs as a run and is not ``known``.

    Also a file in the place of a run's folder, and a folder whose name is no UTF-8. Raises ``OSError`` where the system
    refuses.
    """
    try:
        found = set(os.listdir(home.runs)).difference(known)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in found if not name.startswith(".") and _is_run(f"{home.runs}/{name}", name))


def is_text(name: str) -> bool:
    """Whether a name is one that a table can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_run(path: str, name: str) -> bool:
    if os.path.islink(path):  # it could lead out of the data home
        return False
    if os.path.isdir(path):
        return any(os.path.lexists(f"{path}/{file}") for file in _FILES)
    return _ID.fullmatch(name) is not None
