"""The loop of faults in short; ``python -m benchmarks.faults`` is the long one."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import trial as trials
from benchmarks.faults import kill_everything, spoil_table, tear_last_line
from benchmarks.trial import PRIVATE, Trial
from medpriv_core.datasets.registry import content_of
from medpriv_core.home import DataHome
from medpriv_core.privacy.mechanism import mechanism_of
from medpriv_core.privacy.spent import spent_by
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spent_journal import Entry, enter
from medpriv_core.runs.spent_record import write_record
from medpriv_core.runs.store import RunStore
from tests.processes import processes
from tests.small_data import NAME, add_small_dataset


def test_what_was_shown_stays_true_whatever_is_killed_torn_or_spoilt(home: DataHome, tmp_path: Path):
    add_small_dataset(home, tmp_path)
    spec = PRIVATE.changed(dataset=NAME, image_size=28, batch_size=30, delta=1e-3)
    trial = Trial(home, seed=0, specs=[spec])
    try:
        trial.round(tear_last_line, after_epoch=True, wait_s=0.0)
        trial.round(kill_everything, after_epoch=False, wait_s=0.5)
        trial.round(spoil_table, after_epoch=True, wait_s=0.0)
        trial.finish()
    finally:
        trial.close()
    assert trial.violations == []
    assert trial.epochs_shown > 1
    assert trial.resumed >= 2


def row(epoch: int, **values: object) -> dict[str, object]:
    return {"epoch": epoch, "steps": 40 * epoch, "epsilon": 5.0, "test_accuracy": 0.5} | values


def spend(home: DataHome, *, recorded: int, entered: int) -> None:
    """Record and journal of the run r, with so many epochs."""
    directory, mechanism = RunDirectory(home.runs / "r"), mechanism_of(PRIVATE, train_size=640)
    segment = {"noise_multiplier": 2.0, "sample_rate": mechanism.sample_rate, "steps": 40 * recorded}
    write_record(directory, spent_by(mechanism, [segment], delta=1e-5, epochs=recorded, step=0, checkpoint=None))
    entry = Entry("r", mechanism, (segment | {"steps": 40 * entered},), 1e-5)
    enter(home, content_of(home, PRIVATE.dataset), [entry])


@pytest.mark.parametrize(
    ("recorded", "entered", "violation"),
    [
        (3, 3, None),
        (1, 2, "has no record of what it spent"),
        (3, 2, "The journal of the images has 80 of the 120 steps of r"),
        (None, 2, "has no record of what it spent"),
    ],
)
def test_the_loop_notices_what_is_spent_and_not_counted(
    home: DataHome, monkeypatch: pytest.MonkeyPatch, recorded: int | None, entered: int, violation: str | None
):
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    monkeypatch.setattr(service, "submit", lambda home, spec: "r")
    monkeypatch.setattr(Trial, "app", lambda trial: None)
    directory = RunDirectory(home.runs / "r")
    directory.create(PRIVATE)
    directory.write_setup({"train_size": 640})
    RunStore(home).add("r", name="r", slot="cpu")
    trial = Trial(home, seed=0, specs=[PRIVATE])
    directory.append_epochs([row(1), row(2)])
    spend(home, recorded=2, entered=2)

    def fault(trial: Trial) -> None:
        if recorded is None:
            (directory.path / "spent.json").unlink()
        else:
            spend(home, recorded=recorded, entered=entered)

    trial.round(fault, after_epoch=False, wait_s=0.001)
    assert bool(trial.violations) == (violation is not None)
    assert violation is None or any(violation in sentence for sentence in trial.violations)


@pytest.mark.parametrize(
    ("after", "violation"),
    [
        ([row(1), row(2), row(3)], None),
        ([row(1)], "Epoch 2 of r was shown and is None now"),
        ([row(1), row(2, test_accuracy=0.6)], "Epoch 2 of r was shown and is"),
        ([row(1), row(2), row(4)], "have gaps"),
        ([row(1), row(2), row(3), row(3)], "has an epoch twice"),
        ([row(1), row(2), row(3, steps=119)], "counts 119 steps"),
        ([row(1), row(2), row(3, epsilon=0.1)], "says ε = 0.1"),
    ],
)
def test_the_loop_notices_what_does_not_hold(
    home: DataHome, monkeypatch: pytest.MonkeyPatch, after: list[dict], violation: str | None
):
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    monkeypatch.setattr(service, "submit", lambda home, spec: "r")
    monkeypatch.setattr(Trial, "app", lambda trial: None)
    directory = RunDirectory(home.runs / "r")
    directory.create(PRIVATE)
    directory.write_setup({"train_size": 640})
    RunStore(home).add("r", name="r", slot="cpu")
    trial = Trial(home, seed=0, specs=[PRIVATE])
    directory.append_epochs([row(1), row(2)])
    spend(home, recorded=4, entered=4)

    def fault(trial: Trial) -> None:
        (home.runs / "r" / "metrics.jsonl").unlink()
        directory.append_epochs(after)

    trial.round(fault, after_epoch=False, wait_s=0.001)
    if violation is None:
        assert trial.violations == []
    else:
        assert any(violation in sentence for sentence in trial.violations)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_loop_notices_two_workers_at_one_run(home: DataHome, monkeypatch: pytest.MonkeyPatch, workers: int):
    monkeypatch.setattr(trials, "TWO_WORKERS_S", 0.0)
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    monkeypatch.setattr(service, "submit", lambda home, spec: "r")
    monkeypatch.setattr(Trial, "app", lambda trial: None)
    RunDirectory(home.runs / "r").create(PRIVATE)
    RunStore(home).add("r", name="r", slot="cpu")
    RunStore(home).claim_next()
    # What waits here looks like a worker from outside, and is none.
    pretence = [sys.executable, "-S", "-c", "input()", "medpriv_core", "worker", str(home.runs / "r")]
    waiting = [subprocess.Popen(pretence, stdin=subprocess.PIPE) for _ in range(workers)]
    try:
        while len(processes(home, " worker ")) < workers:
            assert all(process.poll() is None for process in waiting)
            time.sleep(0.01)
        trial = Trial(home, seed=0, specs=[PRIVATE])
        trial.round(lambda trial: None, after_epoch=False, wait_s=0.001)
        trial.look()
    finally:
        for process in waiting:
            process.communicate(b"\n")
    assert set(trial.violations) == ({"2 workers were at r."} if workers == 2 else set())
