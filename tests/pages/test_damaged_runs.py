"""The page of runs where the table is lost, where a run is damaged, and where there are thousands."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from pages.parts.messages import OUR_FAULT
from pages.parts.runs import run_list
from tests.pages.conftest import texts
from tests.pages.recorded_runs import SPEC, OpenPage, add_run, open_tab, put_in_state

PRIVATE = SPEC.changed(method="dp_sgd", noise_multiplier=4.0)
TABS = ("Guarantee", "Numbers", "Evaluation", "Settings", "Name, tags, notes", "Export", "Log")


def add_ended(home: DataHome, *ids: str) -> None:
    for run_id in ids:
        add_run(home, run_id, PRIVATE)
        put_in_state(home, run_id, "finished")


def listed(page: AppTest) -> list[str]:
    return list(page.dataframe[-1].value["run"])


def test_a_lost_table_is_said_and_made_again(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1", "r2")
    (home.runs / "r1" / "labels.json").write_text('{"tags": 5}')
    for file in home.root.glob("runs.sqlite3*"):
        file.unlink()
    page = open_page("runs")
    assert "is missing, but 2 runs lie in the folder beside it" in page.error[0].value
    assert "No runs yet" not in texts(page)
    page.button(key="rebuild").click().run()
    assert not page.exception
    assert sorted(run.id for run in service.list_runs(home)) == ["r1", "r2"]
    assert any("labels.json (tags cannot be 5)" in warning.value for warning in page.warning)


def test_runs_that_the_table_does_not_know_are_said_above_the_others(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1")
    RunDirectory(home.runs / "r2").create(SPEC)
    page = open_page("runs")
    assert "1 run is missing in this list" in page.error[0].value
    assert listed(page) == ["name of r1"]
    page.button(key="rebuild").click().run()
    assert "missing in this list" not in texts(page)
    assert len(listed(page)) == 2


def digits(path: RunDirectory) -> None:
    (path.path / "spec.json").write_text('{"dataset": "synthetic_chest", "seed": ' + "9" * 5000 + "}")


def shares(path: RunDirectory) -> None:
    log = path.path / "metrics.jsonl"
    log.write_text(log.read_text().replace('"test_accuracy": 0.8', '"test_accuracy": [0.5, 0.5]'))


def no_object(path: RunDirectory) -> None:
    (path.path / "setup.json").write_text("[" * 9000 + "]" * 9000)


def no_size(path: RunDirectory) -> None:
    setup = json.loads((path.path / "setup.json").read_text())
    (path.path / "setup.json").write_text(json.dumps(setup | {"train_size": [640]}))


def folder(path: RunDirectory) -> None:
    (path.path / "spec.json").unlink()
    (path.path / "spec.json").mkdir()


def no_record(path: RunDirectory) -> None:
    (path.path / "outcome.json").write_text('{"state": ["finished"]}')
    (path.path / "spent.json").write_text('{"steps": 1e999}')


@pytest.mark.parametrize("damage", [digits, shares, no_object, no_size, folder, no_record])
def test_a_damaged_run_is_seen_beside_the_others_and_deleted(
    open_page: OpenPage, home: DataHome, damage: Callable[[RunDirectory], None]
) -> None:
    add_ended(home, "r1", "r2", "r3")
    damage(RunDirectory(home.runs / "r2"))
    page = open_page("runs", run="r2")
    for tab in TABS:
        open_tab(page, tab)
        assert not page.exception, tab
        assert OUR_FAULT not in [error.value for error in page.error], tab
    assert sorted(listed(page)) == ["name of r1", "name of r2", "name of r3"]
    if damage is not no_record:
        assert "cannot be read" in texts(page) or "no readable spec.json" in texts(page)
    page.button(key="delete").click().run()
    assert sorted(listed(page)) == ["name of r1", "name of r3"]


def test_several_runs_with_a_damaged_one_are_drawn(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1", "r2", "r3")
    digits(RunDirectory(home.runs / "r2"))
    page = open_page("runs", runs="r1,r2,r3")
    assert not page.exception
    assert OUR_FAULT not in [error.value for error in page.error]
    assert len(page.get("plotly_chart")) == 1


def test_a_run_that_cannot_be_put_in_the_table_does_not_empty_it(
    open_page: OpenPage, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_ended(home, "r1", "r2")
    really = run_list.full_epsilon
    monkeypatch.setattr(run_list, "full_epsilon", lambda spec, run: really(spec, run) if run.id == "r1" else 1 / 0)
    page = open_page("runs")
    found = {line["run"]: line["message"] for line in page.dataframe[-1].value.to_dict("records")}
    assert found["name of r2"] == "The figures of this run cannot be shown."
    assert found["name of r1"] == ""


def test_of_many_runs_a_part_is_shown_which_is_said(
    open_page: OpenPage, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_list, "MOST_ROWS", 2)
    add_ended(home, "r1", "r2", "r3", "r4", "r5")
    page = open_page("runs")
    assert listed(page) == ["name of r5", "name of r4"]
    assert "of 5 runs, the newest first. Search and filters look at all of them" in texts(page)
    parts = page.selectbox(key="runs_part")
    assert parts.options == ["1 to 2", "3 to 4", "5 to 5"]
    parts.set_value(4).run()
    assert listed(page) == ["name of r1"]
    page.text_input(key="runs_search").set_value("r3").run()
    assert listed(page) == ["name of r3"]
    page.text_input(key="runs_search").set_value("name").run()
    assert "of 5 runs, the newest first" in texts(page)


def test_of_many_deleted_runs_some_are_offered_and_the_others_are_found(
    open_page: OpenPage, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_list, "MOST_DELETED", 2)
    add_ended(home, "r1", "r2", "r3", "r4")
    for run_id in ("r1", "r2", "r3"):
        service.delete(home, run_id)
    page = open_page("runs")
    page.session_state["runs_deleted"] = True
    page.run()
    assert page.multiselect(key="runs_restore").options == ["name of r3", "name of r2"]
    assert "2 of 3 removed runs are offered here" in texts(page)
    page.text_input(key="runs_deleted_search").set_value("r1").run()
    assert page.multiselect(key="runs_restore").options == ["name of r1"]
