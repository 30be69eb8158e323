"""How the table of runs is looked at: what is worth a column, what stands together, and that it is remembered."""

from __future__ import annotations

import errno

import pytest

from medpriv_core.home import DataHome
from medpriv_core.runs import service, table_view
from medpriv_core.runs.table_view import (
    TableView,
    by_seed,
    differences,
    differing_settings,
    keep_view,
    mean_lines,
    read_view,
    telling_columns,
)
from tests.hostile_text import ALL
from tests.results.chosen_results import PLAIN, PRIVATE
from tests.results.stored import store_run


def test_what_was_chosen_is_remembered(home: DataHome) -> None:
    assert read_view(home) == TableView()
    view = TableView(("β", "test accuracy"), "seed", "r1")

    keep_view(home, view)

    assert read_view(home) == view


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", "{", '{"columns": 3, "group": [], "baseline": {}}', '{"group": "x"}', "9" * 10_000, *ALL],
)
def test_a_file_that_is_none_of_ours_is_the_usual_view(home: DataHome, content: str) -> None:
    home.root.mkdir(exist_ok=True)
    home.table_view.write_text(content, encoding="utf-8", errors="surrogatepass")

    assert read_view(home) == TableView()


def test_a_disk_that_refuses_only_forgets(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(table_view, "write_json", refuse)

    keep_view(home, TableView(group="seed"))

    assert read_view(home) == TableView()


def test_runs_alike_but_for_the_seed_stand_together_and_only_finished_ones(home: DataHome) -> None:
    for run_id, spec in (("a", PLAIN), ("b", PRIVATE), ("c", PLAIN.changed(seed=1, device="cpu"))):
        store_run(home, run_id, spec)
    store_run(home, "d", PLAIN.changed(seed=2), state="cancelled")

    groups = by_seed(service.load_runs(home, ["a", "b", "c", "d"]))

    assert [[run.id for run in group] for group in groups] == [["a", "c"], ["b"], ["d"]]


def test_a_setting_is_worth_a_column_where_runs_differ_in_it(home: DataHome) -> None:
    for run_id, spec in (("a", PRIVATE), ("b", PRIVATE.changed(learning_rate=0.5, device="cpu", epochs=3))):
        store_run(home, run_id, spec)

    assert differing_settings(service.load_runs(home, ["a", "b"])) == ["learning_rate"]
    assert differing_settings(service.load_runs(home, ["a"])) == []


def test_columns_in_which_nothing_stands_or_all_is_equal_are_left_out() -> None:
    lines = [{"run": "a", "dataset": "x", "β": None, "tags": []}, {"run": "a", "dataset": "x", "β": None, "tags": []}]

    assert telling_columns(lines, unless_equal=["dataset"]) == ["run"]
    assert telling_columns([lines[0] | {"dataset": "y"}, lines[1] | {"β": 0.0}], unless_equal=["dataset"]) == [
        "run",
        "dataset",
        "β",
    ]
    assert telling_columns(lines[:1], unless_equal=["dataset"]) == ["run", "dataset", "β", "tags"]


def test_a_mean_is_of_all_or_none_and_a_difference_of_both() -> None:
    lines = [{"run": "a", "x": 1.0, "y": 1.0}, {"run": "b", "x": 2.0, "y": None}]

    assert mean_lines(lines, ["x", "y"]) == {"run": "a", "x": 1.5, "y": None}
    assert differences(lines, lines[0], ["x", "y"]) == [{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": None}]
