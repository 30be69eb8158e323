"""What a list shows of runs, read anew as soon as anything changes and not before."""

from __future__ import annotations

import json

import pytest

from medpriv_core.home import DataHome
from medpriv_core.records.epoch import EpochRow, read_row
from medpriv_core.records.setup import Setup
from medpriv_core.runs import service, summary
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.service import RunSummary
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec

SPEC = RunSpec(dataset="synthetic_chest", weights="none", epochs=5)


@pytest.fixture
def directory(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """Of a waiting run."""
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    return RunDirectory(home.runs / service.submit(home, SPEC))


def only_run(home: DataHome) -> RunSummary:
    (run,) = service.list_runs(home)
    return run


def test_a_run_before_its_first_epoch(home: DataHome, directory: RunDirectory) -> None:
    run = only_run(home)
    assert (run.last, run.best, run.epochs_done, run.setup, run.has_checkpoint) == (
        EpochRow(),
        EpochRow(),
        0,
        Setup(),
        False,
    )
    assert not run.extendable


def test_last_and_best_epoch(home: DataHome, directory: RunDirectory) -> None:
    for epoch, accuracy in ((1, 0.7), (2, None), (3, 0.9), (4, 0.9), (5, 0.8)):
        directory.append_epoch(read_row({"epoch": epoch, "test_accuracy": accuracy}))
    run = only_run(home)
    assert (run.last.epoch, run.best.epoch, run.epochs_done) == (5, 3, 5)


def test_every_change_of_a_file_or_of_the_table_is_seen_at_once(home: DataHome, directory: RunDirectory) -> None:
    only_run(home)
    directory.append_epoch(read_row({"epoch": 1, "test_accuracy": 0.5}))
    assert only_run(home).epochs_done == 1
    directory.write_setup(Setup.from_dict({"train_size": 640}))
    assert only_run(home).setup == Setup(train_size=640)
    directory.change_spec(SPEC.changed(epochs=7))
    assert only_run(home).spec == SPEC.changed(epochs=7)
    directory.checkpoint.touch()
    assert only_run(home).has_checkpoint
    service.rename(home, directory.path.name, "new")
    assert only_run(home).name == "new"
    RunStore(home).claim_next()
    assert (only_run(home).state, only_run(home).place) == ("running", None)
    service.cancel(home, directory.path.name)
    assert only_run(home).stopping
    (directory.path / "spec.json").write_text(json.dumps({"dataset": "d", "epochs": -1}))
    assert only_run(home).spec is None
    assert "epochs must be between" in (only_run(home).message or "")


def test_nothing_is_read_twice_that_stays_as_it_was(
    home: DataHome, directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = only_run(home)
    monkeypatch.setattr(summary, "_read_files", None)
    assert only_run(home) is first
    service.rename(home, first.id, "new")
    assert only_run(home).spec is first.spec


def test_places_in_the_queue_are_counted_from_one(home: DataHome, directory: RunDirectory) -> None:
    ids = [directory.path.name, *(service.submit(home, SPEC) for _ in range(2))]
    RunStore(home).claim_next()
    assert {run.id: run.place for run in service.list_runs(home)} == dict(zip(ids, (None, 1, 2), strict=True))
    assert [service.load_run(home, run_id).place for run_id in ids] == [None, 1, 2]
    service.move(home, ids[2], "first")
    assert [service.load_run(home, run_id).place for run_id in ids] == [None, 2, 1]
