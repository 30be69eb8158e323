"""The table of runs: which there are, in what state, in what order.

SQLite in WAL mode, one connection a call (scripts change threads, and opening costs under a
millisecond). Only what needs transactions is here; everything else about a run is in its directory.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from medpriv_core.errors import DataHomeError, RunError
from medpriv_core.home import DataHome, explain_disk_errors

RunState = Literal["queued", "running", "finished", "failed", "cancelled"]
STATES: tuple[RunState, ...] = get_args(RunState)
ENDED: tuple[RunState, ...] = ("finished", "failed", "cancelled")

SCHEMA_VERSION = 1
SCHEMA = """
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
CREATE INDEX runs_by_state ON runs (state, position);
"""


@dataclass(frozen=True)
class RunRow:
    """One run in the table; times in seconds since 1970."""

    id: str
    name: str
    state: RunState
    slot: str
    position: int
    cancel_requested: bool
    pid: int | None
    created_at: float
    started_at: float | None
    ended_at: float | None
    message: str | None


class RunStore:
    """Reads and changes the table of runs of one data home."""

    def __init__(self, home: DataHome) -> None:
        self._home = home

    def add(self, run_id: str, *, name: str, slot: str) -> None:
        """Put a new run at the end of the queue."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO runs (id, name, state, slot, position, created_at) VALUES (?, ?, 'queued', ?, "
                "(SELECT COALESCE(MAX(position), 0) + 1 FROM runs), ?)",
                (run_id, name, slot, time.time()),
            )

    def all(self) -> list[RunRow]:
        """Every run, the newest first."""
        return self._select("SELECT * FROM runs ORDER BY created_at DESC, id DESC")

    def in_state(self, *states: RunState) -> list[RunRow]:
        """The runs in any of these states, in the order of the queue."""
        marks = ", ".join("?" for _ in states)
        return self._select(f"SELECT * FROM runs WHERE state IN ({marks}) ORDER BY position", states)

    def get(self, run_id: str) -> RunRow:
        """One run; raises ``RunError`` where there is none of that id."""
        rows = self._select("SELECT * FROM runs WHERE id = ?", (run_id,))
        if not rows:
            raise RunError(f"There is no run {run_id}. The list of runs shows those that exist.")
        return rows[0]

    def claim_next(self) -> RunRow | None:
        """Mark the oldest queued run whose device is free as running and return it."""
        with self._transaction() as database:
            row = database.execute(
                "UPDATE runs SET state = 'running', started_at = ?, ended_at = NULL, message = NULL, pid = NULL "
                "WHERE id = (SELECT id FROM runs WHERE state = 'queued' AND slot NOT IN "
                "(SELECT slot FROM runs WHERE state = 'running') ORDER BY position LIMIT 1) RETURNING *",
                (time.time(),),
            ).fetchone()
        return _row(row) if row else None

    def record_pid(self, run_id: str, pid: int) -> None:
        """Remember the worker's process, so that a later runner can stop it."""
        with self._transaction() as database:
            database.execute("UPDATE runs SET pid = ? WHERE id = ?", (pid, run_id))

    def end(self, run_id: str, state: RunState, message: str | None) -> None:
        """A running run has ended."""
        with self._transaction() as database:
            database.execute(
                "UPDATE runs SET state = ?, message = ?, ended_at = ?, cancel_requested = 0, pid = NULL "
                "WHERE id = ? AND state = 'running'",
                (state, message, time.time(), run_id),
            )

    def cancel(self, run_id: str) -> None:
        """Take a queued run off the queue at once, or ask for a running one to be stopped."""
        with self._transaction() as database:
            database.execute(
                "UPDATE runs SET state = 'cancelled', ended_at = ? WHERE id = ? AND state = 'queued'",
                (time.time(), run_id),
            )
            database.execute("UPDATE runs SET cancel_requested = 1 WHERE id = ? AND state = 'running'", (run_id,))

    def requeue(self, run_id: str) -> bool:
        """Put a cancelled or failed run at the end of the queue; False if it is in another state."""
        with self._transaction() as database:
            changed = database.execute(
                "UPDATE runs SET state = 'queued', cancel_requested = 0, message = NULL, ended_at = NULL, "
                "position = (SELECT MAX(position) + 1 FROM runs) WHERE id = ? AND state IN ('cancelled', 'failed')",
                (run_id,),
            ).rowcount
        return changed == 1

    def _select(self, query: str, values: tuple[object, ...] = ()) -> list[RunRow]:
        with explain_disk_errors(self._home.root):
            try:
                self._home.database.stat()
            except FileNotFoundError:
                return []
        with self._transaction("DEFERRED") as database:
            return [_row(row) for row in database.execute(query, values)]

    @contextmanager
    def _transaction(self, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        file = self._home.database
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
            if "full" in text or "readonly" in text or "unable to open" in text or "I/O" in text:
                raise DataHomeError(
                    f"medpriv cannot write its table of runs in {file.parent} ({text}). Check the free space and "
                    "the permissions of that folder, or point MEDPRIV_HOME to another one."
                ) from error
            if "locked" in text:
                raise DataHomeError(
                    f"Another program is holding medpriv's table of runs ({file}). Close it and try again."
                ) from error
            if "no such" in text or "already exists" in text:  # another program's tables, or half of ours
                raise _damaged(file, error) from error
            raise
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError):
                raise
            raise _damaged(file, error) from error


def _damaged(file: Path, error: sqlite3.DatabaseError) -> DataHomeError:
    return DataHomeError(
        f"medpriv's table of runs ({file}) is damaged ({error}). Move that file away; the runs themselves stay in the "
        "folder beside it."
    )


def _ensure_schema(database: sqlite3.Connection) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
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
    if database.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in SCHEMA.split(";"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    database.execute("COMMIT")


def _row(row: sqlite3.Row) -> RunRow:
    values = dict(row)
    values["cancel_requested"] = bool(values["cancel_requested"])
    return RunRow(**values)
