"""The file behind the table of runs: opening it, bringing an older one up to date, and saying what is wrong with it.

SQLite in WAL mode, one connection a call: scripts change threads, and opening costs under a millisecond.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from medpriv_core.errors import DataHomeError, RunTableError
from medpriv_core.home import explain_disk_errors

# What leads from each version of the table to the next, the first from an empty file.
MIGRATIONS = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'finished', 'failed', 'cancelled')),
        slot TEXT NOT NULL,                          -- the device that only one run may use at a time
        position INTEGER NOT NULL,                   -- order in the queue, smallest first
        cancel_requested INTEGER NOT NULL DEFAULT 0,
        pid INTEGER,
        created_at REAL NOT NULL,
        started_at REAL,
        ended_at REAL,
        message TEXT                                 -- one sentence where it failed
    );
    CREATE INDEX runs_by_state ON runs (state, position)
    """,
    # What people call a run: tags as a JSON list, and when it was put away.
    """
    ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE runs ADD COLUMN notes TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN deleted_at REAL
    """,
)
SCHEMA_VERSION = len(MIGRATIONS)

# Of SQLite's complaints: what the disk or another program does, and what the tables themselves are.
_DISK = ("full", "readonly", "unable to open", "I/O")
_TABLES = ("no such", "already exists", "duplicate column")


@contextmanager
def transaction(file: Path, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """A connection whose changes are kept together at the end, or not at all if the block raises.

    The file is made if there is none. Raises ``RunTableError`` for a damaged file, and ``DataHomeError`` for one of a
    newer version, in use for too long, or where the disk refuses.
    """
    with explain_disk_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
    try:
        database = sqlite3.connect(file, timeout=20, isolation_level=None)
        try:
            database.row_factory = sqlite3.Row
            database.execute("PRAGMA synchronous = NORMAL")
            _ensure_schema(database)
            database.execute(f"BEGIN {kind}")
            yield database
            database.execute("COMMIT")
        finally:
            database.close()
    except sqlite3.OperationalError as error:
        text = str(error)
        if any(words in text for words in _DISK):
            raise DataHomeError(
                f"medpriv cannot write its table of runs in {file.parent} ({text}). Check the free space and "
                "the permissions of that folder, or point MEDPRIV_HOME to another one."
            ) from error
        if "locked" in text:
            raise DataHomeError(
                f"Another program is holding medpriv's table of runs ({file}). Close it and try again."
            ) from error
        if any(words in text for words in _TABLES):  # another program's tables, or half of ours
            raise _damaged(file, str(error)) from error
        raise
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise
        raise _damaged(file, str(error)) from error


def check_sound(file: Path) -> None:
    """Look through the whole file; raises ``RunTableError`` if anything in it is damaged, else as ``transaction``."""
    with transaction(file, "DEFERRED") as database:
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        database.execute("SELECT id, tags, deleted_at FROM runs LIMIT 1")
    if found != "ok":
        raise _damaged(file, found)


def _damaged(file: Path, reason: str) -> RunTableError:
    return RunTableError(
        f"medpriv's table of runs ({file}) is damaged ({reason}). The runs themselves are in the folder beside it, and "
        "the table can be made again from them: by the button on the page of runs, or with python -m medpriv_core runs "
        "rebuild."
    )


def _ensure_schema(database: sqlite3.Connection) -> None:
    version = _version(database)
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise DataHomeError(
            "The table of runs was written by a newer version of medpriv. Update medpriv, or point MEDPRIV_HOME "
            "to another folder."
        )
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("BEGIN IMMEDIATE")
    # Another process may have been first while this one waited for the lock.
    for migration in MIGRATIONS[_version(database) :]:
        for statement in migration.split(";"):
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    database.execute("COMMIT")


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version
