"""The table of runs made again from the run directories, where its file is damaged.

The directories say nearly everything: ``labels.json`` what people call a run and whether it was put away,
``outcome.json`` how it ended, a held ``worker.lock`` that it trains. Only the queue is lost: a run that was waiting is
shown as stopped, for nothing should start to train that nobody asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from medpriv_core.errors import MedprivError, RunError, RunTableError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.locks import hold_lock, is_held
from medpriv_core.progress import Cancelled
from medpriv_core.runs.database import COMPANIONS, check_sound
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.naming import device_slot, name_run
from medpriv_core.runs.store import ENDED, RunRow, RunState, RunStore

RUNNER_PATIENCE_S = 30.0
WAITED = "It was waiting when the table of runs was made again; resume it to queue it anew."
GONE = "It had not ended when the table of runs was made again. Resume continues from its last checkpoint."


def rebuild_table(home: DataHome) -> int:
    """Put a new table in the place of a damaged one, which is kept beside it, and return how many runs it has.

    Into a sound table it brings the runs that are not in it. Raises ``RunError`` if there are none, or if the runner
    does not let go of the table, and ``DataHomeError`` for one of a newer version or where the disk refuses.
    """
    waited_since = time.monotonic()

    def give_up(phase: str, done: int, total: int) -> None:  # noqa: ARG001
        if time.monotonic() - waited_since > RUNNER_PATIENCE_S:
            raise Cancelled

    try:
        # Between a runner's claim and its worker's lock a run would look as if it waited.
        with hold_lock(home.runner_lock, progress=give_up):
            return _rebuild(home)
    except Cancelled:
        raise RunError(
            "The process that looks after the runs is still using the table; stop the runs that train, or wait until "
            "they have ended, then try again."
        ) from None


def _rebuild(home: DataHome) -> int:
    store, aside = RunStore(home), None
    known: set[str] = set()
    try:
        check_sound(home.database)
        known = {row.id for deleted in (False, True) for row in store.all(deleted=deleted)}
    except RunTableError:
        aside = home.database.with_name(f"{home.database.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    directories = [directory for directory in _directories(home) if directory.path.name not in known]
    rows = [_row(directory, len(known) + position) for position, directory in enumerate(directories, start=1)]
    if aside is None and not rows:
        raise RunError("The table of runs is sound and has every run; there is nothing to make again.")
    with explain_disk_errors(home.root):
        if aside is not None:
            _move(home.database, aside)
        try:
            store.insert(rows)
        except BaseException:
            if aside is not None:
                _move(aside, home.database)
            raise
    return len(rows)


def _move(file: Path, target: Path) -> None:
    """Move a table with what SQLite keeps beside it, in place of anything that is there."""
    for suffix in ("", *COMPANIONS):
        source, place = (path.with_name(path.name + suffix) for path in (file, target))
        place.unlink(missing_ok=True)
        if source.exists():
            os.replace(source, place)


def _directories(home: DataHome) -> Iterator[RunDirectory]:
    """The run directories, the oldest first."""
    if not home.runs.is_dir():
        return
    # A link could lead out of the data home, and what is in the table is written to.
    own = [path for path in home.runs.iterdir() if not path.is_symlink() and not path.name.startswith(".")]
    found = [path for path in own if (path / "spec.json").is_file()]
    yield from sorted(map(RunDirectory, found), key=lambda directory: (_created_at(directory), directory.path.name))


def _row(directory: RunDirectory, position: int) -> RunRow:
    labels = directory.read_labels()
    name, slot = directory.path.name, "cpu"
    try:
        spec = directory.read_spec()
        name, slot = name_run(spec), device_slot(spec.device)
    except MedprivError:  # shown with the reason, as in any list
        pass
    state, message = _state(directory)
    outcome = directory.path / "outcome.json"
    return RunRow(
        id=directory.path.name,
        name=str(labels.get("name") or name),
        state=state,
        slot=slot,
        position=position,
        cancel_requested=False,
        pid=directory.read_worker_pid() if state == "running" else None,
        created_at=_created_at(directory),
        started_at=None,
        ended_at=outcome.stat().st_mtime if outcome.exists() else None,
        message=message,
        tags=tuple(map(str, labels.get("tags") or ())),
        notes=str(labels.get("notes") or ""),
        deleted_at=labels.get("deleted_at"),
    )


def _state(directory: RunDirectory) -> tuple[RunState, str | None]:
    if is_held(directory.lock):
        return "running", None
    outcome = directory.read_outcome()
    if outcome is not None and outcome["state"] in ENDED:
        return outcome["state"], outcome.get("message")
    if (directory.path / "setup.json").exists() or directory.checkpoint.exists():
        return "failed", GONE
    return "cancelled", WAITED


def _created_at(directory: RunDirectory) -> float:
    created_at = directory.read_labels().get("created_at")
    if isinstance(created_at, int | float):
        return float(created_at)
    try:
        return time.mktime(time.strptime(directory.path.name[:15], "%Y%m%d-%H%M%S"))
    except ValueError:  # no id of ours
        return (directory.path / "spec.json").stat().st_mtime
