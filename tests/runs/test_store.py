"""The table of runs: order, states, and what happens to a damaged file."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from medpriv_core.errors import DataHomeError, RunError
from medpriv_core.home import DataHome
from medpriv_core.runs.store import RunStore


@pytest.fixture
def store(home: DataHome) -> RunStore:
    return RunStore(home)


def add(store: RunStore, *names: str, slot: str = "cpu") -> None:
    for name in names:
        store.add(name, name=f"run {name}", slot=slot)


def test_a_new_home_has_no_runs_and_reading_makes_no_file(store: RunStore, home: DataHome):
    assert store.all() == []
    assert not home.database.exists()


def test_runs_start_in_the_order_in_which_they_came_one_a_device(store: RunStore):
    add(store, "a", "b")
    add(store, "c", slot="cuda:0")
    assert [store.claim_next().id for _ in range(2)] == ["a", "c"]  # type: ignore[union-attr]
    assert store.claim_next() is None
    store.end("a", "finished", None)
    claimed = store.claim_next()
    assert claimed is not None
    assert claimed.id == "b"


def test_two_runners_never_claim_the_same_run(store: RunStore):
    for number in range(20):
        store.add(str(number), name="", slot=str(number))
    claimed: list[str] = []

    def claim() -> None:
        while (row := store.claim_next()) is not None:
            claimed.append(row.id)

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed, key=int) == [str(number) for number in range(20)]


def test_cancelling_a_queued_run_takes_it_off_the_queue(store: RunStore):
    add(store, "a")
    store.cancel("a")
    assert store.get("a").state == "cancelled"
    assert store.claim_next() is None


def test_cancelling_a_running_run_only_asks(store: RunStore):
    add(store, "a")
    store.claim_next()
    store.cancel("a")
    assert store.get("a").state == "running"
    assert store.get("a").cancel_requested


def test_an_ended_run_is_not_ended_again(store: RunStore):
    add(store, "a")
    store.claim_next()
    store.end("a", "finished", None)
    store.end("a", "failed", "too late")
    assert store.get("a").state == "finished"
    assert store.get("a").message is None


def test_requeueing_goes_to_the_end_and_only_from_stopped_or_failed(store: RunStore):
    add(store, "a", "b")
    store.cancel("a")
    assert store.requeue("a")
    assert not store.requeue("b")
    assert [row.id for row in store.in_state("queued")] == ["b", "a"]


def test_an_unknown_run_is_named(store: RunStore):
    with pytest.raises(RunError, match="There is no run nothing"):
        store.get("nothing")


def test_a_damaged_table_is_explained_and_kept(store: RunStore, home: DataHome):
    home.root.mkdir()
    home.database.write_bytes(b"this is no database at all, whatever its name says" * 100)
    with pytest.raises(DataHomeError, match="is damaged"):
        store.all()
    assert home.database.read_bytes().startswith(b"this is no database")


def test_a_table_of_a_newer_version_is_refused(store: RunStore, home: DataHome):
    add(store, "a")
    with sqlite3.connect(home.database) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(DataHomeError, match="newer version"):
        store.all()
