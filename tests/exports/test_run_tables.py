"""Runs as CSV tables."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import pytest

from medpriv_core.exports.run_tables import epochs_csv, runs_csv
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.results.guarantee import held_guarantee
from medpriv_core.runs.service import Run
from medpriv_core.spec import RunSpec
from tests.exports.runs import LOCAL, PLAIN, PRIVATE, made_run


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_there_is_one_line_a_run_with_every_setting_in_the_order_given() -> None:
    runs = [made_run(PLAIN, run_id="20260101-000000-aaaa"), made_run(PRIVATE, run_id="20260101-000001-bbbb")]

    table = lines(runs_csv(runs))

    assert [line["run"] for line in table] == [run.id for run in runs]
    for line, run in zip(table, runs, strict=True):
        assert run.spec is not None
        for name, value in run.spec.to_dict().items():
            assert line[f"spec_{name}"] == ("" if value is None else str(value))


def test_last_and_best_figures_are_told_apart() -> None:
    run = made_run(PLAIN, accuracies=(0.6, 0.9, 0.7))

    (line,) = lines(runs_csv([run]))

    assert (line["last_epoch"], line["last_test_accuracy"]) == ("3", "0.7")
    assert (line["best_epoch"], line["best_test_accuracy"]) == ("2", "0.9")


@pytest.mark.parametrize("spec", [PRIVATE, LOCAL, PLAIN])
def test_epsilon_is_the_one_that_holds_and_has_all_it_depends_on_beside_it(spec: RunSpec) -> None:
    run = made_run(spec)
    held = held_guarantee(spec, run.setup, run.spent)

    (line,) = lines(runs_csv([run]))

    assert float(line["epsilon"]) == held.epsilon
    assert math.isinf(float(line["epsilon"])) == (spec.method == "none")
    assert line["guarantee"] == held.statement
    for name in ("delta", "adjacency", "sampling", "accountant"):
        assert (line[name] == "") == (spec.method == "none")


def test_a_name_cannot_become_a_formula() -> None:
    for evil in ("=1+1", "+cmd", "-2", "@SUM(A1)", "\t=1", "  =1"):
        run = replace(made_run(PLAIN), name=evil, tags=(evil,), notes=evil)
        (line,) = lines(runs_csv([run]))
        for column in ("name", "tags", "notes"):
            assert line[column] == f"'{evil}"
        assert lines(epochs_csv([run]))[0]["name"] == f"'{evil}"


def test_a_figure_of_an_imported_run_cannot_become_a_formula_in_the_header() -> None:
    run = made_run(PLAIN)
    run.epochs[0] = replace(run.epochs[0], others={"=HYPERLINK(1)": 0.5, "name": 7})

    (line, _) = lines(epochs_csv([run]))

    assert line["'=HYPERLINK(1)"] == "0.5"
    assert line["name"] == run.name
    assert not any(cell.startswith("=") for cell in epochs_csv([run]).split(","))


def test_names_with_separators_and_line_breaks_stay_in_their_cell() -> None:
    run = replace(made_run(PLAIN), name='a,b;"c"', notes="first\nsecond")

    (line,) = lines(runs_csv([run]))

    assert (line["name"], line["notes"]) == ('a,b;"c"', "first\nsecond")


def test_no_path_gets_into_the_table() -> None:
    run = made_run(PLAIN.changed(weights="/home/somebody/weights.pth"))

    assert "somebody" not in runs_csv([run])
    assert lines(runs_csv([run]))[0]["spec_weights"] == "weights.pth"


def test_a_run_that_never_began_or_whose_files_are_damaged_has_a_line_too() -> None:
    waiting = replace(
        made_run(PRIVATE),
        setup=Setup(),
        last=EpochRow(),
        best=EpochRow(),
        spent=None,
        epochs=[],
        state="queued",
        ended_at=None,
    )
    damaged = replace(waiting, spec=None)

    table = lines(runs_csv([waiting, damaged]))

    assert [line["epsilon"] for line in table] == ["", ""]
    assert table[1]["spec_dataset"] == ""


def test_every_epoch_has_a_line() -> None:
    runs: list[Run] = [made_run(PLAIN, accuracies=(0.5, 0.6)), made_run(PRIVATE, accuracies=(0.7,))]
    runs[1].epochs[0] = replace(runs[1].epochs[0], epsilon=math.inf)

    table = lines(epochs_csv(runs))

    assert [(line["method"], line["epoch"], line["test_accuracy"]) for line in table] == [
        ("none", "1", "0.5"),
        ("none", "2", "0.6"),
        ("dp_sgd", "1", "0.7"),
    ]
    assert [line["epsilon"] for line in table] == ["", "", "inf"]
