"""One run as people look at it: its row in the table and what its directory says, put together.

A list of five hundred runs is asked for every second or two, so what a run's files say is kept in this process for as
long as the files stay the same. Lists of ten thousand are made of ``medpriv_core.runs.list_lines``, which hold less.

Each run is read by itself: one whose files are damaged has a sentence that says so, and the others are as they are.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from medpriv_core.errors import MedprivError, RunError, kept_words
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.privacy.spent import Spent
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.epoch_log import METRICS, Ends, Signature, read_ends, signature
from medpriv_core.runs.failure import in_plain_words
from medpriv_core.runs.spent_record import FILE_NAME as SPENT
from medpriv_core.runs.spent_record import read_spent
from medpriv_core.runs.store import ENDED, RunRow, RunState
from medpriv_core.spec import RunSpec

KEPT_RUNS = 20_000
# In a list of so many, every file is looked at; in a longer one, of runs that have ended only the directories.
LOOKED_AT_WHOLE = 200
LONGEST_COMPLAINT = 600
FILES = ("spec.json", "setup.json", METRICS, "checkpoint.pt", SPENT, "outcome.json")
FOLDER = (".",)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunSummary:
    """What a list shows of a run; nothing in it is to be changed.

    stopping      asked to stop, still saving
    message       one sentence where it failed, settings called as on the command line
    kept_message  the same for ``medpriv_core.runs.failure``, by which pages call settings as in the form
    spec          None where spec.json is damaged; ``message`` then says so
    deleted_at    put away then; None for a run in the list
    place         in the queue, where 1 is next; None unless it waits
    setup         facts fixed at the start; ``Setup()`` before
    last, best    the last finished epoch and the one with the best test accuracy; ``EpochRow()`` before the first
    has_checkpoint  whether there is something to go on from
    imported      it came from another machine, without the state of its training
    spent         what its network as it lies there has spent, and how far it is; None before anything was kept
    """

    id: str
    name: str
    state: RunState
    stopping: bool
    created_at: float
    started_at: float | None
    ended_at: float | None
    message: str | None
    tags: tuple[str, ...]
    notes: str
    deleted_at: float | None
    place: int | None
    spec: RunSpec | None
    setup: Setup
    last: EpochRow
    best: EpochRow
    epochs_done: int
    has_checkpoint: bool
    imported: bool
    kept_message: str | None = field(default=None, kw_only=True)
    spent: Spent | None = field(default=None, kw_only=True)

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def kept_nothing(self) -> bool:
        """Whether no network of it was ever kept, nor any figure."""
        return self.spent is None and not self.last and not self.has_checkpoint

    @property
    def resumable(self) -> bool:
        """Whether ``resume`` would continue it."""
        stopped = self.state in ("cancelled", "failed")
        return stopped and self.spec is not None and self.deleted_at is None and not self.imported

    @property
    def extendable(self) -> bool:
        """Whether ``extend`` could give it more epochs."""
        begun = self.has_checkpoint and self.epochs_done > 0
        return self.ended and begun and self.spec is not None and self.deleted_at is None


@dataclass(frozen=True)
class Run(RunSummary):
    """All that can be shown of one run: also what its worker is doing right now, and every finished epoch."""

    progress: dict[str, Any]
    epochs: list[EpochRow]


def summarise(home: DataHome, rows: Sequence[RunRow]) -> list[RunSummary]:
    """The runs of these rows, in their order, for a list.

    In a long list, of a run that has ended only its directory is looked at, which tells of every file that was replaced
    as a whole: all that medpriv does. ``read_summary`` looks at the files themselves.
    """
    places, runs = places_of(rows), str(home.runs)
    of_ended = FOLDER if len(rows) > LOOKED_AT_WHOLE else FILES
    return [
        _summary(f"{runs}/{row.id}", row, places.get(row.id), of=of_ended if row.state in ENDED else FILES)
        for row in rows
    ]


def places_of(rows: Iterable[RunRow]) -> dict[str, int]:
    """The place in the queue, where 1 is next, of each run that waits."""
    waiting = sorted((row.position, row.id) for row in rows if row.state == "queued")
    return {run_id: place for place, (_, run_id) in enumerate(waiting, start=1)}


def read_summary(home: DataHome, row: RunRow, *, place: int | None = None) -> RunSummary:
    """One run, also where a file of it was changed by other hands."""
    return _summary(str(home.runs / row.id), row, place, of=FILES)


def read_once(home: DataHome, row: RunRow) -> RunSummary:
    """One run that has ended, without keeping it in this process."""
    return _put_together(row, None, _read_files(RunDirectory(home.runs / row.id), ()))


def read_run(home: DataHome, row: RunRow, *, place: int | None) -> Run:
    """One run with all its epochs."""
    directory = RunDirectory(home.runs / row.id)
    summary = read_summary(home, row, place=place)
    try:
        epochs, fault = directory.read_log()
    except MedprivError as error:
        epochs, fault = [], str(error)
    told = [message for message in (summary.kept_message, fault, _gaps(summary, epochs)) if message]
    if told:
        message = " ".join(dict.fromkeys(told))
        summary = replace(summary, kept_message=message, message=in_plain_words(message))
    return Run(
        **{field.name: getattr(summary, field.name) for field in fields(RunSummary)},
        progress=directory.read_progress() if row.state == "running" else {},
        epochs=epochs,
    )


def _gaps(run: RunSummary, epochs: Sequence[EpochRow]) -> str | None:
    """A sentence on epochs of an ended run that are finished and have no figures; None where there are none."""
    there = {row.epoch for row in epochs}
    finished = max([*there, run.spent.epochs if run.spent is not None and run.spent.recorded else 0])
    missing = sorted(set(range(1, finished + 1)) - there)
    if not run.ended or not missing:
        return None
    which = ", ".join(map(str, missing[:10])) + (" and more" if len(missing) > 10 else "")
    back = " The checkpoint has them; they come back when the run goes on." if run.has_checkpoint else ""
    return f"Figures of epoch {which} are missing: their lines in metrics.jsonl are damaged or were not written.{back}"


@dataclass(frozen=True)
class _Files:
    """What the files of a run say, and of which versions of them."""

    versions: tuple[Signature | None, ...]
    spec: RunSpec | None
    complaint: str | None
    setup: Setup
    last: EpochRow
    best: EpochRow
    epochs_done: int
    has_checkpoint: bool
    imported: bool
    spent: Spent | None


@dataclass(frozen=True)
class _Kept:
    """A run as it was shown last, and what it was made of."""

    files: _Files
    row: RunRow
    place: int | None
    summary: RunSummary


_kept: dict[tuple[str, tuple[str, ...]], _Kept] = {}
_keeping = threading.Lock()


def _summary(path: str, row: RunRow, place: int | None, *, of: tuple[str, ...]) -> RunSummary:
    # Paths as strings: building five hundred of them takes longer than looking at the files.
    versions = tuple([signature(f"{path}/{name}") for name in of])
    with _keeping:
        kept = _kept.get((path, of))
    unchanged = kept is not None and kept.files.versions == versions
    if kept is not None and unchanged and (kept.row, kept.place) == (row, place):
        return kept.summary
    files = kept.files if kept is not None and unchanged else _read_files(RunDirectory(Path(path)), versions)
    summary = _put_together(row, place, files)
    with _keeping:
        _kept[path, of] = _Kept(files, row, place, summary)
        if len(_kept) > KEPT_RUNS:
            # A list is read from one end to the other: what came last is what will be wanted last.
            _kept.popitem()
    return summary


def _put_together(row: RunRow, place: int | None, files: _Files) -> RunSummary:
    message = files.complaint or row.message
    return RunSummary(
        id=row.id,
        name=row.name,
        state=row.state,
        stopping=row.state == "running" and row.cancel_requested,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        message=message and in_plain_words(message),
        kept_message=message,
        tags=row.tags,
        notes=row.notes,
        deleted_at=row.deleted_at,
        place=place,
        spec=files.spec,
        setup=files.setup,
        last=files.last,
        best=files.best,
        epochs_done=files.epochs_done,
        has_checkpoint=files.has_checkpoint,
        imported=files.imported,
        spent=files.spent,
    )


def _read_files(directory: RunDirectory, versions: tuple[Signature | None, ...]) -> _Files:
    spec, complaint, setup, spent = None, None, Setup(), None
    ends, has_checkpoint, imported = Ends(EpochRow(), EpochRow(), None), False, False
    try:
        with explain_disk_errors(directory.path):
            has_checkpoint, imported = directory.checkpoint.is_file(), directory.imported
            ends = read_ends(directory.path / METRICS)
            spec = directory.read_spec()
            try:
                setup = directory.read_setup()
            except RunError as error:
                complaint = kept_words(error)
            spent = read_spent(directory, spec, setup=setup, last=ends.last)
    except MedprivError as error:
        complaint = kept_words(error)
    except Exception as error:
        # What no reader foresaw must not take all other runs off the list.
        log.exception("Run %s cannot be read", directory.path.name)
        complaint = f"The files of this run cannot be read ({type(error).__name__}). Put them back, or remove the run."
    complaint = complaint or ends.fault
    return _Files(
        versions=versions,
        spec=spec,
        complaint=complaint and complaint[:LONGEST_COMPLAINT],
        setup=setup,
        last=ends.last,
        best=ends.best,
        epochs_done=ends.last.epoch,
        has_checkpoint=has_checkpoint,
        imported=imported,
        spent=spent,
    )
