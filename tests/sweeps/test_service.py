"""Sweeps as units: queued, continued, stopped, resumed, deleted, and read from damaged files."""

from __future__ import annotations

import time
from typing import Any

import pytest

from medpriv_core.checksums import read_sealed, write_sealed
from medpriv_core.errors import DataHomeError, RunError, SettingError
from medpriv_core.home import DataHome
from medpriv_core.runs import service as runs
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from medpriv_core.sweeps import service
from medpriv_core.sweeps.grid import Grid, vary
from tests.sweeps.conftest import EndRun

BASE: dict[str, Any] = {"dataset": "synthetic_chest", "weights": "none", "epochs": 4}
GRID = Grid(BASE, (vary("seed", range(4)),))


def submit(home: DataHome, grid: Grid = GRID, title: str = "Seeds") -> str:
    return service.submit(home, grid, title=title)


def states(home: DataHome, sweep_id: str) -> list[str]:
    return list(service.load_sweep(home, sweep_id).states)


def test_every_run_is_queued_in_order_named_and_tagged(home: DataHome) -> None:
    sweep_id = submit(home)
    queued = list(reversed(runs.list_runs(home)))
    assert [run.spec.seed for run in queued if run.spec] == [0, 1, 2, 3]
    assert {run.tags for run in queued} == {("Seeds",)}
    assert [run.name.rpartition(" · ")[2] for run in queued] == [f"seed {seed}" for seed in range(4)]
    status = service.load_sweep(home, sweep_id)
    assert status.run_ids == [run.id for run in queued]
    assert (status.state, status.done, status.total, status.share) == ("waiting", 0, 4, 0.0)
    assert status.seconds_left is not None


def test_progress_follows_the_runs(home: DataHome, end_next: EndRun) -> None:
    sweep_id = submit(home)
    end_next("finished")
    RunStore(home).claim_next()
    status = service.load_sweep(home, sweep_id)
    assert (status.state, status.done, status.share) == ("running", 1, 0.25)
    RunStore(home).end(status.run_ids[1], "failed", "It broke.")
    end_next("finished")
    end_next("finished")
    assert states(home, sweep_id) == ["finished", "failed", "finished", "finished"]
    status = service.load_sweep(home, sweep_id)
    assert (status.state, status.to_resume, status.seconds_left) == ("stopped", 1, None)


def test_time_left_follows_the_pace_of_the_runs_that_are_done(
    home: DataHome, end_next: EndRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep_id = submit(home)
    first, *rest = service.load_sweep(home, sweep_id).sweep.runs
    now = time.time()
    # Claimed at one moment and ended at another: the clock stands still in between.
    moments = iter([now, now + 3 * first.estimate_s])
    monkeypatch.setattr("medpriv_core.runs.store.time.time", lambda: next(moments))
    end_next("finished")
    expected = 3 * sum(run.estimate_s for run in rest)
    assert service.load_sweep(home, sweep_id).seconds_left == pytest.approx(expected)


def test_the_same_grid_again_trains_nothing_again(home: DataHome, end_next: EndRun) -> None:
    first = submit(home)
    end_next("finished")
    again = submit(home, title="Once more")
    assert len(runs.list_runs(home)) == 4
    status = service.load_sweep(home, again)
    assert status.run_ids == service.load_sweep(home, first).run_ids
    assert all(run.reused for run in status.sweep.runs)


def test_stop_takes_all_off_the_queue_and_resume_puts_them_back(home: DataHome, end_next: EndRun) -> None:
    sweep_id = submit(home)
    end_next("finished")
    other = runs.submit(home, RunSpec(**BASE, seed=99))
    assert service.stop(home, sweep_id) == 3
    assert states(home, sweep_id) == ["finished", "cancelled", "cancelled", "cancelled"]
    assert runs.load_run(home, other).state == "queued"
    assert service.stop(home, sweep_id) == 0
    assert service.resume(home, sweep_id) == 3
    assert states(home, sweep_id) == ["finished", "queued", "queued", "queued"]
    assert service.resume(home, sweep_id) == 0


def test_a_running_run_is_asked_to_stop_last(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep_id = submit(home)
    running = RunStore(home).claim_next()
    assert running is not None
    order: list[str] = []
    cancel = runs.cancel
    monkeypatch.setattr(runs, "cancel", lambda home, run_id: (order.append(run_id), cancel(home, run_id)))
    service.stop(home, sweep_id)
    assert order[-1] == running.id
    assert runs.load_run(home, running.id).stopping
    assert service.load_sweep(home, sweep_id).state == "stopping"


def test_runs_of_others_that_were_reused_go_on(home: DataHome) -> None:
    there = runs.submit(home, RunSpec(**BASE, seed=2))
    sweep_id = submit(home)
    assert service.stop(home, sweep_id) == 3
    assert runs.load_run(home, there).state == "queued"


def test_a_sweep_cut_off_by_a_full_disk_says_so_and_is_continued(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, count = runs.submit, 0

    def fill(*args: Any, **options: Any) -> str:
        nonlocal count
        count += 1
        if count > 2:
            raise DataHomeError("The disk is full.")
        return whole(*args, **options)

    monkeypatch.setattr(runs, "submit", fill)
    with pytest.raises(RunError, match=r"2 of 4 runs are in the queue.*The disk is full\. Put that right"):
        submit(home)
    (status,) = service.list_sweeps(home).sweeps
    assert status.states == ("queued", "queued", "missing", "missing")
    assert status.to_resume == 2
    monkeypatch.setattr(runs, "submit", whole)
    assert service.resume(home, status.sweep.id) == 2
    assert states(home, status.sweep.id) == ["queued"] * 4
    assert len(runs.list_runs(home)) == 4


def test_a_process_killed_while_queueing_leaves_nothing_to_be_trained_twice(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, count = runs.submit, 0

    def die(*args: Any, **options: Any) -> str:
        nonlocal count
        count += 1
        if count > 3:
            raise KeyboardInterrupt
        return whole(*args, **options)

    monkeypatch.setattr(runs, "submit", die)
    with pytest.raises(KeyboardInterrupt):
        submit(home)
    monkeypatch.setattr(runs, "submit", whole)
    (status,) = service.list_sweeps(home).sweeps
    assert "missing" in status.states
    assert service.resume(home, status.sweep.id) == 1
    assert len(runs.list_runs(home)) == 4
    # They are its own, so that it may stop them.
    assert service.stop(home, status.sweep.id) == 4


def test_deleted_runs_come_back_instead_of_spending_again(home: DataHome, end_next: EndRun) -> None:
    sweep_id = submit(home)
    for _ in range(4):
        end_next("finished")
    first = service.load_sweep(home, sweep_id).run_ids[0]
    runs.delete(home, first)
    assert states(home, sweep_id)[0] == "missing"
    assert service.resume(home, sweep_id) == 0
    assert states(home, sweep_id) == ["finished"] * 4
    assert len(runs.list_runs(home)) == 4


def test_deleting_a_sweep_keeps_its_runs(home: DataHome) -> None:
    sweep_id = submit(home)
    service.delete(home, sweep_id)
    assert service.list_sweeps(home).sweeps == ()
    assert len(runs.list_runs(home)) == 4
    with pytest.raises(RunError, match=f"There is no sweep {sweep_id}"):
        service.delete(home, sweep_id)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1}', "\xff", '{"version": "1"}'])
def test_a_damaged_file_is_told_and_the_others_are_shown(home: DataHome, content: str) -> None:
    good, bad = submit(home), submit(home, title="To be damaged")
    file = home.root / "sweeps" / f"{bad}.json"
    file.write_bytes(content.encode("latin-1"))
    found = service.list_sweeps(home)
    assert [status.sweep.id for status in found.sweeps] == [good]
    (complaint,) = found.complaints
    assert bad in complaint
    assert "damaged" in complaint
    with pytest.raises(RunError, match="damaged"):
        service.stop(home, bad)
    service.delete(home, bad)
    assert service.list_sweeps(home).complaints == ()


def test_a_sweep_of_a_newer_version_is_told(home: DataHome) -> None:
    sweep_id = submit(home)
    file = home.root / "sweeps" / f"{sweep_id}.json"
    write_sealed(file, read_sealed(file).values | {"version": 2})
    assert "newer version" in service.list_sweeps(home).complaints[0]


@pytest.mark.parametrize("wrong", ["nothing", "../../etc/passwd", "20260101-000000-00000000"])
def test_there_is_no_sweep_of_that_id(home: DataHome, wrong: str) -> None:
    for action in (service.load_sweep, service.stop, service.resume, service.delete):
        with pytest.raises(RunError, match="There is no sweep"):
            action(home, wrong)


@pytest.mark.parametrize("title", ["", "  ", "x" * 81])
def test_impossible_titles_are_refused_with_nothing_queued(home: DataHome, title: str) -> None:
    with pytest.raises(SettingError, match="title"):
        submit(home, title=title)
    assert not home.root.exists()


def test_ten_thousand_runs_are_refused_with_nothing_queued(home: DataHome) -> None:
    huge = Grid(BASE, (vary("seed", range(100)), vary("epochs", range(1, 101))))
    with pytest.raises(SettingError, match="10,000 runs"):
        submit(home, huge)
    assert runs.list_runs(home) == []
    assert service.list_sweeps(home) == service.SweepList((), ())
