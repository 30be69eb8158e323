"""The table of runs: short names, only what differs, groups, a baseline, and that all of it is remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.runs.naming import name_run
from medpriv_core.spec import RunSpec
from medpriv_core.sweeps.files import Sweep, SweepRun, write_sweep
from tests.pages.conftest import texts
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE
from tests.results.stored import store_run

OpenPage = Callable[..., AppTest]


def add(home: DataHome, run_id: str, spec: RunSpec, accuracy: float = 0.8) -> None:
    """A finished run with the name that medpriv gives it."""
    store_run(home, run_id, spec, (0.5, accuracy))
    service.rename(home, run_id, name_run(spec))


def table(page: AppTest) -> list[dict[str, Any]]:
    return [dict(line) for line in page.dataframe[-1].value.to_dict("records")]


def names(page: AppTest) -> list[str]:
    return [line["run"] for line in table(page)]


def test_names_leave_out_the_dataset_that_all_share(home: DataHome, open_page: OpenPage) -> None:
    add(home, "a", PLAIN)
    add(home, "b", LOCAL)

    page = open_page("runs")

    assert names(page) == ["Local-DP β 2 · last layer", "No privacy · last layer"]
    assert "All on Synthetic chest radiographs." in texts(page)
    assert "dataset" not in table(page)[0]
    assert "method" in table(page)[0]

    store_run(home, "c", PLAIN.changed(dataset="idrid"))
    page = open_page("runs")
    assert "Synthetic chest radiographs · no privacy · last layer" in names(page)
    assert {line["dataset"] for line in table(page)} == {"Synthetic chest radiographs", "IDRiD, diabetic retinopathy"}


def test_only_the_settings_that_differ_are_columns(home: DataHome, open_page: OpenPage) -> None:
    add(home, "a", PRIVATE)
    add(home, "b", PRIVATE.changed(learning_rate=0.5))

    (second, first) = table(open_page("runs"))

    assert (first["Learning rate"], second["Learning rate"]) == ("0.01", "0.5")
    assert not {"Momentum", "method", "dataset", "β", "tags", "message"} & set(first)


def test_the_chosen_columns_are_remembered_by_the_next_session(home: DataHome, open_page: OpenPage) -> None:
    add(home, "a", PRIVATE)
    add(home, "b", PLAIN)
    page = open_page("runs")
    columns = next(each for each in page.multiselect if each.label == "Columns")

    columns.set_value(["test AUROC", "Momentum"]).run()

    for seen in (page, open_page("runs")):
        assert not seen.exception
        assert list(table(seen)[0]) == ["run", "test AUROC", "Momentum"]
        assert table(seen)[0]["Momentum"] == "0.9"
    seen.button(key="runs_columns_usual").click().run()
    assert "state" in table(seen)[0]
    assert "state" in table(open_page("runs"))[0]


def test_runs_that_differ_in_their_seed_are_one_line_with_their_mean(home: DataHome, open_page: OpenPage) -> None:
    add(home, "a", PRIVATE, 0.7)
    add(home, "b", PLAIN, 0.9)
    add(home, "c", PRIVATE.changed(seed=3), 0.8)
    page = open_page("runs")

    group = next(each for each in page.button_group if each.label == "Group by")
    group.set_value("seed").run()

    first, second = table(page)
    assert (first["seeds"], second["seeds"]) == ("0, 3", "0")
    assert first["test accuracy"] == pytest.approx(75)
    assert first["run"] == "DP-SGD σ 4 · last layer"


def test_the_runs_of_a_sweep_stand_together_under_its_title(home: DataHome, open_page: OpenPage) -> None:
    for run_id, spec in (("a", PRIVATE), ("b", PLAIN), ("c", LOCAL)):
        add(home, run_id, spec)
    members = tuple(SweepRun(one, PLAIN, one, False, 1.0) for one in ("a", "c"))
    write_sweep(home, Sweep("20260101-000000-00000000", "Paper · synthetic_chest · last layer", 0.0, members, ()))
    page = open_page("runs")

    group = next(each for each in page.button_group if each.label == "Group by")
    group.set_value("sweep").run()

    title = "Paper · Synthetic chest radiographs · last layer"
    assert [line["sweep"] for line in table(page)] == [title, title, ""]
    assert names(page)[-1] == "No privacy · last layer"


def test_a_baseline_stands_first_and_the_others_are_told_against_it(home: DataHome, open_page: OpenPage) -> None:
    add(home, "a", PLAIN, 0.9)
    add(home, "b", PRIVATE, 0.8)
    page = open_page("runs")

    baseline = next(each for each in page.selectbox if each.label == "Baseline")
    baseline.set_value("a").run()

    for seen in (page, open_page("runs")):
        first, second = table(seen)
        assert first["run"] == "baseline: No privacy · last layer"
        assert second["test accuracy, Δ"] == pytest.approx(-10)
        columns = list(second)
        assert columns.index("test accuracy, Δ") == columns.index("test accuracy") + 1
