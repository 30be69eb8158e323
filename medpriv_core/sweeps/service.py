"""What pages and the command line do with sweeps: submit, look at, stop, resume, delete.

A sweep is many runs treated as one. Nothing but its file is its own: the runs are ordinary ones in the queue, and what
becomes of them is read from the table of runs. So a sweep survives the app, and a half-queued one (a full disk, a
killed process) is continued by queueing what is missing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from medpriv_core.datasets.registry import list_datasets
from medpriv_core.errors import MedprivError, RunError, SettingError, kept_words
from medpriv_core.extras import require
from medpriv_core.home import DataHome
from medpriv_core.locks import hold_lock
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.runs import service
from medpriv_core.runs.budget import check_budget
from medpriv_core.runs.estimate import took_seconds
from medpriv_core.runs.labels import LONGEST_TAG
from medpriv_core.runs.store import RunState
from medpriv_core.runs.summary import RunSummary
from medpriv_core.sweeps.cost import plan_sweep
from medpriv_core.sweeps.files import (
    Sweep,
    SweepRun,
    delete_file,
    read_sweep,
    read_sweeps,
    sweep_file,
    write_sweep,
)
from medpriv_core.sweeps.grid import Grid
from medpriv_core.sweeps.identity import identity, reusable_runs

# It becomes a tag of the runs.
LONGEST_TITLE = LONGEST_TAG
# Runs queued between two notes of how far it is; a process killed in between finds them again by what they are.
NOTED_EVERY = 10
PHASE = "Queueing runs"

# missing: deleted, or not yet queued.
MemberState = RunState | Literal["missing"]
SweepState = Literal["waiting", "running", "stopping", "finished", "stopped"]


@dataclass(frozen=True)
class SweepStatus:
    """A sweep and how far it is.

    members       the run of each combination, None where it is missing
    seconds_left  until the last queued one ends, if nothing else is in the queue; None where nothing is under way
    """

    sweep: Sweep
    members: tuple[RunSummary | None, ...]
    seconds_left: float | None

    @property
    def states(self) -> tuple[MemberState, ...]:
        """Of each combination's run."""
        return tuple("missing" if run is None else run.state for run in self.members)

    @property
    def total(self) -> int:
        """Number of combinations."""
        return len(self.members)

    @property
    def done(self) -> int:
        """Number of finished runs."""
        return self.states.count("finished")

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1, with the epochs of runs that are under way."""
        parts = sum(_share(run) for run in self.members if run is not None)
        return min(1.0, parts / self.total) if self.total else 1.0

    @property
    def run_ids(self) -> list[str]:
        """Of the runs that there are."""
        return [run.id for run in self.members if run is not None]

    @property
    def under_way(self) -> list[RunSummary]:
        """Its runs that are in the queue or being trained."""
        return [run for run in self.members if run is not None and not run.ended]

    @property
    def state(self) -> SweepState:
        """finished: all are; stopping: what is still trained has been asked to stop; stopped: nothing is under way."""
        if not self.under_way:
            return "finished" if self.done == self.total else "stopped"
        if all(run.stopping for run in self.under_way):
            return "stopping"
        return "running" if "running" in self.states else "waiting"

    @property
    def to_resume(self) -> int:
        """Runs that ``resume`` would queue: stopped, failed, deleted, or never queued."""
        return sum(state in ("cancelled", "failed", "missing") for state in self.states)


@dataclass(frozen=True)
class SweepList:
    """All sweeps, the newest first, and a sentence for each whose file cannot be read."""

    sweeps: tuple[SweepStatus, ...]
    complaints: tuple[str, ...]


def submit(home: DataHome, grid: Grid, *, title: str, progress: ProgressCallback = no_progress) -> str:
    """Queue every run of ``grid`` that is not there already, and return the id of the sweep.

    The runs carry ``title`` as a tag. Raises ``SettingError`` (more runs than a sweep may have, none possible, a title
    that is empty or over 80 characters), or ``MissingExtraError`` without PyTorch, with nothing queued. Where the disk
    or a dataset fails half-way, raises ``RunError`` that says how many are queued; ``resume`` goes on with the rest.
    """
    title = " ".join(title.split())
    if not 0 < len(title) <= LONGEST_TITLE:
        raise SettingError(f"The title of a sweep must have 1 to {LONGEST_TITLE} characters, but has {len(title)}.")
    plan = plan_sweep(home, grid)
    if plan.to_train:
        require("train")
    check_budget(home, [run.spec for run in plan.runs if run.reused is None])
    home.check_writable()
    sweep = Sweep(
        id=f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}",
        title=title,
        created_at=time.time(),
        runs=tuple(SweepRun(run.name, run.spec, None, False, run.seconds) for run in plan.runs),
        impossible=tuple((other.name, kept_words(other.reason)) for other in plan.impossible),
    )
    with hold_lock(_lock(home, sweep.id)):
        write_sweep(home, sweep)
        _queue_missing(home, sweep, progress)
    return sweep.id


def list_sweeps(home: DataHome) -> SweepList:
    """Every sweep; one list of the runs serves them all."""
    sweeps, complaints = read_sweeps(home)
    runs = {run.id: run for run in service.list_runs(home)} if sweeps else {}
    return SweepList(tuple(_status(sweep, runs) for sweep in sweeps), tuple(complaints))


def load_sweep(home: DataHome, sweep_id: str) -> SweepStatus:
    """One sweep; raises ``RunError`` where there is none of that id or its file is damaged."""
    sweep = read_sweep(home, sweep_id)
    return _status(sweep, {run.id: run for run in service.list_runs(home)})


def stop(home: DataHome, sweep_id: str) -> int:
    """Stop all its runs, those in the queue first, and return how many; their checkpoints are kept.

    Runs that it only reused go on: they were asked for by somebody else.
    """
    read_sweep(home, sweep_id)
    with hold_lock(_lock(home, sweep_id)):
        status = load_sweep(home, sweep_id)
        own = [
            run
            for entry, run in zip(status.sweep.runs, status.members, strict=True)
            if run is not None and not run.ended and not entry.reused
        ]
        stopped = 0
        # The last first, so that none of them starts while the others are taken off the queue.
        for run in sorted(own, key=lambda run: (run.state == "running", -(run.place or 0))):
            with suppress(RunError):  # it has just ended by itself
                service.cancel(home, run.id)
                stopped += 1
    return stopped


def resume(home: DataHome, sweep_id: str, *, progress: ProgressCallback = no_progress) -> int:
    """Go on with a sweep and return how many runs are in the queue again or for the first time.

    Stopped and failed runs go on from their checkpoints, deleted ones come back, those never queued are queued. Raises
    ``RunError`` as ``submit`` does where that fails half-way.
    """
    require("train")
    read_sweep(home, sweep_id)
    with hold_lock(_lock(home, sweep_id)):
        status = load_sweep(home, sweep_id)
        deleted = {run.id: run for run in service.list_runs(home, deleted=True)}
        again, problems = 0, []
        for entry, member in zip(status.sweep.runs, status.members, strict=True):
            run = deleted.get(entry.run_id or "") if member is None else member
            try:
                if run is not None and run.id in deleted:
                    service.restore(home, run.id)
                if run is not None and run.state in ("cancelled", "failed"):
                    service.resume(home, run.id)
                    again += 1
            except MedprivError as problem:  # the others go on
                problems.append(problem)
        again += _queue_missing(home, status.sweep, progress)
    if problems:
        raise RunError(f"{again} runs go on, but {len(problems)} cannot: {problems[0]}") from problems[0]
    return again


def delete(home: DataHome, sweep_id: str) -> None:
    """Forget a sweep, also one whose file is damaged. Its runs stay, and go on if they are under way."""
    with hold_lock(_lock(home, sweep_id)):
        delete_file(home, sweep_id)
    _lock(home, sweep_id).unlink(missing_ok=True)


def _queue_missing(home: DataHome, sweep: Sweep, progress: ProgressCallback) -> int:
    """Give every combination without a run its run, the same one that is there or a new one; returns the new ones."""
    listed = service.list_runs(home)
    there = {run.id for run in listed}
    found = reusable_runs(listed, {entry.info.name: entry for entry in list_datasets(home)})
    several = len({run.spec.seed for run in sweep.runs}) > 1
    runs = list(sweep.runs)
    missing = [place for place, run in enumerate(runs) if run.run_id not in there]
    done = queued = 0
    try:
        for done, place in enumerate(missing):
            progress(PHASE, done, len(missing))
            run = runs[place]
            same = found.get(identity(run.spec))
            if same is not None:
                # One with this tag was queued by this sweep, in a process that did not live to note it.
                runs[place] = replace(run, run_id=same.id, reused=sweep.title not in same.tags)
            else:
                name = service.name_run(run.spec) + (f" · seed {run.spec.seed}" if several else "")
                run_id = service.submit(home, run.spec, name=name, tags=(sweep.title,))
                runs[place] = replace(run, run_id=run_id, reused=False)
                queued += 1
            if done % NOTED_EVERY == 0:
                write_sweep(home, replace(sweep, runs=tuple(runs)))
        write_sweep(home, replace(sweep, runs=tuple(runs)))
    except MedprivError as error:
        with suppress(MedprivError):  # the disk may be full; the runs are found again by what they are
            write_sweep(home, replace(sweep, runs=tuple(runs)))
        raise RunError(
            f"Of the sweep {sweep.title}, {done} of {len(missing)} runs are in the queue or were there already; then "
            f"it went wrong: {error} Put that right, then resume the sweep."
        ) from error
    return queued


def _status(sweep: Sweep, runs: Mapping[str, RunSummary]) -> SweepStatus:
    members = tuple(None if run.run_id is None else runs.get(run.run_id) for run in sweep.runs)
    return SweepStatus(sweep, members, _seconds_left(sweep.runs, members))


def _seconds_left(entries: Sequence[SweepRun], members: Sequence[RunSummary | None]) -> float | None:
    """The estimates of the runs to come, corrected by what the finished ones took."""
    took = expected = left = 0.0
    under_way = False
    for entry, run in zip(entries, members, strict=True):
        if run is None or entry.estimate_s <= 0:
            continue
        if run.state == "finished" and not entry.reused and run.started_at and run.ended_at:
            if (seconds := took_seconds(run.started_at, run.ended_at, run.last)) is not None:
                took += seconds
                expected += entry.estimate_s
        elif not run.ended and not run.stopping:
            under_way = True
            left += entry.estimate_s * (1 - _share(run))
    if not under_way:
        return None
    return left * (took / expected if expected else 1.0)


def _share(run: RunSummary) -> float:
    if run.state == "finished":
        return 1.0
    return min(1.0, run.epochs_done / run.spec.epochs) if run.spec else 0.0


def _lock(home: DataHome, sweep_id: str) -> Path:
    return sweep_file(home, sweep_id).with_suffix(".lock")
