"""The table of runs: which there are, in what state, in what order, and what people call them.

Only what needs transactions is here; everything else about a run is in its directory.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from medpriv_core.errors import DataHomeError, RunError, RunTableError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.records.kinds import is_text, is_texts, is_time, is_whole
from medpriv_core.runs.database import REBUILD, transaction
from medpriv_core.runs.folders import unlisted
from medpriv_core.runs.records import Fits
from medpriv_core.strict_json import Unreadable, parse_json

RunState = Literal["queued", "running", "finished", "failed", "cancelled"]
STATES: tuple[RunState, ...] = get_args(RunState)
ENDED: tuple[RunState, ...] = ("finished", "failed", "cancelled")
KEPT_ROWS = 200_000
MOST_MARKS = 500  # values of one question, which SQLite limits
Place = Literal["first", "up", "down"]  # in the queue, as it is now
LOCAL = "local"  # the launcher of this machine


@dataclass(frozen=True)
class RunRow:
    """One run in the table; times in seconds since 1970."""

    id: str
    name: str
    state: RunState
    slot: str  # the device that it waits for, as its specification calls it; once it was started, the one that it took
    position: int
    cancel_requested: bool
    handle: str | None  # by which its launcher finds its worker
    created_at: float
    started_at: float | None
    ended_at: float | None
    message: str | None
    tags: tuple[str, ...]
    notes: str
    deleted_at: float | None  # put away then; None for a run in the list
    launcher: str = LOCAL


# The devices that a launcher has for what a run wants.
Slots = Callable[[str, str], Sequence[str]]
_WANTED = (
    "SELECT launcher, slot, MIN(position) AS first FROM runs WHERE state = 'queued' "
    "GROUP BY launcher, slot ORDER BY first"
)

# By name, so that a table without one of them is noticed by SQLite.
_ALL = ", ".join(column.name for column in fields(RunRow))


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

    def requeue(self, *, slot: str) -> None:
        """Put the run at the end of the queue for a device."""
        last = _last(self._database)
        self.put(state="queued", cancel_requested=0, message=None, ended_at=None, position=last + 1, slot=slot)

    def remove(self) -> None:
        """Take the run out of the table."""
        self._database.execute("DELETE FROM runs WHERE id = ?", (self.row.id,))


class RunStore:
    """Reads and changes the table of runs of one data home."""

    def __init__(self, home: DataHome) -> None:
        self._home = home

    def check(self) -> None:
        """Raise ``RunTableError`` where the table is damaged, or is lost while there are runs."""
        self._select(f"SELECT {_ALL} FROM runs LIMIT 1")

    def add(
        self,
        run_id: str,
        *,
        name: str,
        slot: str,
        tags: Sequence[str] = (),
        created_at: float | None = None,
        launcher: str = LOCAL,
        make: Callable[[], None] | None = None,
    ) -> None:
        """Put a new run, made now unless it says otherwise, at the end of the queue.

        ``make`` makes its folder, so that nobody who holds the table ever sees a folder without its line; if it raises,
        nothing is added.
        """
        with self._transaction() as database:
            database.execute(
                "INSERT INTO runs (id, name, state, slot, position, created_at, tags, launcher) "
                "VALUES (?, ?, 'queued', ?, ?, ?, ?, ?)",
                (run_id, name, slot, _last(database) + 1, created_at or time.time(), json.dumps(tags), launcher),
            )
            if make is not None:
                make()

    def insert(self, rows: Sequence[RunRow], *, make: Callable[[], None] | None = None) -> None:
        """Put rows into the table as they are, all or none; raises ``RunError`` if one of them is there already.

        ``make`` is as in ``add``.
        """
        with self._transaction() as database:
            insert_rows(database, rows)
            if make is not None:
                make()

    def ids(self) -> set[str]:
        """Of every run in the table, deleted ones too."""
        with self._transaction("DEFERRED") as database:
            return {row["id"] for row in database.execute("SELECT id FROM runs")}

    def all(self, *, deleted: bool = False) -> list[RunRow]:
        """Every run in the list, or every deleted one; the newest first."""
        where = f"deleted_at IS {'NOT ' if deleted else ''}NULL"
        return self._select(f"SELECT {_ALL} FROM runs WHERE {where} ORDER BY created_at DESC, id DESC")

    def in_state(self, *states: RunState) -> list[RunRow]:
        """The runs in any of these states, in the order of the queue."""
        marks = ", ".join("?" for _ in states)
        return self._select(f"SELECT {_ALL} FROM runs WHERE state IN ({marks}) ORDER BY position", states)

    def get(self, run_id: str) -> RunRow:
        """One run, also a deleted one; raises ``RunError`` where there is none of that id."""
        found = self._select(f"SELECT {_ALL} FROM runs WHERE id = ?", (run_id,))
        if not found and run_id in self.unlisted():
            raise RunError(
                f"Run {run_id} is not in the table of runs, but its folder is there. Bring it back with the button on "
                "the page of runs, or with python -m medpriv_core runs rebuild."
            )
        return _one(found, run_id)

    def some(self, run_ids: Sequence[str]) -> list[RunRow]:
        """Those of these runs that there are, in this order."""
        found: dict[str, RunRow] = {}
        for first in range(0, len(run_ids), MOST_MARKS):
            part = tuple(run_ids[first : first + MOST_MARKS])
            marks = ", ".join("?" for _ in part)
            found |= {row.id: row for row in self._select(f"SELECT {_ALL} FROM runs WHERE id IN ({marks})", part)}
        return [found[run_id] for run_id in run_ids if run_id in found]

    def unlisted(self) -> list[str]:
        """The names of run folders of which the table does not know, looked at while nobody adds a run."""
        with explain_disk_errors(self._home.root):
            try:
                self._home.database.stat()
                suspects = unlisted(self._home, self.ids())
            except FileNotFoundError:
                return unlisted(self._home)
            if not suspects:
                return []
            # Whoever adds a run makes its folder within a transaction: with the table in our hand, none is under way.
            with suppress(DataHomeError), self._transaction() as database:
                return unlisted(self._home, {row["id"] for row in database.execute("SELECT id FROM runs")})
            return suspects  # a disk that cannot be written to, where nobody adds runs either

    @contextmanager
    def changing(self, run_id: str) -> Iterator[RowChange]:
        """One run to be looked at and changed with nobody in between; nothing changes if the block raises.

        Raises ``RunError`` where there is no run of that id.
        """
        self.get(run_id)  # an empty home stays empty
        with self._transaction() as database:
            found = database.execute(f"SELECT {_ALL} FROM runs WHERE id = ?", (run_id,))
            yield RowChange(database, _one([_row(row) for row in found], run_id))

    def wanted_slots(self) -> list[tuple[str, str]]:
        """For which devices of which launchers runs wait, those first that wait longest."""
        with self._transaction("DEFERRED") as database:
            return [(row["launcher"], row["slot"]) for row in database.execute(_WANTED)]

    def claim_next(self, slots: Slots = lambda _launcher, wanted: (wanted,)) -> RunRow | None:
        """Mark the first queued run for which a device is free as running on it, and return it.

        ``slots`` says which devices a launcher has for what a run wants, the best first; each takes one run at a time.
        """
        with self._transaction() as database:
            busy = {tuple(row) for row in database.execute("SELECT launcher, slot FROM runs WHERE state = 'running'")}
            for launcher, wanted, _ in database.execute(_WANTED).fetchall():
                free = next((slot for slot in slots(launcher, wanted) if (launcher, slot) not in busy), None)
                if free is None:
                    continue
                row = database.execute(
                    "UPDATE runs SET state = 'running', started_at = ?, ended_at = NULL, message = NULL, "
                    "handle = NULL, slot = ? WHERE id = (SELECT id FROM runs WHERE state = 'queued' AND launcher = ? "
                    f"AND slot = ? ORDER BY position LIMIT 1) RETURNING {_ALL}",
                    (time.time(), free, launcher, wanted),
                ).fetchone()
                return _row(row)
        return None

    def record_handle(self, run_id: str, handle: str) -> None:
        """Remember what the launcher finds the worker by, so that a later runner can stop it."""
        with self._transaction() as database:
            database.execute("UPDATE runs SET handle = ? WHERE id = ?", (handle, run_id))

    def end(self, run_id: str, state: RunState, message: str | None) -> None:
        """A running run has ended."""
        with self._transaction() as database:
            database.execute(
                "UPDATE runs SET state = ?, message = ?, ended_at = ?, cancel_requested = 0, handle = NULL "
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
                self._refuse_loss("missing")
                return []
        with self._transaction("DEFERRED") as database:
            found = [_row(row) for row in database.execute(query, values)]
            empty = not found and database.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is None
        if empty:
            self._refuse_loss("empty")
        return found

    def _refuse_loss(self, what: str) -> None:
        """Raise ``RunTableError`` if there are runs after all."""
        if lost := self.unlisted():
            runs = "a run lies" if len(lost) == 1 else f"{len(lost):,} runs lie"
            raise RunTableError(
                f"medpriv's table of runs ({self._home.database}) is {what}, but {runs} in the folder beside it, and "
                f"{REBUILD}"
            )

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


def insert_rows(database: sqlite3.Connection, rows: Sequence[RunRow]) -> None:
    """Put rows into a table as they are; raises ``RunError`` if one of them is there already."""
    for row in rows:
        values = vars(row) | {"tags": json.dumps(row.tags), "cancel_requested": int(row.cancel_requested)}
        columns = ", ".join(values)
        try:
            database.execute(
                f"INSERT INTO runs ({columns}) VALUES ({', '.join(f':{name}' for name in values)})", values
            )
        except sqlite3.IntegrityError as error:
            raise RunError(f"There is a run {row.id} already.") from error


# Most of a list stays as it was a second ago: by id, what was found in the table and what was made of it.
_rows: dict[str, tuple[tuple[Any, ...], RunRow]] = {}


def _row(row: sqlite3.Row) -> RunRow:
    """The same record for the same row."""
    found = tuple(row)
    known = _rows.get(row["id"])
    if known is not None and known[0] == found:
        return known[1]
    if len(_rows) >= KEPT_ROWS:
        _rows.clear()
    made = _make_row(dict(zip(row.keys(), found, strict=True)))
    _rows[row["id"]] = found, made
    return made


def _or_none(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


# What a column may hold, and what is shown in the place of anything else: SQLite takes any value into any column.
_COLUMNS: Mapping[str, tuple[Fits, Any]] = {
    "id": (is_text, "?"),
    "name": (is_text, "?"),
    "state": (lambda value: value in STATES, "failed"),
    "slot": (is_text, "cpu"),
    "position": (lambda value: is_whole(value, high=2**62), 0),
    "cancel_requested": (lambda value: value in (0, 1), 0),
    "handle": (_or_none(is_text), None),
    "created_at": (is_time, 0.0),
    "started_at": (_or_none(is_time), None),
    "ended_at": (_or_none(is_time), None),
    "message": (_or_none(is_text), None),
    "tags": (is_texts, []),
    "notes": (is_text, ""),
    "deleted_at": (_or_none(is_time), None),
    "launcher": (is_text, LOCAL),
}


def _make_row(values: dict[str, Any]) -> RunRow:
    try:
        tags = values["tags"]
        values["tags"] = [] if tags == "[]" else parse_json(tags) if is_text(tags) else None
    except Unreadable:
        values["tags"] = None
    unfit = [name for name, (fits, _) in _COLUMNS.items() if not fits(values[name])]
    for name in unfit:
        values[name] = _COLUMNS[name][1]
    if unfit:
        values["message"] = (
            f"The line of this run in the table of runs is damaged ({', '.join(unfit)}), so part of it is missing here."
        )
    values["cancel_requested"] = bool(values["cancel_requested"])
    values["tags"] = tuple(values["tags"])
    return RunRow(**values)
