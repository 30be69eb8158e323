"""The table of runs: order, states, and what happens to a damaged file."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from dataclasses import fields

import pytest

from medpriv_core.errors import DataHomeError, RunError
from medpriv_core.home import DataHome
from medpriv_core.runs import database
from medpriv_core.runs.store import RunRow, RunStore


@pytest.fixture
def store(home: DataHome) -> RunStore:
    return RunStore(home)


def add(store: RunStore, *names: str, slot: str = "cpu") -> None:
    for name in names:
        store.add(name, name=f"run {name}", slot=slot)


def test_a_new_home_has_no_runs_and_reading_makes_no_file(store: RunStore, home: DataHome) -> None:
    assert store.all() == []
    assert not home.database.exists()


def test_runs_start_in_the_order_in_which_they_came_one_a_device(store: RunStore) -> None:
    add(store, "a", "b")
    add(store, "c", slot="cuda:0")
    assert [store.claim_next().id for _ in range(2)] == ["a", "c"]
    assert store.claim_next() is None
    store.end("a", "finished", None)
    claimed = store.claim_next()
    assert claimed is not None
    assert claimed.id == "b"


def test_two_runners_never_claim_the_same_run(store: RunStore) -> None:
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


def test_cancelling_a_queued_run_takes_it_off_the_queue(store: RunStore) -> None:
    add(store, "a")
    store.cancel("a")
    assert store.get("a").state == "cancelled"
    assert store.claim_next() is None


def test_cancelling_a_running_run_only_asks(store: RunStore) -> None:
    add(store, "a")
    store.claim_next()
    store.cancel("a")
    assert store.get("a").state == "running"
    assert store.get("a").cancel_requested


def test_an_ended_run_is_not_ended_again(store: RunStore) -> None:
    add(store, "a")
    store.claim_next()
    store.end("a", "finished", None)
    store.end("a", "failed", "too late")
    assert store.get("a").state == "finished"
    assert store.get("a").message is None


def test_requeueing_goes_to_the_end(store: RunStore) -> None:
    add(store, "a", "b")
    store.cancel("a")
    with store.changing("a") as change:
        change.requeue(slot="auto")
    assert [row.id for row in store.in_state("queued")] == ["b", "a"]


def test_a_change_that_fails_half_way_leaves_the_run_as_it_was(store: RunStore) -> None:
    add(store, "a")

    def fail_half_way() -> None:
        with store.changing("a") as change:
            change.put(name="new", tags=("x",))
            raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        fail_half_way()
    assert (store.get("a").name, store.get("a").tags) == ("run a", ())


def test_whoever_changes_a_run_keeps_the_others_out_until_the_end(store: RunStore) -> None:
    add(store, "a")
    seen = []
    with store.changing("a") as change:
        other = threading.Thread(target=lambda: seen.append(store.cancel("a")))
        other.start()
        change.put(state="finished")
    other.join()
    assert seen == [False]


def test_waiting_runs_change_places(store: RunStore) -> None:
    add(store, "a", "b", "c", "d")
    store.claim_next()

    def queue() -> str:
        return "".join(row.id for row in store.in_state("queued"))

    for run_id, where, order in (
        ("d", "first", "dbc"),
        ("b", "down", "dcb"),
        ("b", "down", "dcb"),
        ("c", "up", "cdb"),
        ("c", "up", "cdb"),
    ):
        assert store.move(run_id, where)  # type: ignore[arg-type]
        assert queue() == order
    assert not store.move("a", "first")
    add(store, "e")
    assert queue() == "cdbe"


def test_deleted_runs_have_a_list_of_their_own(store: RunStore) -> None:
    add(store, "a", "b")
    with store.changing("a") as change:
        change.put(deleted_at=1.0)
    assert [row.id for row in store.all()] == ["b"]
    assert [row.id for row in store.all(deleted=True)] == ["a"]


def test_an_unknown_run_is_named(store: RunStore) -> None:
    with pytest.raises(RunError, match="There is no run nothing"):
        store.get("nothing")


def test_a_damaged_table_is_explained_and_kept(store: RunStore, home: DataHome) -> None:
    home.root.mkdir()
    home.database.write_bytes(b"this is no database at all, whatever its name says" * 100)
    with pytest.raises(DataHomeError, match="is damaged"):
        store.all()
    assert home.database.read_bytes().startswith(b"this is no database")


def test_each_damaged_byte_of_its_header_is_explained_or_does_no_harm(store: RunStore, home: DataHome) -> None:
    add(store, "a")
    with contextlib.closing(sqlite3.connect(home.database)) as closing:
        closing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = home.database.read_bytes()
    explained = 0
    for place in range(100):
        for value in (0, 255, whole[place] ^ 1, whole[place] ^ 64):
            for companion in home.root.glob("runs.sqlite3-*"):
                companion.unlink()
            home.database.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            try:
                assert [run.id for run in store.all()] in (["a"], [])
            except DataHomeError:
                explained += 1
    assert explained > 20


@pytest.mark.parametrize("column", [field.name for field in fields(RunRow)])
def test_a_table_in_which_a_column_lost_its_name_is_explained(store: RunStore, home: DataHome, column: str) -> None:
    add(store, "a")
    with contextlib.closing(sqlite3.connect(home.database)) as closing:
        closing.execute("DROP INDEX runs_by_state")
        closing.execute(f"ALTER TABLE runs RENAME COLUMN {column} TO spoilt")
        closing.commit()
    for look in (store.all, lambda: store.get("a"), lambda: store.in_state("queued"), lambda: store.some(["a"])):
        with pytest.raises(DataHomeError, match="is damaged"):
            look()


FIRST_VERSION = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'finished', 'failed', 'cancelled')),
    slot TEXT NOT NULL,
    position INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    pid INTEGER,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    message TEXT
);
CREATE INDEX runs_by_state ON runs (state, position);
INSERT INTO runs VALUES ('old', 'An old run', 'failed', 'cpu', 7, 0, NULL, 1.0, 2.0, 3.0, 'It broke.');
INSERT INTO runs VALUES ('at work', 'At work', 'running', 'cpu', 8, 0, 4711, 0.5, 2.0, NULL, NULL);
PRAGMA user_version = 1;
"""


def test_a_table_that_another_program_holds_is_said(
    store: RunStore, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, "a")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda file, **options: connect(file, **options | {"timeout": 0.05}))
    with contextlib.closing(connect(home.database, isolation_level=None)) as holding:
        holding.execute("BEGIN IMMEDIATE")
        with pytest.raises(DataHomeError, match=r"Another program is holding .* Close it and try again\."):
            add(store, "b")
    assert [run.id for run in store.all()] == ["a"]


def test_so_is_one_at_which_another_stands_still_while_it_brings_it_up_to_date(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, "a")

    def begin(*_arguments: object, **_options: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("locking protocol")  # what SQLite says after ten seconds

    monkeypatch.setattr(database, "_begin", begin)
    with pytest.raises(DataHomeError, match="Another program is holding"):
        store.all()


def test_a_table_of_the_first_version_is_brought_up_to_date_once_by_whoever_comes_first(
    store: RunStore, home: DataHome
) -> None:
    home.root.mkdir()
    database = sqlite3.connect(home.database)
    database.executescript(FIRST_VERSION)
    database.close()
    found: list[RunRow] = []
    threads = [threading.Thread(target=lambda: found.extend(store.all())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    old = RunRow("old", "An old run", "failed", "cpu", 7, False, None, 1.0, 2.0, 3.0, "It broke.", (), "", None)
    now = RunRow("at work", "At work", "running", "cpu", 8, False, "4711", 0.5, 2.0, None, None, (), "", None, "local")
    assert found == [old, now] * 4
    add(store, "new")
    assert [row.position for row in store.all()] == [9, 7, 8]


def test_a_table_of_a_newer_version_is_refused(store: RunStore, home: DataHome) -> None:
    add(store, "a")
    with sqlite3.connect(home.database) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(DataHomeError, match="newer version"):
        store.all()
