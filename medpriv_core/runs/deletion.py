"""Deleting in two steps: a run is put away, whole and to be brought back, and purged 30 days later or some time after.

Nothing of a run that waits or trains can be deleted: its worker would write into a folder that is gone.

Purging cannot be undone, so no clock decides on it alone: one that is set wrong for a moment would empty the bin. The
runner notes in ``bin.json`` on which days (by the clock) it has seen a run in the bin, and purges those that it has
seen on 32 different ones, which lie 30 days apart at least. A clock that jumps, back or forth or both, adds a day or
two; a machine that is suspended or off, and a runner that has no work, add none, so that the bin is emptied later.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import Any

from medpriv_core.atomic import write_json
from medpriv_core.errors import DataHomeError, DiskFullError, MedprivError, RunError
from medpriv_core.home import DataHome, explain_disk_errors, read_json
from medpriv_core.locks import is_held
from medpriv_core.private_files import remove_whole
from medpriv_core.runs.labels import put_labels
from medpriv_core.runs.spent_journal import enter_runs
from medpriv_core.runs.store import ENDED, RowChange, RunRow, RunStore
from medpriv_core.runs.summary import read_summary

DAYS_SEEN = 32
DAY_S = 24 * 3600
# Of a run's files those from which nothing is read that is spent.
_EXPENDABLE = ("predictions.npz", "model.safetensors", "worker.log")

log = logging.getLogger(__name__)


def delete(home: DataHome, run_id: str) -> None:
    """Put an ended run away; ``restore`` brings it back. Raises ``RunError`` for one that waits or trains."""
    with RunStore(home).changing(run_id) as change:
        _check_ended(change.row, "remove it")
        if change.row.deleted_at is None:
            put_labels(home, change, deleted_at=time.time())


def restore(home: DataHome, run_id: str) -> None:
    """Bring a deleted run back into the list; nothing happens to one that is there."""
    with RunStore(home).changing(run_id) as change:
        if change.row.deleted_at is not None:
            put_labels(home, change, deleted_at=None)


def purge(home: DataHome, run_id: str, *, at_once: bool = False) -> None:
    """Remove a deleted run for good, with its folder; what it has spent on its images stays in their journal.

    With ``at_once`` an ended run that was not deleted before too: putting it away first takes room, which a full disk
    has not. Raises ``RunError`` for a run that has not been deleted, or not ended, and ``DataHomeError`` where the disk
    refuses.
    """
    with RunStore(home).changing(run_id) as change:
        _check_ended(change.row, "remove it")
        if change.row.deleted_at is None and not at_once:
            raise RunError(f"Run {run_id} has not been removed; remove it first.")
        if is_held(home.runs / run_id / "worker.lock"):
            raise RunError(f"A worker is still at run {run_id}; try again when it has ended.")
        _remove(home, change)


def purge_expired(home: DataHome) -> int:
    """Count this day for what lies in the bin, and purge what was seen there on enough of them; returns how many."""
    purged = 0
    try:
        expired = _seen_long_enough(home)
    except (DataHomeError, OSError) as error:  # where no day can be noted, none is counted
        log.info("the bin stays as it is: %s", error)
        return 0
    for row in expired:
        try:
            purge(home, row.id)
            purged += 1
        except MedprivError as error:  # brought back meanwhile, or the disk refuses: next time
            log.info("run %s is not removed for good: %s", row.id, error)
    return purged


def bytes_of(home: DataHome, run_id: str) -> int:
    """What the files of a run take on the disk, and purging it gives back."""
    folder = home.runs / run_id
    with explain_disk_errors(folder):
        if folder.is_symlink() or not folder.is_dir():
            return 0
        return sum(path.lstat().st_size for path in folder.rglob("*"))


def _check_ended(row: RunRow, then: str) -> None:
    if row.state not in ENDED:
        raise RunError(f"Run {row.id} is {row.state}; stop it first, then {then}.")


def _remove(home: DataHome, change: RowChange) -> None:
    folder = home.runs / change.row.id
    run = read_summary(home, change.row)
    try:
        enter_runs(home, [run])
    except DiskFullError:
        # The line in the journal is all that there is no room for.
        with explain_disk_errors(folder), contextlib.suppress(NotADirectoryError):
            for name in () if folder.is_symlink() else _EXPENDABLE:
                (folder / name).unlink(missing_ok=True)
        enter_runs(home, [run])
    # The folder first: whatever stops this half-way leaves a row that can be purged again.
    with explain_disk_errors(folder):
        remove_whole(folder)
    change.remove()


def _seen_long_enough(home: DataHome) -> list[RunRow]:
    """The deleted runs that were seen on enough different days, this one included."""
    rows, known = RunStore(home).all(deleted=True), read_json(home.bin_days)
    today = int(time.time() // DAY_S)
    days = {row.id: sorted({*_days(known, row), today}) for row in rows}
    noted = {row.id: {"deleted_at": repr(row.deleted_at), "days": days[row.id]} for row in rows}
    if noted != (known or {}):
        write_json(home.bin_days, noted)
    return [row for row in rows if len(days[row.id]) >= DAYS_SEEN]


def _days(known: Any, row: RunRow) -> set[int]:
    """The days on which a run was seen in the bin since it was put there; where the file is damaged, it begins anew."""
    entry = known.get(row.id) if isinstance(known, dict) else None
    days = entry.get("days") if isinstance(entry, dict) and entry.get("deleted_at") == repr(row.deleted_at) else None
    return {day for day in days if type(day) is int} if isinstance(days, list) else set()
