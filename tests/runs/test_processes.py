"""Real processes: runner, worker and kill -9, on the smallest run there is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medpriv_core import home_rights
from medpriv_core.errors import RunError
from medpriv_core.home import DataHome
from medpriv_core.locks import is_held
from medpriv_core.runs import service
from medpriv_core.runs.runner import run_runner
from medpriv_core.runs.service import Run
from medpriv_core.spec import RunSpec
from tests.processes import processes
from tests.small_data import NAME, add_small_dataset

# A random network that computes 28-pixel features once: the epochs cost next to nothing.
TINY = RunSpec(dataset=NAME, image_size=28, weights="none", epochs=2, batch_size=8, device="cpu")
LONG = TINY.changed(trainable="all", epochs=1000)
PATIENCE_S = 120.0


@pytest.fixture
def clean_home(home: DataHome, tmp_path: Path) -> Iterator[DataHome]:
    """A data home with a small dataset, whose processes are gone after the test."""
    add_small_dataset(home, tmp_path, train=16, test=8)
    yield home
    for process in processes(home):
        process.kill()


def wait_for(home: DataHome, run_id: str, condition: Callable[[Run], object]) -> Run:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        run = service.load_run(home, run_id)
        if condition(run):
            return run
        time.sleep(0.1)
    raise AssertionError(f"still {run.state} ({run.progress}): {service.read_log(home, run_id)}")


def test_a_run_finishes_in_the_background_and_all_that_it_leaves_behind_is_its_owners_alone(
    clean_home: DataHome,
) -> None:
    before = os.umask(0o000)  # as open as can be, also for the processes that are started
    try:
        run_id = service.submit(clean_home, TINY.changed(method="local_dp", beta=1.0), name="noised")
        run = wait_for(clean_home, run_id, lambda run: run.ended)
    finally:
        os.umask(before)
    assert run.state == "finished", service.read_log(clean_home, run_id)
    assert [row.epoch for row in run.epochs] == [1, 2]
    assert [found.id for found in service.list_runs(clean_home)] == [run_id]
    with pytest.raises(RunError, match="already ended"):
        service.cancel(clean_home, run_id)
    with pytest.raises(RunError, match="only a stopped or failed run"):
        service.resume(clean_home, run_id)

    left = [clean_home.root, *clean_home.root.rglob("*")]
    assert {path.name for path in left} >= {
        "noise.secret",
        "predictions.npz",
        "checkpoint.pt",
        "features.npy",
        "runner.log",
    }
    assert [str(path) for path in left if path.lstat().st_mode & 0o077] == []
    assert home_rights._is_ours(clean_home.root, os.listdir(clean_home.root))


def test_stop_resume_and_kill(clean_home: DataHome) -> None:
    run_id = service.submit(clean_home, LONG)
    wait_for(clean_home, run_id, lambda run: run.epochs)
    assert run_runner(clean_home) is False  # a home has one runner, and it has one
    service.cancel(clean_home, run_id)
    stopped = wait_for(clean_home, run_id, lambda run: run.ended)
    assert stopped.state == "cancelled"
    done = len(stopped.epochs)

    service.resume(clean_home, run_id)
    wait_for(clean_home, run_id, lambda run: len(run.epochs) > done)

    # The runner dies: the worker goes on, and the next look brings a runner that adopts it.
    (worker,) = processes(clean_home, " worker ")
    for runner in processes(clean_home, " runner"):
        runner.kill()
        runner.wait(10)
    assert not is_held(clean_home.runner_lock)
    before = len(service.load_run(clean_home, run_id).epochs)
    wait_for(clean_home, run_id, lambda run: len(run.epochs) > before and is_held(clean_home.runner_lock))
    assert processes(clean_home, " worker ") == [worker]

    # The worker dies: the run is shown failed, and what it finished is kept.
    os.kill(worker.pid, signal.SIGKILL)
    failed = wait_for(clean_home, run_id, lambda run: run.ended)
    assert failed.state == "failed"
    assert "checkpoint" in (failed.message or "")
    assert len(failed.epochs) > before

    # Resuming a killed run continues its epochs.
    service.resume(clean_home, run_id)
    again = wait_for(clean_home, run_id, lambda run: len(run.epochs) > len(failed.epochs))
    assert [row.epoch for row in again.epochs] == list(range(1, len(again.epochs) + 1))
