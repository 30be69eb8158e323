"""A data home with runs of every method that nobody trained, made once and copied for each case."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from medpriv_core.datasets.registry import content_of
from medpriv_core.home import DataHome
from medpriv_core.privacy.subsampled_gaussian import mechanism_of
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spent_journal import Entry, enter
from medpriv_core.runs.spent_record import digest_of, write_checkpoint_and_record
from medpriv_core.runs.store import RunStore
from medpriv_core.sweeps.files import Sweep, SweepRun, write_sweep
from tests.exports.runs import put_run
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE, TRAIN_SIZE, spent_of

VICTIM = "20260102-030405-abcd"
OTHERS = ("20260102-030406-abcd", "20260102-030407-abcd")
BINNED = "20260102-030408-abcd"
SWEEP = "20260102-030409-0123abcd"


def make_home(home: DataHome, *, checkpoint: bool = False) -> None:
    """Two finished runs, the victim of the cases, which is private and has a checkpoint if wanted, and one binned."""
    for run_id, spec in zip((VICTIM, *OTHERS, BINNED), (PRIVATE, PLAIN, LOCAL, PLAIN), strict=True):
        put_run(home, spec, run_id=run_id)
    if checkpoint:
        add_checkpoint(RunDirectory(home.runs / VICTIM))
    service.delete(home, BINNED)
    mechanism, spent = mechanism_of(PRIVATE, train_size=TRAIN_SIZE), spent_of(PRIVATE, epochs=2)
    enter(home, content_of(home, PRIVATE.dataset), [Entry(VICTIM, mechanism, spent.segments or (), PRIVATE.delta)])
    runs = (SweepRun("private", PRIVATE, VICTIM, False, 10.0), SweepRun("plain", PLAIN, OTHERS[0], True, 10.0))
    write_sweep(home, Sweep(SWEEP, "The sweep", 1_767_323_045.5, runs, (("none", "Lower [batch_size]."),)))


def add_checkpoint(directory: RunDirectory) -> None:
    """A checkpoint as a worker writes it, of a network of two numbers, and the record that belongs to it."""
    import torch  # takes seconds

    from medpriv_core.training.checkpoint import Checkpoint, Position, pack_checkpoint

    spent = spent_of(PRIVATE, epochs=2)
    checkpoint = Checkpoint(
        trained={"fc.weight": torch.ones(2, 1), "fc.bias": torch.zeros(2)},
        backbone="0" * 64,
        optimizer={"state": {}, "param_groups": [{"lr": 0.1, "params": [0, 1]}]},
        settings=PRIVATE.to_dict(),
        dataset="0" * 64,
        position=vars(Position(epochs_done=2)),
        ledger=spent.segments or (),
        rows=directory.read_epochs(),
    )
    content = pack_checkpoint(checkpoint)
    write_checkpoint_and_record(directory, content, replace(spent, checkpoint=digest_of(content)))


def copied(template: Path, place: Path) -> DataHome:
    """A copy of a data home at ``place``, to which the command line goes too."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(template, place, symlinks=True)
    os.environ["MEDPRIV_HOME"] = str(place)
    return DataHome(place)


def start_nothing(home: DataHome) -> None:
    """In the place of ``ensure_runner``: what is queued is taken off the queue, so that nobody waits for it."""
    store = RunStore(home)
    for row in store.in_state("queued"):
        store.cancel(row.id)
