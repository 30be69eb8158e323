"""The table made again from the run directories."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from medpriv_core.errors import DataHomeError, RunError, RunTableError
from medpriv_core.home import DataHome
from medpriv_core.locks import hold_lock
from medpriv_core.runs import rebuilding, service
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
    directories["finished"].write_outcome("finished", None, test_accuracy=0.9)
    directories["failed"].write_outcome("failed", "The sentence.")
    directories["killed"].write_setup({"train_size": 640})
    directories["training"].write_progress(phase="Epoch 1 of 10", done=0, total=10, seconds_left=None)
    service.set_notes(home, ids["finished"], "What I saw.", expected="")
    service.cancel(home, ids["deleted"])
    service.delete(home, ids["deleted"])
    for beside in home.root.glob("runs.sqlite3-*"):
        beside.unlink()
    home.database.write_bytes(RUBBISH)
    return ids


def test_every_run_comes_back_as_its_directory_says(home: DataHome, filled: dict[str, str]):
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


def test_a_run_that_trains_can_be_stopped_afterwards(home: DataHome, filled: dict[str, str]):
    with hold_lock(home.runs / filled["training"] / "worker.lock"):
        service.rebuild(home)
    pid = RunStore(home).get(filled["training"]).pid
    assert pid is not None
    assert pid == RunDirectory(home.runs / filled["training"]).read_worker_pid()


def test_the_damaged_file_is_kept_aside(home: DataHome, filled: dict[str, str]):
    service.rebuild(home)
    (aside,) = home.root.glob("runs.sqlite3.damaged-*")
    assert aside.read_bytes() == RUBBISH


def test_a_disk_that_refuses_leaves_the_damaged_file_where_it_was(
    home: DataHome, filled: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    def full(*_arguments: object) -> None:
        raise DataHomeError("The disk is full.")

    monkeypatch.setattr(RunStore, "insert", full)
    with pytest.raises(DataHomeError):
        service.rebuild(home)
    assert home.database.read_bytes() == RUBBISH


def test_a_sound_table_is_left_alone(home: DataHome, filled: dict[str, str]):
    service.rebuild(home)
    service.resume(home, filled["waiting"])
    with pytest.raises(RunError, match="is sound and has every run"):
        service.rebuild(home)
    assert service.load_run(home, filled["waiting"]).state == "queued"


def test_runs_that_a_sound_table_has_lost_are_brought_back(home: DataHome, filled: dict[str, str]):
    for file in home.root.glob("runs.sqlite3*"):
        file.unlink()
    new = service.submit(home, SPEC)
    assert service.rebuild(home) == 6
    assert {run.id for run in service.list_runs(home)} == {*filled.values(), new} - {filled["deleted"]}
    assert service.load_run(home, new).state == "queued"


def test_a_run_of_an_earlier_version_or_with_damaged_settings_is_in_the_table_too(home: DataHome):
    for name in ("20250102-030405-abc", "by hand"):
        RunDirectory(home.runs / name).create(SPEC)
    (home.runs / "by hand" / "spec.json").write_text("{")
    (home.runs / "no run").mkdir()
    assert service.rebuild(home) == 2
    found = {run.id: run for run in service.list_runs(home)}
    assert found["20250102-030405-abc"].name == "Synthetic chest radiographs · no privacy · last layer"
    assert found["20250102-030405-abc"].created_at < found["by hand"].created_at
    assert "spec.json" in (found["by hand"].message or "")


def test_a_table_of_a_newer_version_is_not_touched(home: DataHome, filled: dict[str, str]):
    home.database.unlink()
    with sqlite3.connect(home.database) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = home.database.read_bytes()
    with pytest.raises(DataHomeError, match="newer version"):
        service.rebuild(home)
    assert home.database.read_bytes() == before


def test_a_runner_that_does_not_let_go_is_said(home: DataHome, filled: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rebuilding, "RUNNER_PATIENCE_S", 0.0)
    with hold_lock(home.runner_lock), pytest.raises(RunError, match="still using the table"):
        service.rebuild(home)
    assert Path(home.database).read_bytes() == RUBBISH
