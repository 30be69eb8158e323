"""Putting runs away, bringing them back, and removing them for good."""

from __future__ import annotations

import time

import pytest

from medpriv_core.errors import RunError
from medpriv_core.home import DataHome
from medpriv_core.locks import hold_lock
from medpriv_core.runs import service
from medpriv_core.runs.deletion import KEPT_S, purge_expired
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec


@pytest.fixture
def run_id(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> str:
    """A stopped run."""
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    run_id = service.submit(home, RunSpec(dataset="synthetic_chest", weights="none"))
    service.cancel(home, run_id)
    return run_id


def ids(home: DataHome, *, deleted: bool = False) -> list[str]:
    return [run.id for run in service.list_runs(home, deleted=deleted)]


def test_a_deleted_run_is_in_the_other_list_and_comes_back_whole(home: DataHome, run_id: str):
    service.delete(home, run_id)
    assert (ids(home), ids(home, deleted=True)) == ([], [run_id])
    assert RunDirectory(home.runs / run_id).read_labels()["deleted_at"] == service.load_run(home, run_id).deleted_at
    service.restore(home, run_id)
    assert (ids(home), ids(home, deleted=True)) == ([run_id], [])
    assert RunDirectory(home.runs / run_id).read_labels()["deleted_at"] is None


def test_what_waits_or_trains_is_not_deleted(home: DataHome, run_id: str):
    service.resume(home, run_id)
    with pytest.raises(RunError, match="is queued; stop it first"):
        service.delete(home, run_id)
    RunStore(home).claim_next()
    with pytest.raises(RunError, match="is running; stop it first"):
        service.delete(home, run_id)
    assert ids(home) == [run_id]


def test_a_deleted_run_is_neither_resumed_nor_extended(home: DataHome, run_id: str):
    service.delete(home, run_id)
    run = service.load_run(home, run_id)
    assert not run.resumable
    assert not run.extendable
    for act in (service.resume, lambda home, run_id: service.extend(home, run_id, epochs=20)):
        with pytest.raises(RunError, match="has been deleted; restore it first"):
            act(home, run_id)
    assert RunStore(home).claim_next() is None


def test_purging_removes_the_folder_and_only_of_what_was_deleted(home: DataHome, run_id: str):
    with pytest.raises(RunError, match="has not been deleted"):
        service.purge(home, run_id)
    service.delete(home, run_id)
    with hold_lock(home.runs / run_id / "worker.lock"), pytest.raises(RunError, match="A worker is still at run"):
        service.purge(home, run_id)
    assert (home.runs / run_id / "spec.json").exists()
    service.purge(home, run_id)
    assert ids(home, deleted=True) == []
    assert not (home.runs / run_id).exists()


def test_a_month_after_it_was_deleted_a_run_is_purged(home: DataHome, run_id: str, monkeypatch: pytest.MonkeyPatch):
    service.delete(home, run_id)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + KEPT_S - 60)
    assert purge_expired(home) == 0
    monkeypatch.setattr(time, "time", lambda: now + KEPT_S + 60)
    assert purge_expired(home) == 1
    assert not (home.runs / run_id).exists()
