"""The table of runs: which there are, in what state, in what order, and what people call them.

Only what needs transactions is here; everything else about a run is in its directory.
"""

from __future__ import annotations

import functools
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

from medpriv_core.errors import RunError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.runs.database import transaction

RunState = Literal["queued", "running", "finished", "failed", "cancelled"]
STATES: tuple[RunState, ...] = get_args(RunState)
ENDED: tuple[RunState, ...] = ("finished", "failed", "cancelled")
KEPT_ROWS = 5000
Place = Literal["first", "up", "down"]  # in the queue, as it is now


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
    tags: tuple[str, ...]
    notes: str
    deleted_at: float | None  # put away then; None for a run in the list


class RowChange:
    """One run within a transaction: its row as nobody else can change it meanwhile, and what becomes of it."""

    def __init__(self, database: sqlite3.Connection, row: RunRow) -> None:
        self._database = database
        self.row = row

    def put(self, **values: object) -> None:
        """Put values into columns of the row."""
        columns = ", ".join(f"{name} = :{name}" for name in values)
        if "tags" in values:
            values["tags"] = json.dumps(values["tags"])
        self._database.execute(f"UPDATE runs SET {columns} WHERE id = :id", values | {"id": self.row.id})

    def requeue(self) -> None:
        """Put the run at the end of the queue."""
        self.put(state="queued", cancel_requested=0, message=None, ended_at=None, position=_last(self._database) + 1)

    def remove(self) -> None:
        """Take the run out of the table."""
        self._database.execute("DELETE FROM runs WHERE id = ?", (self.row.id,))


class RunStore:
    """Reads and changes the table of runs of one data home."""

    def __init__(self, home: DataHome) -> None:
        self._home = home

    def add(
        self, run_id: str, *, name: str, slot: str, tags: Sequence[str] = (), created_at: float | None = None
    ) -> None:
        """Put a new run, made now unless it says otherwise, at the end of the queue."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO runs (id, name, state, slot, position, created_at, tags) "
                "VALUES (?, ?, 'queued', ?, ?, ?, ?)",
                (run_id, name, slot, _last(database) + 1, created_at or time.time(), json.dumps(tags)),
            )

    def insert(self, rows: Sequence[RunRow]) -> None:
        """Put rows into the table as they are, all or none; raises ``RunError`` if one of them is there already."""
        with self._transaction() as database:
            for row in rows:
                values = vars(row) | {"tags": json.dumps(row.tags), "cancel_requested": int(row.cancel_requested)}
                columns = ", ".join(values)
                try:
                    database.execute(
                        f"INSERT INTO runs ({columns}) VALUES ({', '.join(f':{name}' for name in values)})", values
                    )
                except sqlite3.IntegrityError as error:
                    raise RunError(f"There is a run {row.id} already.") from error

    def all(self, *, deleted: bool = False) -> list[RunRow]:
        """Every run in the list, or every deleted one; the newest first."""
        return self._select(
            f"SELECT * FROM runs WHERE deleted_at IS {'NOT ' if deleted else ''}NULL ORDER BY created_at DESC, id DESC"
        )

    def in_state(self, *states: RunState) -> list[RunRow]:
        """The runs in any of these states, in the order of the queue."""
        marks = ", ".join("?" for _ in states)
        return self._select(f"SELECT * FROM runs WHERE state IN ({marks}) ORDER BY position", states)

    def get(self, run_id: str) -> RunRow:
        """One run, also a deleted one; raises ``RunError`` where there is none of that id."""
        return _one(self._select("SELECT * FROM runs WHERE id = ?", (run_id,)), run_id)

    @contextmanager
    def changing(self, run_id: str) -> Iterator[RowChange]:
        """One run to be looked at and changed with nobody in between; nothing changes if the block raises.

        Raises ``RunError`` where there is no run of that id.
        """
        self.get(run_id)  # an empty home stays empty
        with self._transaction() as database:
            found = database.execute("SELECT * FROM runs WHERE id = ?", (run_id,))
            yield RowChange(database, _one([_row(row) for row in found], run_id))

    def claim_next(self) -> RunRow | None:
        """Mark the first queued run whose device is free as running and return it."""
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

    def cancel(self, run_id: str) -> bool:
        """Take a queued run off the queue at once, or ask for a running one to be stopped; False if it has ended."""
        with self._transaction() as database:
            taken = database.execute(
                "UPDATE runs SET state = 'cancelled', ended_at = ? WHERE id = ? AND state = 'queued'",
                (time.time(), run_id),
            ).rowcount
            asked = database.execute(
                "UPDATE runs SET cancel_requested = 1 WHERE id = ? AND state = 'running'", (run_id,)
            ).rowcount
        return taken + asked == 1

    def move(self, run_id: str, where: Place) -> bool:
        """Give a queued run another place in the queue; False if it does not wait any more."""
        with self._transaction() as database:
            waiting = list(database.execute("SELECT id, position FROM runs WHERE state = 'queued' ORDER BY position"))
            ids = [row["id"] for row in waiting]
            if run_id not in ids:
                return False
            now = ids.index(run_id)
            ids.insert({"first": 0, "up": max(0, now - 1), "down": now + 1}[where], ids.pop(now))
            for moved, row in zip(ids, waiting, strict=True):
                database.execute("UPDATE runs SET position = ? WHERE id = ?", (row["position"], moved))
        return True

    def _select(self, query: str, values: tuple[object, ...] = ()) -> list[RunRow]:
        with explain_disk_errors(self._home.root):
            try:
                self._home.database.stat()
            except FileNotFoundError:
                return []
        with self._transaction("DEFERRED") as database:
            return [_row(row) for row in database.execute(query, values)]

    def _transaction(
        self, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE"
    ) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._home.database, kind)


def _last(database: sqlite3.Connection) -> int:
    """The highest place in the queue that was ever given."""
    place: int = database.execute("SELECT COALESCE(MAX(position), 0) FROM runs").fetchone()[0]
    return place


def _one(rows: list[RunRow], run_id: str) -> RunRow:
    if not rows:
        raise RunError(f"There is no run {run_id}. The list of runs shows those that exist.")
    return rows[0]


def _row(row: sqlite3.Row) -> RunRow:
    return _make_row(tuple(row.keys()), tuple(row))


@functools.lru_cache(maxsize=KEPT_ROWS)
def _make_row(names: tuple[str, ...], found: tuple[Any, ...]) -> RunRow:
    """The same record for the same row: most of a list stays as it was a second ago."""
    values = dict(zip(names, found, strict=True))
    values["cancel_requested"] = bool(values["cancel_requested"])
    values["tags"] = tuple(json.loads(values["tags"]))
    return RunRow(**values)
