"""Workers that another runner has started: when they count as alive, and which process is asked to stop."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from medpriv_core.atomic import write_json
from medpriv_core.home import DataHome, read_json
from medpriv_core.jobs.folder import STARTUP_S
from medpriv_core.locks import hold_lock, is_held
from medpriv_core.processes import process_begun
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.launcher import LocalLauncher, Poll
from medpriv_core.runs.store import RunRow, RunStore
from medpriv_core.spec import RunSpec

GONE, ALIVE = Poll(alive=False), Poll(alive=True)
PROGRESS: dict[str, Any] = {"phase": "Training", "done": 1, "total": 2, "seconds_left": None}
YEAR_S = 365 * 24 * 3600.0


@pytest.fixture
def directory(home: DataHome) -> RunDirectory:
    """A run that a runner has claimed."""
    directory = RunDirectory(home.runs / "r")
    directory.create(RunSpec(dataset="d"))
    RunStore(home).add("r", name="r", slot="cpu")
    RunStore(home).claim_next()
    return directory


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits."""
    command = [sys.executable, "-S", "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        yield process
        process.kill()


def row(home: DataHome, **values: object) -> RunRow:
    if values:
        with RunStore(home).changing("r") as change:
            change.put(**values)
    return RunStore(home).get("r")


@pytest.mark.parametrize(
    "started_at", [time.time() + YEAR_S, time.time() - YEAR_S, 0.0], ids=["ahead", "behind", "zero"]
)
def test_a_start_is_waited_for_by_this_runners_own_clock(
    home: DataHome, directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, started_at: float
) -> None:
    claimed, launcher, now = row(home, started_at=started_at), LocalLauncher(home), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert launcher.poll(claimed, directory) == ALIVE
    now[0] += STARTUP_S - 1
    assert launcher.poll(claimed, directory) == ALIVE
    now[0] += 2
    assert launcher.poll(claimed, directory) == GONE


def test_a_worker_whose_process_is_gone_is_not_waited_for(
    home: DataHome, directory: RunDirectory, worker: subprocess.Popen[bytes]
) -> None:
    worker.kill()
    worker.wait()
    assert (
        LocalLauncher(home).poll(
            row(home, handle=f"{worker.pid} some boot 1", started_at=time.time() + YEAR_S), directory
        )
        == GONE
    )


def test_a_worker_that_was_at_work_and_is_not_any_more_is_gone_at_once(home: DataHome, directory: RunDirectory) -> None:
    launcher = LocalLauncher(home)
    with hold_lock(directory.lock):
        directory.write_progress(**PROGRESS)
        assert launcher.poll(row(home), directory) == ALIVE
    assert launcher.poll(row(home), directory) == GONE


def test_a_worker_that_arrives_between_two_looks_is_not_taken_for_dead(
    home: DataHome, directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as arrived:

        def arrive(self: RunDirectory, start: object) -> bool:
            arrived.enter_context(hold_lock(directory.lock))
            return False  # it has said a word

        monkeypatch.setattr(RunDirectory, "is_starting", arrive)
        assert LocalLauncher(home).poll(row(home), directory) == ALIVE
    assert not is_held(directory.lock)


def test_the_process_that_says_it_is_the_worker_is_asked_to_stop(
    home: DataHome, directory: RunDirectory, worker: subprocess.Popen[bytes]
) -> None:
    launcher = LocalLauncher(home)
    # About to start, by a runner of 0.1.0: its number is known, and who it is not yet.
    assert not launcher.stop(row(home, handle=f"{worker.pid}"), force=False)
    write_json(directory.path / "progress.json", PROGRESS | {"pid": worker.pid, "begun": process_begun(worker.pid)})
    assert launcher.stop(row(home), force=True)
    assert worker.wait() < 0


def test_a_later_runner_finds_a_worker_that_has_not_said_a_word_by_its_handle(
    home: DataHome, directory: RunDirectory, worker: subprocess.Popen[bytes]
) -> None:
    handle = f"{worker.pid} {process_begun(worker.pid)}"
    assert LocalLauncher(home).poll(row(home, handle=handle), directory) == ALIVE
    assert LocalLauncher(home).stop(row(home), force=True)
    assert worker.wait() < 0
    assert LocalLauncher(home).poll(row(home), directory) == GONE


@pytest.mark.parametrize("handle", ["", "cluster job 7", "-1 x", "٣ x", "9" * 40, "9" * 5000])
def test_a_handle_that_is_no_process_of_this_machine_gets_no_signal(
    home: DataHome, directory: RunDirectory, handle: str
) -> None:
    assert not LocalLauncher(home).stop(row(home, handle=handle), force=True)
    LocalLauncher(home).poll(row(home), directory)


@pytest.mark.parametrize("begun", ["another boot 4711", None])
@pytest.mark.parametrize("force", [False, True])
def test_somebody_elses_process_with_the_workers_number_gets_no_signal(
    home: DataHome, directory: RunDirectory, worker: subprocess.Popen[bytes], begun: str | None, force: bool
) -> None:
    write_json(directory.path / "progress.json", PROGRESS | {"pid": worker.pid, "begun": begun})
    with hold_lock(directory.lock):
        assert not LocalLauncher(home).stop(row(home, handle=f"{worker.pid} {begun or ''}"), force=force)
    assert worker.poll() is None


def test_a_worker_says_who_it_is_and_pages_do_not_hear_of_it(directory: RunDirectory) -> None:
    directory.write_progress(phase="Training", done=1, total=2, seconds_left=None)

    assert {"pid", "begun"} <= read_json(directory.path / "progress.json").keys()
    assert directory.read_progress() == PROGRESS
