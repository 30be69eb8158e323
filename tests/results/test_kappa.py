"""Kappa of graded images: in every place where figures are compared, with an interval, and spoken of first."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from medpriv_core.evaluation.confusion import confusion_matrix, weighted_kappa
from medpriv_core.evaluation.predictions import FILE_NAME, Predictions, write_predictions
from medpriv_core.evaluation.report import report
from medpriv_core.exports.comparison_table import export_rows, group_rows
from medpriv_core.figures.frontier import floor_of, frontier_figure
from medpriv_core.records.epoch import COMPARED
from medpriv_core.results.cost import report_cost, usual_measure
from medpriv_core.results.groups import Group, estimate
from medpriv_core.results.image_intervals import image_interval
from medpriv_core.results.reference import read_references
from medpriv_core.results.selection import compare_results
from tests.cli.conftest import Command, medpriv

__all__ = ["medpriv"]


@pytest.fixture(scope="module")
def groups() -> dict[str, list[Group]]:
    results = [result for reference in read_references().sets for result in reference.results]
    return {name: compare_results([each for each in results if each.dataset == name], name, trained=["head"])[0]
            for name in ("idrid", "chest_xray")}  # fmt: skip


def test_it_is_the_usual_figure_of_grades_where_it_was_measured(groups: dict[str, list[Group]]) -> None:
    assert usual_measure(groups["idrid"], ordered=True) == "test_kappa"
    assert usual_measure(groups["chest_xray"], ordered=False) == "test_accuracy"
    # Grades whose runs have not measured it, as those of the authors.
    assert usual_measure(groups["chest_xray"], ordered=True) == "test_accuracy"
    sentence = report_cost(groups["idrid"], "test_kappa", dataset="IDRiD").sentence
    assert " of kappa (" in sentence


def test_tables_have_its_mean_and_interval(groups: dict[str, list[Group]]) -> None:
    row = next(row for row in group_rows(groups["idrid"], "last_epoch") if row["target_epsilon"] == 3.0)
    values = [
        each.final.test.kappa for group in groups["idrid"] for each in group.results if each.target_epsilon == 3.0
    ]
    assert row["test_kappa"] == pytest.approx(np.mean(values))
    assert -1 <= row["test_kappa_low"] < row["test_kappa"] < row["test_kappa_high"] <= 1
    assert all("test_kappa" in row for row in export_rows(groups["idrid"], "last_epoch"))
    assert all(row["test_kappa"] is None for row in group_rows(groups["chest_xray"], "last_epoch"))


def test_an_interval_over_seeds_stays_within_its_bounds() -> None:
    found = estimate([-0.9, 0.9], "test_kappa", None)
    assert found is not None
    assert (found.low, found.high) == (-1.0, 1.0)


def test_one_run_has_the_bootstraps_interval_as_on_its_own_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(90, dtype=np.int64) % 5
    scores = rng.dirichlet(np.ones(5), 90) + 0.2 * np.eye(5)[labels]
    made = Predictions(3, labels, (scores / scores.sum(1, keepdims=True)).astype(np.float32))
    write_predictions(tmp_path / FILE_NAME, made)
    (expected,) = [each for each in report(made.test, labels, ordered=True) if each.name == "kappa"]
    found = image_interval(tmp_path / FILE_NAME, "test_kappa", epoch=3)
    assert found == expected.interval
    assert found is not None
    value = weighted_kappa(confusion_matrix(made.test.argmax(1), labels, classes=5))
    assert value is not None
    assert found.low < value < found.high


def test_the_frontier_draws_it_against_guessing_at_0(groups: dict[str, list[Group]]) -> None:
    assert floor_of(groups["idrid"][0], "test_kappa") == (0.0, "guessing")
    figure = frontier_figure(groups["idrid"], "test_kappa")
    assert figure.layout.yaxis.title.text == COMPARED["test_kappa"].metric.word
    assert figure.layout.yaxis.tickformat == ".2f"
    assert COMPARED["test_kappa"].metric.format(0.5) == "0.500"


def test_the_command_speaks_of_it_first_and_writes_it(medpriv: Command, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    answer = medpriv("compare", "idrid", "--source", "reference", "--csv", table)
    assert " of kappa (" in answer.out
    assert "points of accuracy" in medpriv("compare", "idrid", "--source", "reference", "--column", "test_accuracy").out
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert all(row["test_kappa"] and row["test_kappa_low"] for row in rows if row["target_epsilon"])
