"""A disk that is full or read-only: what is there is seen, taken away and, on a full one, removed to make room.

On a small disk in memory where the system lets one be mounted; what does not need one is at the end and always run.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.errors import DataHomeError, DiskFullError
from medpriv_core.exports.run_archive import export_run
from medpriv_core.home import DataHome, data_home
from medpriv_core.locks import hold_lock, is_held
from medpriv_core.runs import database, service
from medpriv_core.runs.imports import import_run
from medpriv_core.runs.spent_journal import entry_of
from medpriv_core.runs.store import RunStore
from tests.cli.conftest import Command, medpriv  # noqa: F401 - a fixture
from tests.runs.archives import members, zipped
from tests.runs.test_store import FIRST_VERSION
from tests.small_disk import Disk, disk, listed  # noqa: F401 - a fixture
from tests.test_previous_version import DELETED, FINISHED


def test_on_a_full_disk_runs_are_seen_and_taken_away(disk: Disk, medpriv: Command, tmp_path: Path) -> None:  # noqa: F811
    before = listed(disk.home)
    disk.fill()
    with pytest.raises(DiskFullError):
        disk.home.check_writable()

    assert listed(disk.home) == before
    assert len(service.load_run(disk.home, FINISHED).epochs) == 3
    shown = medpriv("runs", "list")
    assert (shown.code, FINISHED in shown.out) == (0, True)
    assert "is full" in shown.err
    assert "Runs can be looked at and exported all the same" in shown.err
    assert medpriv("runs", "show", FINISHED, "--json").json["id"] == FINISHED
    assert medpriv("datasets", "list").code == 0
    assert medpriv("export", "csv", "--output", tmp_path / "runs.csv").code == 0
    assert FINISHED in (tmp_path / "runs.csv").read_text()


def test_a_run_in_the_bin_is_purged_on_a_full_disk_and_makes_room(disk: Disk, medpriv: Command) -> None:  # noqa: F811
    disk.fill()
    assert medpriv("runs", "purge", DELETED).code == 0

    assert listed(disk.home, deleted=True) == set()
    assert not (disk.home.runs / DELETED).exists()
    disk.home.check_writable()
    disk.fill()
    assert len(listed(disk.home)) == 4


def test_a_run_in_the_list_is_removed_at_once_and_what_it_spent_stays(disk: Disk, medpriv: Command) -> None:  # noqa: F811
    run = service.load_run(disk.home, FINISHED)
    disk.fill()
    with pytest.raises(DiskFullError):
        service.delete(disk.home, FINISHED)
    assert FINISHED in listed(disk.home)
    assert medpriv("runs", "purge", FINISHED).code == 2
    assert medpriv("runs", "purge", FINISHED, "--at-once").code == 0

    assert FINISHED not in listed(disk.home)
    entry = entry_of(run)
    assert entry is not None
    journals = "".join(path.read_text() for path in disk.home.spent.iterdir())
    assert f'"run": "{entry.run}"' in journals


def test_a_full_disk_refuses_changes_and_loses_nothing(disk: Disk, medpriv: Command) -> None:  # noqa: F811
    before = {run.id: (run.name, run.tags) for run in service.list_runs(disk.home)}
    disk.fill()
    for arguments in (["rename", FINISHED, "x"], ["tag", FINISHED, "x"], ["delete", FINISHED], ["resume", FINISHED]):
        assert medpriv("runs", *arguments).code == 2
    assert {run.id: (run.name, run.tags) for run in service.list_runs(disk.home)} == before
    disk.make_room()
    service.rename(disk.home, FINISHED, "x")
    assert service.load_run(disk.home, FINISHED).name == "x"


def test_on_a_read_only_disk_runs_are_seen_and_taken_away(disk: Disk, medpriv: Command, tmp_path: Path) -> None:  # noqa: F811
    before = listed(disk.home)
    imported = import_run(disk.home, zipped(members()))
    disk.make_read_only()

    assert listed(disk.home) == before | {imported}
    shown = medpriv("runs", "list")
    assert (shown.code, FINISHED in shown.out) == (0, True)
    assert "read-only" in shown.err
    assert medpriv("export", "csv", "--output", tmp_path / "runs.csv").code == 0
    assert FINISHED in (tmp_path / "runs.csv").read_text()
    assert len(export_run(disk.home, imported)) > 1000
    for arguments in (["rename", FINISHED, "x"], ["delete", FINISHED], ["purge", DELETED], ["tag", FINISHED, "x"]):
        refused = medpriv("runs", *arguments)
        assert refused.code == 2
        assert "medpriv may not write to" in refused.err
    assert listed(disk.home) == before | {imported}


@pytest.mark.parametrize("left_behind", [("-wal",), ("-wal", "-shm")])
def test_what_a_killed_process_had_not_moved_into_the_table_is_seen_on_a_read_only_disk(
    disk: Disk,  # noqa: F811
    tmp_path: Path,
    left_behind: tuple[str, ...],
) -> None:
    elsewhere = DataHome(tmp_path / "elsewhere")
    shutil.copytree(disk.home.root, elsewhere.root)
    with contextlib.closing(sqlite3.connect(elsewhere.database)) as holding:
        holding.execute("SELECT * FROM runs").fetchall()  # whoever holds it open keeps the others from tidying up
        service.rename(elsewhere, FINISHED, "renamed at last")
        for end in ("", *left_behind):
            shutil.copyfile(f"{elsewhere.database}{end}", f"{disk.home.database}{end}")
    disk.make_read_only()

    assert service.load_run(disk.home, FINISHED).name == "renamed at last"


def test_locks_are_seen_on_a_read_only_disk(disk: Disk) -> None:  # noqa: F811
    lock = disk.home.root / "x.lock"
    with hold_lock(lock):
        assert is_held(lock)
    disk.make_read_only()
    assert not is_held(lock)
    assert not is_held(disk.home.root / "none.lock")
    with pytest.raises(DataHomeError, match="read-only"), hold_lock(lock):
        pytest.fail("held where nothing can be written")


class Refusing(sqlite3.Connection):
    """As on a full disk: no room for the memory that connections share."""

    alone = False

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self.alone = self.alone or "EXCLUSIVE" in sql
        if "BEGIN" in sql and not self.alone:
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)


def test_a_table_that_cannot_share_memory_is_opened_alone(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    RunStore(home).add("a", name="a", slot="cpu")
    connect = sqlite3.connect
    monkeypatch.setattr(database.sqlite3, "connect", lambda *given, **more: connect(*given, **more, factory=Refusing))

    assert [row.id for row in RunStore(home).all()] == ["a"]
    with RunStore(home).changing("a") as change:
        change.remove()
    assert RunStore(home).all() == []


class Full(sqlite3.Connection):
    """Has no room for another column, but in a copy elsewhere."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        place = super().execute("PRAGMA database_list").fetchone()[2]
        if "ALTER" in sql and "medpriv-table-" not in place:
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *values)


def test_a_table_of_an_earlier_version_is_read_where_there_is_no_room_to_bring_it_up_to_date(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.check_writable()
    with contextlib.closing(sqlite3.connect(home.database)) as table:
        table.executescript(FIRST_VERSION)
    connect = sqlite3.connect
    monkeypatch.setattr(database.sqlite3, "connect", lambda *given, **more: connect(*given, **more, factory=Full))

    assert [row.id for row in RunStore(home).all()] == ["old", "at work"]
    with pytest.raises(DiskFullError, match="is full"):
        RunStore(home).cancel("at work")


def test_several_who_must_each_be_alone_take_turns(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    RunStore(home).add("a", name="a", slot="cpu")
    connect = sqlite3.connect
    monkeypatch.setattr(database.sqlite3, "connect", lambda *given, **more: connect(*given, **more, factory=Refusing))

    def read(_: int) -> list[str]:
        return [row.id for row in RunStore(home).all()]

    # SQLite's own waiting keeps a share of the file: two would wait for each other until both give up.
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(40))) == [["a"]] * 40


def test_a_table_that_cannot_be_written_is_read_in_a_copy(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    RunStore(home).add("a", name="a", slot="cpu")
    connect, opened = sqlite3.connect, []

    def refuse(file: Path, **options: Any) -> sqlite3.Connection:
        opened.append(file)
        if file == home.database:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(file, **options)

    monkeypatch.setattr(database.sqlite3, "connect", refuse)
    monkeypatch.setattr(database.os, "access", lambda *_: False)
    assert [row.id for row in RunStore(home).all()] == ["a"]
    assert not opened[-1].exists()
    with pytest.raises(DataHomeError, match="medpriv may not write to"):
        RunStore(home).add("b", name="b", slot="cpu")


def test_a_complaint_of_the_table_says_that_the_disk_is_full(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    RunStore(home).add("a", name="a", slot="cpu")
    with pytest.raises(DiskFullError, match=r"is full\. Free some space there"), RunStore(home).changing("a"):
        raise sqlite3.OperationalError("database or disk is full")
    monkeypatch.setattr(database.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(DiskFullError, match=r"is full\. Free some space there"), RunStore(home).changing("a"):
        raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "removed for good make room"), (errno.EROFS, "Runs can be looked at and exported all the same")],
)
def test_what_can_be_done_all_the_same_is_said(
    home: DataHome, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    home.check_writable()
    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(DataHomeError, match=says) as refusal:
        data_home().check_writable()
    assert isinstance(refusal.value, DiskFullError) == (number == errno.ENOSPC)
