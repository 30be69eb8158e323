"""The numbers to take away."""

from __future__ import annotations

import csv
import io

from medpriv_core.exports.comparison_table import export_rows, to_csv
from medpriv_core.results.authors import read_authors
from medpriv_core.results.groups import group_results
from medpriv_core.results.labels import labelled
from tests.results.chosen_results import PLAIN, PRIVATE, result


def test_each_run_has_a_row_with_all_that_its_epsilon_depends_on() -> None:
    runs = [result(PLAIN, run_id="a"), result(PLAIN.changed(seed=1), run_id="b"), result(PRIVATE, run_id="c")]

    rows = list(csv.DictReader(io.StringIO(to_csv(export_rows(labelled(group_results(runs)), "last_epoch")))))

    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert float(rows[2]["epsilon"]) == runs[2].epsilon
    assert rows[2]["delta"] == "1e-05"
    assert rows[2]["adjacency"] == "one image added or removed"
    assert rows[2]["sampling"] == "Poisson subsampling"
    assert rows[0]["epsilon"] == "inf"
    assert rows[0]["synthetic"] == "True"
    assert float(rows[0]["test_accuracy"]) == 0.8


def test_the_authors_epsilon_is_not_exported_as_a_number() -> None:
    rows = export_rows(labelled(group_results(read_authors())), "last_epoch")

    assert {row["epsilon"] for row in rows if row["method"] == "dp_sgd"} == {"not established"}


def test_the_best_epoch_is_named_as_such() -> None:
    rows = export_rows(labelled(group_results([result(PLAIN, (0.9, 0.8))])), "best_on_test")

    assert rows[0]["epoch"] == "best on test images"
    assert rows[0]["test_accuracy"] == 0.9


def test_nothing_gives_an_empty_file() -> None:
    assert to_csv([]) == ""
