"""Deleting in two steps: a run is put away, whole and to be brought back, and purged a month later.

Nothing of a run that waits or trains can be deleted: its worker would write into a folder that is gone.
"""

from __future__ import annotations

import shutil
import time

from medpriv_core.errors import MedprivError, RunError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.locks import is_held
from medpriv_core.runs.labels import put_labels
from medpriv_core.runs.spent_journal import enter_runs
from medpriv_core.runs.store import ENDED, RunStore
from medpriv_core.runs.summary import read_summary

KEPT_S = 30 * 24 * 3600.0


def delete(home: DataHome, run_id: str) -> None:
    """Put an ended run away; ``restore`` brings it back. Raises ``RunError`` for one that waits or trains."""
    with RunStore(home).changing(run_id) as change:
        if change.row.state not in ENDED:
            raise RunError(f"Run {run_id} is {change.row.state}; stop it first, then delete it.")
        if change.row.deleted_at is None:
            put_labels(home, change, deleted_at=time.time())


def restore(home: DataHome, run_id: str) -> None:
    """Bring a deleted run back into the list; nothing happens to one that is there."""
    with RunStore(home).changing(run_id) as change:
        if change.row.deleted_at is not None:
            put_labels(home, change, deleted_at=None)


def purge(home: DataHome, run_id: str) -> None:
    """Remove a deleted run for good, with its folder; what it has spent on its images stays in their journal.

    Raises ``RunError`` for a run that has not been deleted, and ``DataHomeError`` where the disk refuses.
    """
    with RunStore(home).changing(run_id) as change:
        if change.row.deleted_at is None:
            raise RunError(f"Run {run_id} has not been deleted; delete it first.")
        folder = home.runs / run_id
        if is_held(folder / "worker.lock"):
            raise RunError(f"A worker is still at run {run_id}; try again when it has ended.")
        enter_runs(home, [read_summary(home, change.row)])
        # The folder first: whatever stops this half-way leaves a row that can be purged again.
        with explain_disk_errors(folder):
            if folder.exists():
                shutil.rmtree(folder)
        change.remove()


def purge_expired(home: DataHome) -> int:
    """Purge what was deleted a month ago or earlier; returns how many runs are gone."""
    expired = [row for row in RunStore(home).all(deleted=True) if (row.deleted_at or 0) < time.time() - KEPT_S]
    purged = 0
    for row in expired:
        try:
            purge(home, row.id)
            purged += 1
        except MedprivError:  # brought back meanwhile, or the disk refuses: next time
            continue
    return purged
