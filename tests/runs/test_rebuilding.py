"""The table made again from the run directories."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medpriv_core.errors import DataHomeError, RunError, RunTableError
from medpriv_core.evaluation.metrics import Scores
from medpriv_core.home import DataHome
from medpriv_core.locks import hold_lock
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.outcome import Outcome
from medpriv_core.records.setup import Setup
from medpriv_core.runs import rebuilding, service
from medpriv_core.runs.database import check_sound
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec

SPEC = RunSpec(dataset="synthetic_chest", weights="none", device="cpu")
RUBBISH = b"no database" * 500


@pytest.fixture
def filled(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Runs of every kind, the oldest first, and a table of which only rubbish is left: kind -> id."""
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    kinds = ("finished", "failed", "killed", "training", "waiting", "deleted")
    ids = {kind: service.submit(home, SPEC, name=f"the {kind} one", tags=[kind]) for kind in kinds}
    directories = {kind: RunDirectory(home.runs / run_id) for kind, run_id in ids.items()}
    directories["finished"].write_outcome(Outcome("finished", last=EpochRow(test=Scores(accuracy=0.9))))
    directories["failed"].write_outcome(Outcome("failed", "The sentence."))
    directories["killed"].write_setup(Setup.from_dict({"train_size": 640}))
    directories["training"].write_progress(phase="Epoch 1 of 10", done=0, total=10, seconds_left=None)
    service.set_notes(home, ids["finished"], "What I saw.", expected="")
    service.cancel(home, ids["deleted"])
    service.delete(home, ids["deleted"])
    for beside in home.root.glob("runs.sqlite3-*"):
        beside.unlink()
    home.database.write_bytes(RUBBISH)
    return ids


def test_every_run_comes_back_as_its_directory_says(home: DataHome, filled: dict[str, str]) -> None:
    with pytest.raises(RunTableError, match=r"is damaged \(file is not a database\).*runs rebuild"):
        service.list_runs(home)
    with hold_lock(home.runs / filled["training"] / "worker.lock"):
        assert service.rebuild(home) == 6
    runs = {run.id: run for run in service.list_runs(home)}
    found = {kind: runs[run_id] for kind, run_id in filled.items() if kind != "deleted"}
    assert {kind: run.state for kind, run in found.items()} == {
        "finished": "finished",
        "failed": "failed",
        "killed": "failed",
        "training": "running",
        "waiting": "cancelled",  # nothing starts by itself
    }
    assert all((run.name, run.tags) == (f"the {kind} one", (kind,)) for kind, run in found.items())
    assert found["finished"].notes == "What I saw."
    assert found["failed"].message == "The sentence."
    assert "Resume continues" in (found["killed"].message or "")
    assert "resume it to queue it anew" in (found["waiting"].message or "")
    assert [run.id for run in service.list_runs(home, deleted=True)] == [filled["deleted"]]
    assert list(runs) == [filled[kind] for kind in ("waiting", "training", "killed", "failed", "finished")]


def test_a_run_that_trains_can_be_stopped_afterwards(home: DataHome, filled: dict[str, str]) -> None:
    with hold_lock(home.runs / filled["training"] / "worker.lock"):
        service.rebuild(home)
    worker = RunDirectory(home.runs / filled["training"]).read_worker()
    assert RunStore(home).get(filled["training"]).handle == f"{worker['pid']} {worker['begun']}"


def test_the_damaged_file_is_kept_aside(home: DataHome, filled: dict[str, str]) -> None:
    service.rebuild(home)
    (aside,) = home.root.glob("runs.sqlite3.damaged-*")
    assert aside.read_bytes() == RUBBISH


def test_what_was_put_aside_in_the_same_second_is_kept_too(
    home: DataHome, filled: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding.time, "strftime", lambda _form: "20260101-120000")
    damages = [RUBBISH, RUBBISH + b"2", RUBBISH + b"3"]
    for damage in damages:
        home.database.write_bytes(damage)
        service.rebuild(home)
    assert {file.read_bytes() for file in home.root.glob("runs.sqlite3.damaged-*")} == set(damages)


def test_a_disk_that_refuses_leaves_the_damaged_file_where_it_was(
    home: DataHome, filled: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise DataHomeError("The disk is full.")

    monkeypatch.setattr(rebuilding, "insert_rows", full)
    with pytest.raises(DataHomeError):
        service.rebuild(home)
    assert home.database.read_bytes() == RUBBISH


def test_a_sound_table_is_left_alone(home: DataHome, filled: dict[str, str]) -> None:
    service.rebuild(home)
    service.resume(home, filled["waiting"])
    with pytest.raises(RunError, match="is sound and has every run"):
        service.rebuild(home)
    assert service.load_run(home, filled["waiting"]).state == "queued"


def test_runs_that_a_sound_table_has_lost_are_brought_back(home: DataHome, filled: dict[str, str]) -> None:
    service.rebuild(home)
    new = service.submit(home, SPEC)
    with sqlite3.connect(home.database) as database:
        database.execute("DELETE FROM runs WHERE id IN (?, ?)", (filled["failed"], filled["waiting"]))
    database.close()
    assert (service.unlisted(home) or "").startswith("2 runs are missing in this list, though the folder is there")
    with pytest.raises(RunError, match=r"is not in the table of runs, but its folder is there\. .*runs rebuild"):
        service.load_run(home, filled["failed"])
    assert service.rebuild(home) == 2
    assert {run.id for run in service.list_runs(home)} == {*filled.values(), new} - {filled["deleted"]}
    assert service.load_run(home, new).state == "queued"
    assert service.unlisted(home) is None


def lose(home: DataHome) -> None:
    for file in home.root.glob("runs.sqlite3*"):
        file.unlink()


def empty(home: DataHome) -> None:
    lose(home)
    home.database.touch()


def empty_the_table(home: DataHome) -> None:
    lose(home)
    RunStore(home).add("gone", name="gone", slot="cpu")
    with RunStore(home).changing("gone") as change:
        change.remove()


def put_a_folder_there(home: DataHome) -> None:
    lose(home)
    home.database.mkdir()
    (home.database / "within").touch()


LOSSES = {lose: "is missing", empty: "is empty", empty_the_table: "is empty", put_a_folder_there: "is a folder"}


@pytest.mark.parametrize(("loss", "what"), LOSSES.items())
def test_a_lost_table_is_said_by_everything_that_asks_it_and_made_again(
    home: DataHome, filled: dict[str, str], loss: Callable[[DataHome], None], what: str
) -> None:
    service.rebuild(home) if home.database.exists() else None
    loss(home)
    asking: list[Callable[[], object]] = [
        lambda: service.list_runs(home),
        lambda: service.list_lines(home),
        lambda: service.list_runs(home, deleted=True),
        lambda: service.load_run(home, filled["finished"]),
        lambda: service.cancel(home, filled["training"]),
        lambda: service.rename(home, filled["finished"], "new"),
        lambda: service.submit(home, SPEC),
    ]
    folders = sorted(path.name for path in home.runs.iterdir())
    for ask in asking:
        with pytest.raises(RunTableError, match=rf"medpriv's table of runs .*{what}.*runs rebuild"):
            ask()
    assert sorted(path.name for path in home.runs.iterdir()) == folders
    with hold_lock(home.runs / filled["training"] / "worker.lock"):
        assert service.rebuild(home) == 6
    assert service.load_run(home, filled["training"]).state == "running"
    assert service.load_run(home, filled["finished"]).notes == "What I saw."


def test_a_home_without_runs_has_no_lost_table(home: DataHome) -> None:
    assert service.list_runs(home) == []
    (home.runs / "no run").mkdir(parents=True)
    (home.runs / "notes.txt").touch()
    assert service.list_runs(home) == []
    home.database.touch()
    assert service.list_runs(home) == []
    assert service.unlisted(home) is None
    with pytest.raises(RunError, match="nothing to make again"):
        service.rebuild(home)


def test_a_rebuilding_that_is_killed_leaves_a_loss_that_is_said(
    home: DataHome, filled: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    moves = []

    def die(table: Path, target: Path) -> None:
        moves.append(table)
        if len(moves) == 1:
            move(table, target)
        raise Killed

    move = rebuilding._move
    monkeypatch.setattr(rebuilding, "_move", die)
    with pytest.raises(Killed):
        service.rebuild(home)
    monkeypatch.undo()
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    # A killed process tidies nothing away.
    home.database.with_name(f".{home.database.name}.new").write_bytes(b"half a table")
    with pytest.raises(RunTableError, match="is missing, but 6 runs lie in the folder beside it"):
        service.list_runs(home)
    assert service.rebuild(home) == 6
    assert [path.name for path in home.root.glob(".runs*")] == []


def test_what_sqlite_kept_beside_the_old_table_is_not_read_into_the_new_one(
    home: DataHome, filled: dict[str, str]
) -> None:
    service.rebuild(home)
    open_table = sqlite3.connect(home.database, isolation_level=None)
    open_table.execute("UPDATE runs SET name = 'from the old log'")
    beside = home.database.with_name("runs.sqlite3-wal")
    old = beside.read_bytes()
    assert b"from the old log" in old
    open_table.close()
    home.database.unlink()
    beside.write_bytes(old)
    assert service.rebuild(home) == 6
    assert {run.name for run in service.list_runs(home)} & {"from the old log"} == set()
    assert len(service.list_runs(home)) == 5
    RunStore(home).add("new", name="new", slot="cpu")
    check_sound(home.database)


def test_a_run_is_never_seen_without_its_line_while_it_is_submitted(
    home: DataHome, filled: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service.rebuild(home)
    looks: list[str | None] = []
    looked = threading.Event()

    def look() -> None:
        looks.append(service.unlisted(home))
        looked.set()

    create = RunDirectory.create

    def slow(directory: RunDirectory, spec: RunSpec) -> None:
        create(directory, spec)
        threading.Thread(target=look).start()
        looked.wait(0.3)  # whoever looks waits for us

    monkeypatch.setattr(RunDirectory, "create", slow)
    service.submit(home, SPEC)
    assert looked.wait(20)
    assert looks == [None]


def test_times_that_no_calendar_has_are_left_out(home: DataHome, filled: dict[str, str]) -> None:
    labels = home.runs / filled["finished"] / "labels.json"
    values = json.loads(labels.read_text())
    for odd in (1e300, -1, True, "yesterday", [1]):
        labels.write_text(json.dumps(values | {"created_at": odd, "deleted_at": odd}))
        lose(home)
        assert service.rebuild(home) == 6
        run = service.load_run(home, filled["finished"])
        assert abs(run.created_at - time.time()) < 86400
        assert run.deleted_at is None


def test_a_damaged_line_of_the_table_is_said_in_that_line_alone(home: DataHome, filled: dict[str, str]) -> None:
    service.rebuild(home)
    odd = {"tags": "5", "created_at": "yesterday", "notes": b"\xff", "deleted_at": 1e300, "message": b"7"}
    odd |= {"handle": b"\xff", "launcher": b"local"}
    for column, value in odd.items():
        with sqlite3.connect(home.database) as database:
            before = database.execute(f"SELECT {column} FROM runs WHERE id = ?", (filled["finished"],)).fetchone()[0]
            database.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (value, filled["finished"]))
        database.close()
        deleted = column == "deleted_at"
        found = service.list_runs(home) + service.list_runs(home, deleted=True)
        assert {run.id for run in found} == set(filled.values())
        run = next(run for run in found if run.id == filled["finished"])
        assert f"damaged ({column})" in (run.message or ""), column
        assert deleted or run in service.list_runs(home)
        with sqlite3.connect(home.database) as database:
            database.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (before, filled["finished"]))
        database.close()


def test_a_run_of_an_earlier_version_or_with_damaged_settings_is_in_the_table_too(home: DataHome) -> None:
    for name in ("20250102-030405-abc", "by hand"):
        RunDirectory(home.runs / name).create(SPEC)
    (home.runs / "by hand" / "spec.json").write_text("{")
    (home.runs / "no run").mkdir()
    assert service.rebuild(home) == 2
    found = {run.id: run for run in service.list_runs(home)}
    assert found["20250102-030405-abc"].name == "Synthetic chest radiographs · no privacy · last layer"
    assert found["20250102-030405-abc"].created_at < found["by hand"].created_at
    assert "spec.json" in (found["by hand"].message or "")


def test_a_table_of_a_newer_version_is_not_touched(home: DataHome, filled: dict[str, str]) -> None:
    home.database.unlink()
    with sqlite3.connect(home.database) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = home.database.read_bytes()
    with pytest.raises(DataHomeError, match="newer version"):
        service.rebuild(home)
    assert home.database.read_bytes() == before


def test_a_runner_that_does_not_let_go_is_said(
    home: DataHome, filled: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "RUNNER_PATIENCE_S", 0.0)
    with hold_lock(home.runner_lock), pytest.raises(RunError, match="still using the table"):
        service.rebuild(home)
    assert Path(home.database).read_bytes() == RUBBISH
