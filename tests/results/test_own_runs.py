"""The finished runs of the data home."""

from __future__ import annotations

import pytest

from medpriv_core.home import DataHome
from medpriv_core.results.own_runs import read_own_runs
from medpriv_core.runs import service
from medpriv_core.runs.store import RunState
from medpriv_core.spec import RunSpec
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE
from tests.results.stored import store_run


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def test_an_empty_home_has_none(home: DataHome) -> None:
    assert read_own_runs(home) == []


def test_finished_runs_come_with_all_that_a_comparison_needs(home: DataHome) -> None:
    store_run(home, "a", PLAIN)
    store_run(home, "b", PRIVATE, tags=["pilot"])

    first, second = read_own_runs(home)

    assert (first.id, second.id) == ("a", "b")
    assert first.source == "mine"
    assert first.synthetic
    assert (first.test_size, first.majority_rate) == (160, 0.6)
    assert second.tags == ("pilot",)
    assert 0 < second.epsilon < 20
    assert second.final.epoch == 2


@pytest.mark.parametrize("state", ["queued", "running", "failed", "cancelled"])
def test_runs_that_did_not_finish_are_left_out(home: DataHome, state: RunState) -> None:
    store_run(home, "a", PLAIN, state=state)

    assert read_own_runs(home) == []


def test_deleted_runs_are_left_out(home: DataHome) -> None:
    store_run(home, "a", PLAIN)
    store_run(home, "b", LOCAL)
    assert len(read_own_runs(home)) == 2

    service.delete(home, "a")

    assert [result.id for result in read_own_runs(home)] == ["b"]


def test_only_the_chosen_runs_are_read(home: DataHome) -> None:
    for run_id in ("a", "b", "c"):
        store_run(home, run_id, PLAIN)

    assert [result.id for result in read_own_runs(home, chosen=["c", "a", "gone"])] == ["a", "c"]


@pytest.mark.parametrize("damage", ["spec.json", "metrics.jsonl"])
def test_a_run_without_specification_or_epochs_is_left_out(home: DataHome, damage: str) -> None:
    (store_run(home, "a", PLAIN).path / damage).write_text("{")
    store_run(home, "b", PLAIN)

    assert [result.id for result in read_own_runs(home)] == ["b"]


def test_a_new_name_is_shown_at_once(home: DataHome) -> None:
    store_run(home, "a", PLAIN)
    (before,) = read_own_runs(home)
    service.rename(home, "a", "better name")

    (after,) = read_own_runs(home)

    assert (before.name, after.name) == ("name of a", "better name")


def test_a_run_of_an_unknown_dataset_is_left_out(home: DataHome) -> None:
    store_run(home, "a", RunSpec(dataset="unheard_of"))

    assert read_own_runs(home) == []
