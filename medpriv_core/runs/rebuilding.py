"""The table of runs made again from the run directories, where its file is damaged, empty or gone.

The directories say nearly everything: ``labels.json`` what people call a run and whether it was put away,
``outcome.json`` how it ended, a held ``worker.lock`` that it trains. Only the queue is lost: a run that was waiting is
shown as stopped, for nothing should start to train that nobody asked for.

The new table is made aside and takes its place in one step, so that one that was cut short leaves what was there
before, or no table, and either is said. What SQLite had kept beside the old one goes aside with it: read into the new
table, it would spoil it. A run whose files are damaged comes back like any other, with a sentence on what is wrong
with it.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from medpriv_core import systems
from medpriv_core.errors import MedprivError, RunError, RunTableError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.locks import hold_lock, is_held
from medpriv_core.printable import printable
from medpriv_core.progress import Cancelled
from medpriv_core.records.kinds import is_time
from medpriv_core.runs.database import COMPANIONS, check_sound, transaction
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.folders import is_text, unlisted
from medpriv_core.runs.labels import LONGEST_NAME, LONGEST_NOTES, LONGEST_TAG, MOST_TAGS
from medpriv_core.runs.launcher import LocalLauncher, handle_of
from medpriv_core.runs.naming import name_run
from medpriv_core.runs.store import RunRow, RunState, RunStore, insert_rows

# Told a sentence on each run of which something could not be read.
Say = Callable[[str], None]

RUNNER_PATIENCE_S = 30.0
WAITED = "It was waiting when the table of runs was made again; resume it to queue it anew."
GONE = "It had not ended when the table of runs was made again. Resume continues from its last checkpoint."


def rebuild_table(home: DataHome, *, say: Say) -> int:
    """Put a new table in the place of a damaged or missing one, which is kept beside it; return how many runs it has.

    Into a sound table it brings the runs that are not in it. ``say`` is told of each run that could not be read whole.
    Raises ``RunError`` if there are none, or if the runner does not let go of the table, and ``DataHomeError`` for one
    of a newer version or where the disk refuses.
    """
    waited_since = time.monotonic()

    def give_up(phase: str, done: int, total: int) -> None:  # noqa: ARG001
        if time.monotonic() - waited_since > RUNNER_PATIENCE_S:
            raise Cancelled

    try:
        # Between a runner's claim and its worker's lock a run would look as if it waited.
        with hold_lock(home.runner_lock, progress=give_up):
            return _rebuild(home, say)
    except Cancelled:
        raise RunError(
            "The process that looks after the runs is still using the table; stop the runs that train, or wait until "
            "they have ended, then try again."
        ) from None


def _rebuild(home: DataHome, say: Say) -> int:
    known = _known(home)
    with explain_disk_errors(home.root):
        names = unlisted(home, known or ())
    lost = [name for name in names if not is_text(name)]
    for name in lost:
        say(
            f"The folder {printable(name)} in {home.runs} has a name that is no UTF-8, which the table cannot hold; "
            "give it another name to bring its run back."
        )
    directories = [RunDirectory(home.runs / name) for name in names if name not in lost]
    directories.sort(key=lambda directory: (_created_at(directory), directory.path.name))
    rows = [
        _row_of_any(directory, len(known or ()) + place, say) for place, directory in enumerate(directories, start=1)
    ]
    if not rows and (known is not None or not home.database.exists()):
        raise RunError(
            "The table of runs is sound and has every run that it can hold; there is nothing to make again."
            if known is not None
            else "There is no table of runs, and there are no runs to make one of."
        )
    if known is not None:
        RunStore(home).insert(rows)
    else:
        _replace(home, rows)
    return len(rows)


def _known(home: DataHome) -> set[str] | None:
    """The runs in a sound table; None where it is damaged or missing."""
    try:
        if not home.database.exists():
            return None
        check_sound(home.database)
        return RunStore(home).ids()
    except RunTableError:
        return None


def _replace(home: DataHome, rows: Iterable[RunRow]) -> None:
    """Make a table of these rows and put it in the place of what is there."""
    new = home.database.with_name(f".{home.database.name}.new")
    aside = _place_aside(home.database)
    with explain_disk_errors(home.root):
        for file in _with_its_own(new):  # of a rebuilding that was cut short
            file.unlink(missing_ok=True)
        try:
            with transaction(new) as database:
                insert_rows(database, list(rows))
            _move(home.database, aside)
            try:
                systems.replace(new, home.database)
            except BaseException:
                _move(aside, home.database)
                raise
        finally:
            for file in _with_its_own(new):
                file.unlink(missing_ok=True)


def _place_aside(table: Path) -> Path:
    """A name that nothing has: twice in one second, or after a clock that was set back, nothing is overwritten."""
    first = f"{table.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    names = itertools.chain([first], (f"{first}-{number}" for number in itertools.count(2)))
    return next(place for place in map(table.with_name, names) if not os.path.lexists(place))


def _with_its_own(table: Path) -> list[Path]:
    """The file of a table and those that SQLite keeps beside it."""
    return [table.with_name(table.name + suffix) for suffix in ("", *COMPANIONS)]


def _move(table: Path, target: Path) -> None:
    """Move a table, if there is one, with what SQLite keeps beside it, in place of anything that is there."""
    for source, place in zip(_with_its_own(table), _with_its_own(target), strict=True):
        place.unlink(missing_ok=True)
        if source.exists():
            systems.replace(source, place)


def _row_of_any(directory: RunDirectory, position: int, say: Say) -> RunRow:
    """The row of a run, whatever its folder is like."""
    try:
        return _row(directory, position, say)
    except (MedprivError, OSError) as error:
        name, reason = directory.path.name, f"The files of this run cannot be read ({error})."
        say(f"Of run {name}: {reason}")
        now = _created_at(directory)
        return RunRow(name, name, "failed", "cpu", position, False, None, now, None, None, reason, (), "", None)


def _taken(directory: RunDirectory, wanted: str) -> str:
    """The device at which the worker of a run is, so that no other run is started there."""
    with suppress(RunError):
        if device := directory.read_setup().device:
            return device.partition(" ")[0]
    return LocalLauncher.slots(wanted)[0]


def _row(directory: RunDirectory, position: int, say: Say) -> RunRow:
    labels = _labels(directory, say)
    name, slot = directory.path.name, "cpu"
    try:
        spec = directory.read_spec()
        name, slot = name_run(spec), spec.device
    except MedprivError as error:  # shown with the reason, as in any list
        say(f"Of run {directory.path.name}: {error}")
    state, message = _state(directory)
    if state == "running":
        slot = _taken(directory, slot)
    return RunRow(
        id=directory.path.name,
        name=" ".join(labels.get("name", "").split())[:LONGEST_NAME] or name,
        state=state,
        slot=slot,
        position=position,
        cancel_requested=False,
        handle=handle_of(directory.read_worker()) if state == "running" else None,
        created_at=_created_at(directory),
        started_at=None,
        ended_at=None if state == "running" else _changed_at(directory.path / "outcome.json"),
        message=message,
        tags=tuple(tag[:LONGEST_TAG] for tag in labels.get("tags", ())[:MOST_TAGS]),
        notes=labels.get("notes", "")[:LONGEST_NOTES],
        deleted_at=labels.get("deleted_at"),
    )


def _labels(directory: RunDirectory, say: Say) -> dict[str, Any]:
    try:
        return directory.read_labels()
    except (MedprivError, OSError) as error:
        say(str(error))
        return {}


def _state(directory: RunDirectory) -> tuple[RunState, str | None]:
    if is_held(directory.lock):
        return "running", None
    outcome = directory.read_outcome()
    if outcome is not None:
        return outcome.state, outcome.message
    if os.path.lexists(directory.path / "setup.json") or directory.checkpoint.exists():
        return "failed", GONE
    return "cancelled", WAITED


def _created_at(directory: RunDirectory) -> float:
    """As its labels say, else as its id does, else when its folder was changed last."""
    created_at = _labels(directory, silent).get("created_at")
    with suppress(ValueError, OverflowError):  # no id of ours
        created_at = created_at or time.mktime(time.strptime(directory.path.name[:15], "%Y%m%d-%H%M%S"))
    if created_at is not None and is_time(created_at):
        return float(created_at)
    return _changed_at(directory.path) or 0.0


def silent(_sentence: str) -> None:
    """What the row of the run says as well."""


def _changed_at(path: Path) -> float | None:
    """When a file or folder was changed last; None where it is missing, or where its time is in no calendar."""
    try:
        changed_at = path.lstat().st_mtime
    except OSError:
        return None
    return changed_at if is_time(changed_at) else None
