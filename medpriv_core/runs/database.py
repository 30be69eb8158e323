"""The file behind the table of runs: opening it, bringing an older one up to date, and saying what is wrong with it.

SQLite in WAL mode, one connection a call: scripts change threads, and opening costs under a millisecond. Whatever the
disk still allows, works: on a full one the table is read, and a run can be taken out of it once its folder has made
room.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal

from medpriv_core.errors import DataHomeError, RunTableError
from medpriv_core.home import explain_disk_errors
from medpriv_core.private_files import FILE_MODE, make_folder
from medpriv_core.systems import is_read_only

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
    # By which launcher a run is started, and what that launcher finds its worker by.
    """
    ALTER TABLE runs ADD COLUMN launcher TEXT NOT NULL DEFAULT 'local';
    ALTER TABLE runs ADD COLUMN handle TEXT;
    UPDATE runs SET handle = CAST(pid AS TEXT) WHERE pid IS NOT NULL;
    ALTER TABLE runs DROP COLUMN pid
    """,
)
SCHEMA_VERSION = len(MIGRATIONS)
# What SQLite keeps beside the file, by the ends of their names.
COMPANIONS = ("-wal", "-shm", "-journal")

# How a lost or damaged table is mended, at the end of a sentence on it.
REBUILD = (
    "the table can be made again from the folders of the runs: by the button on the page of runs, or with python -m "
    "medpriv_core runs rebuild."
)

# Of SQLite's complaints: what the disk does, and what another program does. All else is damage.
_DISK = ("full", "readonly", "unable to open", "I/O")
# The second where one that stands still, or was stopped, was about to bring the file up to date from its log.
_HELD = ("locked", "locking protocol")
_ALMOST_NONE_BYTES = 64 * 1024
# How long one waits for others who use the table.
PATIENCE_S = 20.0


@contextmanager
def transaction(file: Path, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """A connection whose changes are kept together at the end, or not at all if the block raises.

    The file is made if there is none. ``DEFERRED`` is for reading, which a full or read-only disk allows too. Raises
    ``RunTableError`` for a damaged file, and ``DataHomeError`` for one of a newer version, in use for too long, or
    where the disk refuses.
    """
    with explain_disk_errors(file.parent):
        make_folder(file.parent)
    if file.is_dir():
        raise _damaged(file, "it is a folder")
    try:
        with ExitStack() as cleaning_up:
            database = _open(file, kind, cleaning_up)
            yield database
            database.execute("COMMIT")
    except sqlite3.OperationalError as error:
        text = str(error)
        if _is_of_the_disk(error):
            with explain_disk_errors(file.parent):
                _tell_disk(file, error)
            raise DataHomeError(
                f"medpriv cannot use its table of runs in {file.parent} ({text}). Check the free space and "
                "the permissions of that folder, or point MEDPRIV_HOME to another one."
            ) from error
        if any(words in text for words in _HELD):
            raise DataHomeError(
                f"Another program is holding medpriv's table of runs ({file}). Close it and try again."
            ) from error
        if "syntax error" in text:  # in a query of ours
            raise
        # Another program's tables, half of ours, a header that asks for a format which does not exist, and the like.
        raise _damaged(file, str(error)) from error
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


def _open(file: Path, kind: str, cleaning_up: ExitStack) -> sqlite3.Connection:
    """A connection in a transaction, by whatever way the disk allows."""
    try:
        return _begin(file, kind, cleaning_up)
    except sqlite3.OperationalError as error:
        if not _is_of_the_disk(error):
            raise
        refusal = error
    if _may_write(file):
        try:
            return _begin_alone(file, kind, cleaning_up)
        except sqlite3.OperationalError as error:
            if kind != "DEFERRED" or not _is_of_the_disk(error):
                raise
    elif kind != "DEFERRED":
        raise refusal
    # Also reading wants to write, where the last one who wrote did not come to an end, or the table is of an earlier
    # version. So does it in a copy.
    folder = Path(cleaning_up.enter_context(tempfile.TemporaryDirectory(prefix="medpriv-table-")))
    for suffix in ("", *COMPANIONS):
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{file}{suffix}", folder / f"{file.name}{suffix}")
    return _begin(folder / file.name, kind, cleaning_up)


def _begin_alone(file: Path, kind: str, cleaning_up: ExitStack) -> sqlite3.Connection:
    """Several connections share memory through a file, for which a full disk has no room. One alone needs none.

    While SQLite waits to be alone it keeps its share of the file, so that two would wait for each other. So each one
    that is not alone at once lets go and comes again.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return _begin(file, kind, cleaning_up, alone=True)
        except sqlite3.OperationalError as error:
            if time.monotonic() >= until or not any(words in str(error) for words in _HELD):
                raise
        time.sleep(random.uniform(0.005, 0.1))


def _begin(file: Path, kind: str, cleaning_up: ExitStack, *, alone: bool = False) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=0 if alone else PATIENCE_S, isolation_level=None)
    try:
        database.row_factory = sqlite3.Row
        database.text_factory = _text
        if alone:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA temp_store = MEMORY")
        database.execute("PRAGMA synchronous = NORMAL")
        _ensure_schema(file, database)
        database.execute(f"BEGIN {kind}")
    except BaseException:
        database.close()
        raise
    cleaning_up.callback(database.close)
    return database


def _may_write(file: Path) -> bool:
    return os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))


def _is_of_the_disk(error: sqlite3.Error) -> bool:
    return any(words in str(error) for words in _DISK)


def _tell_disk(file: Path, error: sqlite3.Error) -> None:
    """Raise what the system would say of the disk, if that is to be seen behind SQLite's complaint."""
    if "full" in str(error) or shutil.disk_usage(file.parent).free < _ALMOST_NONE_BYTES:
        raise OSError(errno.ENOSPC, str(error))
    if not _may_write(file):
        raise OSError(errno.EROFS if is_read_only(file.parent) else errno.EACCES, str(error))


def _text(content: bytes) -> str:
    """Damaged text is shown as far as it can be, and breaks nothing."""
    return content.decode(errors="replace")


def _damaged(file: Path, reason: str) -> RunTableError:
    return RunTableError(
        f"medpriv's table of runs ({file}) is damaged ({reason}). The runs themselves are in the folder beside it, and "
        f"{REBUILD}"
    )


def _ensure_schema(file: Path, database: sqlite3.Connection) -> None:
    version = _version(database)
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise DataHomeError(
            "The table of runs was written by a newer version of medpriv. Update medpriv, or point MEDPRIV_HOME "
            "to another folder."
        )
    if version == 0:
        with suppress(PermissionError):  # of a disk without modes
            os.chmod(file, FILE_MODE)  # what lies beside it gets the mode that it has
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
