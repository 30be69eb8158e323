"""Putting runs away, bringing them back, and removing them for good."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medpriv_core.errors import DiskFullError, RunError
from medpriv_core.home import DataHome
from medpriv_core.locks import hold_lock
from medpriv_core.runs import deletion, service
from medpriv_core.runs.deletion import DAY_S, DAYS_SEEN, bytes_of, purge_expired
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec

NOW = 1_800_000_000.0
SetClock = Callable[[float], None]


@pytest.fixture
def run_id(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> str:
    """A stopped run."""
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    run_id = service.submit(home, RunSpec(dataset="synthetic_chest", weights="none"))
    service.cancel(home, run_id)
    return run_id


def ids(home: DataHome, *, deleted: bool = False) -> list[str]:
    return [run.id for run in service.list_runs(home, deleted=deleted)]


def test_a_deleted_run_is_in_the_other_list_and_comes_back_whole(home: DataHome, run_id: str) -> None:
    service.delete(home, run_id)
    assert (ids(home), ids(home, deleted=True)) == ([], [run_id])
    assert RunDirectory(home.runs / run_id).read_labels()["deleted_at"] == service.load_run(home, run_id).deleted_at
    service.restore(home, run_id)
    assert (ids(home), ids(home, deleted=True)) == ([run_id], [])
    assert RunDirectory(home.runs / run_id).read_labels()["deleted_at"] is None


def test_what_waits_or_trains_is_not_deleted(home: DataHome, run_id: str) -> None:
    service.resume(home, run_id)
    with pytest.raises(RunError, match="is queued; stop it first"):
        service.delete(home, run_id)
    RunStore(home).claim_next()
    with pytest.raises(RunError, match="is running; stop it first"):
        service.delete(home, run_id)
    assert ids(home) == [run_id]


def test_a_deleted_run_is_neither_resumed_nor_extended(home: DataHome, run_id: str) -> None:
    service.delete(home, run_id)
    run = service.load_run(home, run_id)
    assert not run.resumable
    assert not run.extendable
    for act in (service.resume, lambda home, run_id: service.extend(home, run_id, epochs=20)):
        with pytest.raises(RunError, match="has been removed; restore it first"):
            act(home, run_id)
    assert RunStore(home).claim_next() is None


def test_purging_removes_the_folder_and_only_of_what_was_deleted(home: DataHome, run_id: str) -> None:
    with pytest.raises(RunError, match="has not been removed"):
        service.purge(home, run_id)
    service.delete(home, run_id)
    with hold_lock(home.runs / run_id / "worker.lock"), pytest.raises(RunError, match="A worker is still at run"):
        service.purge(home, run_id)
    assert (home.runs / run_id / "spec.json").exists()
    service.purge(home, run_id)
    assert ids(home, deleted=True) == []
    assert not (home.runs / run_id).exists()


def test_a_run_is_purged_once_it_was_seen_in_the_bin_on_enough_days(
    home: DataHome, run_id: str, clock: SetClock
) -> None:
    service.delete(home, run_id)
    for day in range(DAYS_SEEN - 1):
        clock(NOW + day * DAY_S)
        assert purge_expired(home) == 0
        assert purge_expired(home) == 0
    assert (home.runs / run_id / "spec.json").exists()
    clock(NOW + (DAYS_SEEN - 1) * DAY_S)
    assert purge_expired(home) == 1
    assert not (home.runs / run_id).exists()
    # The first and the last of these days lie this far apart at least, also where it was deleted late in the evening.
    assert (DAYS_SEEN - 2) * DAY_S >= 30 * 24 * 3600


@pytest.mark.parametrize(
    "jumps",
    [
        [0, 40, 0, 0, 0],  # ahead for a moment
        [0, -40, 0, -40, 0],  # back, and again
        [0, *([40, 0] * 100)],  # to and fro
        [40, 0, -20_000, 40, 20_000],
        [0, 60],  # suspended, or switched off, for two months
        [0, *[40 + step / 25 for step in range(500)]],  # ahead for most of three weeks
    ],
    ids=["ahead", "back", "to and fro", "everywhere", "suspended", "ahead for long"],
)
def test_a_clock_that_jumps_empties_no_bin(home: DataHome, run_id: str, clock: SetClock, jumps: list[float]) -> None:
    service.delete(home, run_id)
    for days in jumps:
        clock(NOW + days * DAY_S)
        assert purge_expired(home) == 0
    clock(NOW)
    service.restore(home, run_id)
    assert ids(home) == [run_id]


@pytest.mark.parametrize("deleted_at", [0.0, 1.0, NOW - 400 * DAY_S, NOW + 400 * DAY_S])
def test_a_clock_that_was_wrong_when_a_run_was_deleted_changes_nothing(
    home: DataHome, run_id: str, clock: SetClock, deleted_at: float
) -> None:
    clock(deleted_at)
    service.delete(home, run_id)
    for day in range(DAYS_SEEN - 1):
        clock(NOW + day * DAY_S)
        assert purge_expired(home) == 0
    clock(NOW + DAYS_SEEN * DAY_S)
    assert purge_expired(home) == 1


def test_days_are_counted_anew_after_a_run_was_brought_back(home: DataHome, run_id: str, clock: SetClock) -> None:
    service.delete(home, run_id)
    for day in range(DAYS_SEEN - 1):
        clock(NOW + day * DAY_S)
        purge_expired(home)
    service.restore(home, run_id)
    service.delete(home, run_id)
    clock(NOW + DAYS_SEEN * DAY_S)
    assert purge_expired(home) == 0
    assert len(json.loads(home.bin_days.read_text())[run_id]["days"]) == 1


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b'{"RUN": 1}', b'{"RUN": {"days": 5}}', b"\xff", None])
def test_a_damaged_count_begins_anew(home: DataHome, run_id: str, clock: SetClock, content: bytes | None) -> None:
    clock(NOW)
    service.delete(home, run_id)
    if content is None:
        home.bin_days.mkdir()
    else:
        home.bin_days.write_bytes(content.replace(b"RUN", run_id.encode()))
    for day in range(DAYS_SEEN - 1):
        clock(NOW + day * DAY_S)
        assert purge_expired(home) == 0
    assert ids(home, deleted=True) == [run_id]


def test_an_empty_bin_leaves_no_trace(home: DataHome, run_id: str) -> None:
    assert purge_expired(home) == 0
    assert not home.bin_days.exists()


def test_an_ended_run_can_be_removed_without_the_bin(home: DataHome, run_id: str) -> None:
    service.resume(home, run_id)
    with pytest.raises(RunError, match="is queued; stop it first, then remove it"):
        service.purge(home, run_id, at_once=True)
    service.cancel(home, run_id)
    assert bytes_of(home, run_id) > 0
    service.purge(home, run_id, at_once=True)
    assert (ids(home), ids(home, deleted=True), bytes_of(home, run_id)) == ([], [], 0)


def test_what_a_run_has_spent_is_entered_though_the_disk_is_full(
    home: DataHome, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expendable = home.runs / run_id / "predictions.npz"
    expendable.write_bytes(b"x" * 10_000)
    entered: list[bool] = []

    def enter(home: DataHome, runs: object) -> None:
        entered.append(not expendable.exists())
        assert (home.runs / run_id / "spec.json").exists()
        if expendable.exists():
            raise DiskFullError("full")

    monkeypatch.setattr(deletion, "enter_runs", enter)
    service.purge(home, run_id, at_once=True)
    assert entered == [False, True]
    assert ids(home) == []


def test_a_disk_on_which_nothing_can_be_entered_keeps_the_run(
    home: DataHome, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enter(home: DataHome, runs: object) -> None:
        raise DiskFullError("full")

    monkeypatch.setattr(deletion, "enter_runs", enter)
    with pytest.raises(DiskFullError):
        service.purge(home, run_id, at_once=True)
    assert ids(home) == [run_id]
    assert (home.runs / run_id / "spec.json").exists()


@pytest.fixture
def led_away(home: DataHome, run_id: str, tmp_path: Path) -> Path:
    """The folder of the run, elsewhere, with a link in its place."""
    elsewhere = tmp_path / "elsewhere"
    os.replace(home.runs / run_id, elsewhere)
    (home.runs / run_id).symlink_to(elsewhere)
    return elsewhere


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_link_in_the_place_of_a_run_is_never_followed_to_change_something(
    home: DataHome, run_id: str, led_away: Path
) -> None:
    before = contents(led_away)
    for act in (service.resume, lambda home, run_id: service.extend(home, run_id, epochs=20)):
        with pytest.raises(RunError, match="is a link, and medpriv does not write through links"):
            act(home, run_id)
    service.rename(home, run_id, "other")
    service.delete(home, run_id)
    service.restore(home, run_id)
    service.delete(home, run_id)
    assert contents(led_away) == before
    service.purge(home, run_id)
    assert not (home.runs / run_id).is_symlink()
    assert contents(led_away) == before


def test_a_link_in_the_place_of_a_run_is_not_brought_into_a_new_table(
    home: DataHome, run_id: str, led_away: Path
) -> None:
    home.database.unlink()
    assert led_away.exists()
    with pytest.raises(RunError):
        service.rebuild(home)
    assert ids(home) == []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets the time of day."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: seconds)

    return set_to
