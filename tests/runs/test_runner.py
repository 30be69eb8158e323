"""The runner, with a launcher whose workers the test controls."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medpriv_core import extras
from medpriv_core.errors import DiskFullError
from medpriv_core.home import DataHome
from medpriv_core.locks import hold_lock, is_held, lock_at
from medpriv_core.records.outcome import Outcome
from medpriv_core.runs import runner as runner_module
from medpriv_core.runs import service
from medpriv_core.runs.deletion import DAY_S
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.launcher import Launcher, Poll
from medpriv_core.runs.runner import Runner
from medpriv_core.runs.store import LOCAL, RunRow, RunStore
from tests.runs.workers import Workers, queue


@pytest.fixture
def store(home: DataHome) -> RunStore:
    return RunStore(home)


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def runner(home: DataHome, workers: Workers) -> Runner:
    return Runner(home, {LOCAL: lambda _: workers})


def test_an_empty_queue_is_nothing_to_do(runner: Runner) -> None:
    assert not runner.tick()


def test_a_queued_run_is_started_and_its_handle_recorded(home: DataHome, runner: Runner, store: RunStore) -> None:
    queue(home, "a")
    assert runner.tick()
    assert store.get("a").state == "running"
    assert store.get("a").handle == "job 4242"


@pytest.mark.parametrize(("state", "message"), [("finished", None), ("failed", "The sentence."), ("cancelled", None)])
def test_the_outcome_file_decides(
    home: DataHome, runner: Runner, store: RunStore, workers: Workers, state: str, message: str | None
) -> None:
    directory = queue(home, "a")
    runner.tick()
    directory.write_outcome(Outcome(state, message))  # type: ignore[arg-type]
    workers.polls["a"] = Poll(alive=False, exit_code=1)
    runner.tick()
    assert (store.get("a").state, store.get("a").message) == (state, message)


@pytest.mark.parametrize(
    ("exit_code", "sentence"),
    [(-9, "killed"), (-11, "ended by signal 11"), (1, "exit code 1"), (None, "gone and left no word")],
)
def test_a_worker_gone_without_an_outcome_has_failed(
    home: DataHome, runner: Runner, store: RunStore, workers: Workers, exit_code: int | None, sentence: str
) -> None:
    queue(home, "a")
    runner.tick()
    workers.polls["a"] = Poll(alive=False, exit_code=exit_code)
    runner.tick()
    assert store.get("a").state == "failed"
    assert sentence in (store.get("a").message or "")


@pytest.mark.parametrize(("saved", "then"), [(True, "continues from its last checkpoint"), (False, "begins anew")])
def test_a_killed_run_says_what_resume_would_do(
    home: DataHome, runner: Runner, store: RunStore, workers: Workers, saved: bool, then: str
) -> None:
    directory = queue(home, "a")
    runner.tick()
    if saved:
        directory.checkpoint.write_bytes(b"")
    workers.polls["a"] = Poll(alive=False, exit_code=-9)
    runner.tick()
    assert then in (store.get("a").message or "")


def test_a_run_left_running_by_a_dead_machine_is_marked_failed(home: DataHome, runner: Runner, store: RunStore) -> None:
    queue(home, "a")
    store.claim_next()
    runner.tick()
    assert store.get("a").state == "failed"


def test_cancel_asks_once_then_kills_after_the_grace(
    home: DataHome, runner: Runner, store: RunStore, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(home, "a")
    runner.tick()
    store.cancel("a")
    for _ in range(3):
        runner.tick()
    assert workers.stopped == [("a", False)]
    assert RunDirectory(home.runs / "a").is_asked_to_stop
    monkeypatch.setattr(runner_module, "STOP_GRACE_S", 0.0)
    runner.tick()
    assert workers.stopped[-1] == ("a", True)
    workers.polls["a"] = Poll(alive=False, exit_code=-9)
    runner.tick()
    assert store.get("a").state == "cancelled"


def test_a_worker_that_cannot_be_started_fails_its_run_and_not_the_next(
    home: DataHome, runner: Runner, store: RunStore, workers: Workers
) -> None:
    queue(home, "a")
    workers.refuse = True
    runner.tick()
    assert "could not be started" in (store.get("a").message or "")
    workers.refuse = False
    queue(home, "b")
    runner.tick()
    assert store.get("b").state == "running"


def test_without_torch_runs_wait_and_what_trains_is_looked_after(
    home: DataHome, runner: Runner, store: RunStore, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started, each would fail at once, and nothing of the queue would be left for an installation that can train."""
    queue(home, "a")
    runner.tick()
    monkeypatch.setattr(extras, "is_installed", lambda module: module != "torch")
    queue(home, "b")
    assert runner.tick()
    workers.polls["a"] = Poll(alive=False, exit_code=-9)
    assert runner.tick()
    assert (store.get("a").state, store.get("b").state) == ("failed", "queued")
    assert not runner.tick()  # so that the runner leaves instead of asking for ever
    assert runner_module.run_runner(home, idle_exit_s=0.0)


def test_without_torch_no_runner_is_started_for_what_waits(
    home: DataHome, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[object, ...]] = []
    queue(home, "a")
    monkeypatch.setattr(extras, "is_installed", lambda module: module != "torch")
    monkeypatch.setattr(runner_module, "start_process", lambda *command, **_: started.append(command))
    runner_module.ensure_runner(home)
    assert started == []
    assert store.get("a").state == "queued"


def test_two_runners_that_fight_never_put_two_runs_on_one_device(home: DataHome, store: RunStore) -> None:
    for number in range(6):
        queue(home, str(number)).write_outcome(Outcome("finished"))  # whoever looks, finds that the worker is done
    crowds: list[int] = []

    class Counting(Workers):
        def start(self, row: RunRow, directory: RunDirectory) -> str:
            crowds.append(len(store.in_state("running")))
            return "job 4242"

    def fight() -> None:
        runner = Runner(home, {LOCAL: lambda _: Counting()})
        while runner.tick():
            pass

    fighters = [threading.Thread(target=fight) for _ in range(2)]
    for fighter in fighters:
        fighter.start()
    for fighter in fighters:
        fighter.join()
    # None where the other runner, which finds the outcome too, ended the run before its own start was counted.
    assert len(crowds) == 6
    assert max(crowds) == 1
    assert {row.state for row in store.all()} == {"finished"}


def test_a_worker_that_cannot_be_found_yet_is_asked_again(
    home: DataHome, runner: Runner, store: RunStore, workers: Workers
) -> None:
    queue(home, "a")
    runner.tick()
    store.cancel("a")
    workers.found = False
    runner.tick()
    workers.found = True
    for _ in range(2):
        runner.tick()
    assert workers.stopped == [("a", False), ("a", False)]


def test_a_launcher_from_elsewhere_starts_finds_and_stops_the_runs_that_name_it(
    home: DataHome, store: RunStore
) -> None:
    """As docs/architecture.md says under "Adding things": four methods and a name."""
    jobs: list[tuple[str, ...]] = []

    class Cluster:
        def __init__(self, home: DataHome) -> None:
            self._runs = home.runs

        def slots(self, wanted: str) -> tuple[str, ...]:
            return ("node 1", "node 2")

        def start(self, row: RunRow, directory: RunDirectory) -> str:
            jobs.append(("queued", row.id, row.slot))
            return f"cluster job {len(jobs)}"

        def poll(self, row: RunRow, directory: RunDirectory) -> Poll:
            return Poll(alive=directory.read_outcome() is None)

        def stop(self, row: RunRow, *, force: bool) -> bool:
            jobs.append(("stopped", row.handle or ""))
            return True

    here = Workers()
    launchers: dict[str, Callable[[DataHome], Launcher]] = {LOCAL: lambda _: here, "cluster": Cluster}
    there = queue(home, "there", launcher="cluster")
    queue(home, "here")
    Runner(home, launchers).tick()
    # Each has devices of its own.
    assert {row.id: row.handle for row in store.in_state("running")} == {"there": "cluster job 1", "here": "job 4242"}
    store.cancel("there")
    Runner(home, launchers).tick()  # another process, after a restart
    assert jobs == [("queued", "there", "node 1"), ("stopped", "cluster job 1")]
    assert there.is_asked_to_stop
    there.write_outcome(Outcome("cancelled"))
    Runner(home, launchers).tick()
    assert store.get("there").state == "cancelled"


def test_a_run_of_a_launcher_that_is_not_known_here_is_refused_with_its_name(home: DataHome, store: RunStore) -> None:
    queue(home, "a", launcher="cluster")
    Runner(home).tick()
    assert store.get("a").state == "failed"
    assert "queued for the launcher cluster, which this medpriv does not know" in (store.get("a").message or "")


def test_one_that_such_a_launcher_has_started_is_left_alone_while_its_worker_lives_and_can_be_stopped(
    home: DataHome, store: RunStore
) -> None:
    directory = queue(home, "a", launcher="cluster")
    store.claim_next()
    store.cancel("a")
    with hold_lock(directory.lock):
        Runner(home).tick()
        assert store.get("a").state == "running"
        assert directory.is_asked_to_stop
    directory.write_outcome(Outcome("cancelled"))
    Runner(home).tick()
    assert store.get("a").state == "cancelled"


@pytest.mark.parametrize("days", [31, 32])
def test_what_it_has_seen_in_the_bin_on_enough_days_is_purged_by_the_runner(
    home: DataHome, store: RunStore, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    queue(home, "a")
    store.cancel("a")
    with store.changing("a") as change:
        change.put(deleted_at=1.0)
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(runner_module, "TICK_S", 0.0)
    for _ in range(days):
        assert runner_module.run_runner(home, idle_exit_s=0.01)
        now[0] += DAY_S
    assert [row.id for row in store.all(deleted=True)] == ([] if days == 32 else ["a"])


def test_a_full_disk_does_not_end_the_runner(home: DataHome, store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks, now = [], [0.0]

    def tick(runner: Runner) -> bool:
        ticks.append(now[0])
        now[0] += 100.0
        if len(ticks) < 4:
            raise DiskFullError("full")
        return False

    monkeypatch.setattr(Runner, "tick", tick)
    monkeypatch.setattr(runner_module, "FULL_DISK_S", 0.0)
    monkeypatch.setattr(runner_module, "TICK_S", 0.0)
    monkeypatch.setattr(runner_module.time, "monotonic", lambda: now[0])
    assert runner_module.run_runner(home, idle_exit_s=50.0)
    assert len(ticks) == 4


def test_a_runner_whose_lock_was_removed_takes_it_again_or_leaves(
    home: DataHome, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[bool] = []
    other = lock_at(home.runner_lock)

    def tick(runner: Runner) -> bool:
        ticks.append(is_held(home.runner_lock))
        home.runner_lock.unlink()
        if len(ticks) == 3:
            other.acquire(timeout=0)
        return True

    monkeypatch.setattr(Runner, "tick", tick)
    monkeypatch.setattr(runner_module, "TICK_S", 0.0)
    assert not runner_module.run_runner(home)
    assert ticks == [True] * 3
    assert is_held(home.runner_lock)
    other.release()


def test_a_folder_that_was_deleted_while_its_run_trained_is_said(
    home: DataHome, runner: Runner, store: RunStore, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    directory = queue(home, "a")
    queue(home, "b")
    runner.tick()
    shutil.rmtree(directory.path)
    workers.polls["a"] = Poll(alive=False, exit_code=2)
    runner.tick()
    run, other = (service.load_run(home, run_id) for run_id in ("a", "b"))
    assert (run.state, store.get("a").message) == ("failed", runner_module.FOLDER_GONE)
    assert other.state == "running"
    assert {summary.id for summary in service.list_runs(home)} == {"a", "b"}
    service.rename(home, "a", "gone")
    service.delete(home, "a")
    service.purge(home, "a")
    assert not directory.path.exists()
    assert [summary.id for summary in service.list_runs(home)] == ["b"]


def test_a_worker_whose_folder_is_gone_is_not_started(home: DataHome, store: RunStore) -> None:
    directory = queue(home, "a")
    shutil.rmtree(directory.path)
    Runner(home).tick()
    row = store.get("a")
    assert (row.state, "was removed while it waited" in (row.message or "")) == ("failed", True)
    assert not directory.path.exists()


def test_what_a_killed_worker_left_half_made_is_removed(home: DataHome, runner: Runner, workers: Workers) -> None:
    queue(home, "a")
    runner.tick()
    part = home.prepared / "0123-28" / ".laplace-per_pixel-1.0a1b2c3d.part"
    part.mkdir(parents=True)
    workers.polls["a"] = Poll(alive=False, exit_code=-9)
    runner.tick()
    assert not part.exists()


def test_a_log_that_leads_elsewhere_fails_its_run_and_is_not_written_to(
    home: DataHome, store: RunStore, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("precious")
    queue(home, "a").log.symlink_to(tmp_path / "precious")
    Runner(home).tick()
    assert "worker.log is a link" in (store.get("a").message or "")
    assert (tmp_path / "precious").read_text() == "precious"
