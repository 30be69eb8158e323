"""The loop of faults in short; ``python -m benchmarks.faults`` is the long one."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import disturbances
from benchmarks import trial as trials
from benchmarks.faults import planned, summary
from benchmarks.trial import BINNED, BYSTANDER, PRIVATE, Trial
from medpriv_core.datasets.registry import content_of
from medpriv_core.home import DataHome
from medpriv_core.privacy.spent import spent_by
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.subsampled_gaussian import mechanism_of
from medpriv_core.records.epoch import read_row
from medpriv_core.records.setup import Setup
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spent_journal import Entry, enter
from medpriv_core.runs.spent_record import write_record
from medpriv_core.runs.store import RunStore
from tests.processes import processes
from tests.small_data import NAME, add_small_dataset

# What is done while a run trains, one after the other; each is left to recover.
ROUNDS = (
    disturbances.tear_last_line,
    disturbances.lock_table,
    disturbances.move_clock,
    disturbances.remove_table,
    disturbances.damage_a_copy,
)


def test_what_was_shown_stays_true_whatever_is_done(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disturbances, "FROZEN_S", (0.5,))
    monkeypatch.setattr(disturbances, "LOCKED_S", (0.5,))
    add_small_dataset(home, tmp_path, train=30, test=8)
    spec = PRIVATE.changed(dataset=NAME, image_size=28, batch_size=10, delta=1e-3)
    with disturbances.trial_clock():
        trial = Trial(home, seed=0, specs=[spec])
        try:
            for number, act in enumerate(ROUNDS):
                trial.round(act, after_epoch=number % 2 == 0, wait_s=0.2)
            trial.finish()
        finally:
            trial.close()
    assert trial.violations == []
    assert trial.epochs_shown > 3
    assert trial.resumed >= 2
    assert {act.__name__ for act in ROUNDS} <= set(trial.done)


def test_every_disturbance_of_the_chosen_kinds_is_done_once_before_lots_are_drawn() -> None:
    done = planned(["clock", "locks"], 20, small_disk=False, rng=random.Random(0))
    assert done[:4] == [
        disturbances.move_clock,
        disturbances.set_file_times,
        disturbances.remove_locks,
        disturbances.start_runners,
    ]
    assert (len(done), set(done)) == (20, {*disturbances.KINDS["clock"], *disturbances.KINDS["locks"]})
    assert disturbances.fill_disk not in planned(["disk"], 20, small_disk=False, rng=random.Random(0))
    assert disturbances.fill_disk in planned(["disk"], 20, small_disk=True, rng=random.Random(0))


def test_the_summary_counts_what_was_done_and_tells_each_violation_once(home: DataHome) -> None:
    trial = Trial(home, seed=0)
    trial.done = Counter({"kill_worker": 3})
    trial.violations = ["It is so.", "It is so.", "And so."]
    assert summary(trial)[1:] == ["NOT TRUE: It is so.", "NOT TRUE: And so.", "2 violations"]
    assert "kill_worker 3" in summary(trial)[0]


def test_the_clock_of_a_trial_moves_for_processes_that_are_started_in_it_alone() -> None:
    now = [sys.executable, "-P", "-c", "import time; print(time.time(), *time.localtime()[:1], time.strftime('%Y'))"]
    with disturbances.trial_clock():
        Path(os.environ[disturbances.CLOCK]).write_text(repr(-20 * 365 * disturbances.DAY_S))
        there, year, written = subprocess.run(now, capture_output=True, text=True, check=True).stdout.split()
        assert time.time() - float(there) > 19 * 365 * disturbances.DAY_S
        assert year == written == str(time.localtime(float(there)).tm_year)
    assert disturbances.CLOCK not in os.environ
    after = subprocess.run(now, capture_output=True, text=True, check=True).stdout.split()
    assert time.time() - float(after[0]) < disturbances.DAY_S


@pytest.fixture
def still(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """A trial of one run at which nobody works."""
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    monkeypatch.setattr(service, "submit", lambda home, spec: "r")
    monkeypatch.setattr(Trial, "app", lambda trial: None)
    RunDirectory(home.runs / "r").create(PRIVATE)
    RunDirectory(home.runs / "r").write_setup(Setup.from_dict({"train_size": 640}))
    RunStore(home).add("r", name="r", slot="cpu")
    return Trial(home, seed=0, specs=[PRIVATE])


def purge_the_bin(trial: Trial) -> None:
    service.purge(trial.home, BINNED)


def lose_a_row(trial: Trial) -> None:
    with RunStore(trial.home).changing("r") as change:
        change.remove()


def change_a_bystander(trial: Trial) -> None:
    (trial.home.runs / BYSTANDER / "metrics.jsonl").unlink()


def end_in_an_internal_error(trial: Trial) -> None:
    store = RunStore(trial.home)
    store.claim_next()
    store.end("r", "failed", "The worker stopped on an internal error (KeyError).")


@pytest.mark.parametrize(
    ("act", "violation"),
    [
        (lambda trial: None, None),
        (purge_the_bin, f"Nothing was done to {BINNED}"),
        (change_a_bystander, f"Nothing was done to {BYSTANDER}"),
        (end_in_an_internal_error, "r ended in an internal error"),
    ],
)
def test_the_loop_notices_what_is_lost_beside_it(still: Trial, act: Any, violation: str | None) -> None:
    still.round(act, after_epoch=False, wait_s=0.001)
    assert bool(still.violations) == (violation is not None)
    assert violation is None or any(violation in sentence for sentence in still.violations)


def test_the_loop_notices_a_run_that_is_not_listed(still: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    still.round(lambda trial: None, after_epoch=False, wait_s=0.001)
    (run,) = still.look()
    monkeypatch.setattr(service, "load_run", lambda home, run_id: replace(run))
    lose_a_row(still)
    still.look()
    assert still.violations == ["r is not in the list."]


def test_a_clock_that_nobody_looks_at_is_noticed(still: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trial, "watch", lambda trial, condition, *, for_s: True)
    with disturbances.trial_clock():
        disturbances.move_clock(still)
    assert still.violations == ["The clock was not moved: no process has looked at the trial's."]


def row(epoch: int, **values: object) -> dict[str, Any]:
    return {"epoch": epoch, "steps": 40 * epoch, "epsilon": 5.0, "delta": 1e-5, "test_accuracy": 0.5} | values


def spend(home: DataHome, *, recorded: int, entered: int) -> None:
    """Record and journal of the run r, with so many epochs."""
    directory, mechanism = RunDirectory(home.runs / "r"), mechanism_of(PRIVATE, train_size=640)
    segment = Steps(2.0, mechanism.sample_rate, 40 * recorded)
    write_record(directory, spent_by(mechanism, [segment], delta=1e-5, epochs=recorded, step=0, checkpoint=None))
    entry = Entry("r", mechanism, (segment._replace(count=40 * entered),), 1e-5)
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
) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    monkeypatch.setattr(service, "submit", lambda home, spec: "r")
    monkeypatch.setattr(Trial, "app", lambda trial: None)
    directory = RunDirectory(home.runs / "r")
    directory.create(PRIVATE)
    directory.write_setup(Setup.from_dict({"train_size": 640}))
    RunStore(home).add("r", name="r", slot="cpu")
    trial = Trial(home, seed=0, specs=[PRIVATE])
    directory.append_epochs(map(read_row, [row(1), row(2)]))
    spend(home, recorded=2, entered=2)

    def fault(trial: Trial) -> None:
        if recorded is None:
            (directory.path / "spent.json").unlink()
        else:
            spend(home, recorded=recorded, entered=entered)

    trial.round(fault, after_epoch=False, wait_s=0.001)
    assert bool(trial.violations) == (violation is not None)
    assert violation is None or any(violation in sentence for sentence in trial.violations), trial.violations


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
    home: DataHome, monkeypatch: pytest.MonkeyPatch, after: list[dict[str, Any]], violation: str | None
) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    monkeypatch.setattr(service, "submit", lambda home, spec: "r")
    monkeypatch.setattr(Trial, "app", lambda trial: None)
    directory = RunDirectory(home.runs / "r")
    directory.create(PRIVATE)
    directory.write_setup(Setup.from_dict({"train_size": 640}))
    RunStore(home).add("r", name="r", slot="cpu")
    trial = Trial(home, seed=0, specs=[PRIVATE])
    directory.append_epochs(map(read_row, [row(1), row(2)]))
    spend(home, recorded=4, entered=4)

    def fault(trial: Trial) -> None:
        (home.runs / "r" / "metrics.jsonl").unlink()
        directory.append_epochs(map(read_row, after))

    trial.round(fault, after_epoch=False, wait_s=0.001)
    if violation is None:
        assert trial.violations == []
    else:
        assert any(violation in sentence for sentence in trial.violations), trial.violations


@pytest.mark.parametrize("workers", [1, 2])
def test_the_loop_notices_two_workers_at_one_run(home: DataHome, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
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
