"""``compare``: the answer of the compare page, its table and its charts from the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from medpriv_core.home import DataHome
from medpriv_core.results import reference
from medpriv_core.runs import service
from tests.cli.conftest import Command, Refusal
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE
from tests.results.stored import store_run

CHEST = "synthetic_chest"


@pytest.fixture(autouse=True)
def _own_runs_and_the_authors_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    monkeypatch.setattr(reference.read_references, "__defaults__", (tmp_path / "references",))


@pytest.fixture
def runs(home: DataHome) -> DataHome:
    store_run(home, "plain", PLAIN, (0.6, 0.9), auroc=0.95)
    store_run(home, "local", LOCAL, (0.6, 0.7), auroc=0.8)
    store_run(home, "private", PRIVATE, (0.85, 0.8), auroc=0.9, tags=["pilot"])
    return home


def test_it_prints_the_answer_what_it_rests_on_and_a_line_a_group(medpriv: Command, runs: DataHome) -> None:
    answer = medpriv("compare", CHEST)

    assert answer.code == 0
    assert "in your runs (the last layer, 64 pixels): DP-SGD with ε = " in answer.out
    assert "**" not in answer.out
    assert "costs 10.0 points of accuracy" in answer.out
    assert "No privacy" in answer.out
    assert "90.0%  84.4% to 93.8%  (the interval of one run for other test images)" in answer.out
    assert "My runs; the last layer, 64 pixels; the training set: ε = " in answer.out
    assert "Poisson subsampling" in answer.out


def test_one_run_without_its_predictions_is_said_to_have_no_interval(medpriv: Command, runs: DataHome) -> None:
    note = "A figure without an interval is of one run whose predictions"

    assert note in medpriv("compare", CHEST, "--column", "test_auroc").out
    assert note not in medpriv("compare", CHEST).out


def test_the_authors_are_there_from_the_first_start(medpriv: Command, home: DataHome) -> None:
    answer = medpriv("compare", "chest_xray", "--source", "authors", "--notebooks", "repetition", "--json")

    assert "in the authors' logs" in answer.json["sentence"]
    assert all("v5" in group["group"] for group in answer.json["groups"])
    assert {group["epsilon"] for group in answer.json["groups"] if group["method"] == "dp_sgd"} == {"not established"}


def test_the_table_holds_each_figure_with_its_interval_and_all_that_epsilon_depends_on(
    medpriv: Command, runs: DataHome, tmp_path: Path
) -> None:
    file = tmp_path / "table.csv"

    answer = medpriv("compare", CHEST, "--method", "none", "dp_sgd", "--csv", file)

    assert f"Written: {file}" in answer.out
    with open(file, encoding="utf-8", newline="") as lines:
        plain, private = csv.DictReader(lines)
    assert plain["group"] == "No privacy"
    assert (plain["epsilon"], plain["test_accuracy"]) == ("inf", "0.9")
    assert float(plain["test_accuracy_low"]) < 0.9 < float(plain["test_accuracy_high"])
    assert plain["test_accuracy_interval"] == "the interval of one run for other test images"
    assert plain["learned"] == "the last layer, 64 pixels"
    assert 0 < float(private["epsilon"]) < 20
    assert (private["delta"], private["adjacency"]) == ("1e-05", "one image added or removed")
    assert private["sampling"] == "Poisson subsampling"
    assert private["accountant"]


def test_the_papers_protocol_has_no_interval(medpriv: Command, runs: DataHome) -> None:
    answer = medpriv("compare", CHEST, "--protocol", "best_on_test", "--json")

    assert "flatters" in answer.json["sentence"]
    private = answer.json["groups"][-1]
    assert (private["test_accuracy"], private["test_accuracy_low"]) == (0.85, None)


@pytest.mark.parametrize(
    ("name", "options", "magic"),
    [
        ("frontier.png", ["--column", "test_auroc"], b"\x89PNG"),
        ("epochs.svg", ["--view", "figure-3"], b"<?xml"),
        ("mechanisms.SVG", ["--view", "figure-4", "--protocol", "best_on_test"], b"<?xml"),
    ],
)
def test_each_chart_of_the_page_can_be_written(
    medpriv: Command, runs: DataHome, tmp_path: Path, name: str, options: list[str], magic: bytes
) -> None:
    assert medpriv("compare", CHEST, "--figure", tmp_path / name, *options).code == 0

    assert (tmp_path / name).read_bytes().startswith(magic)


def test_one_kind_of_learning_is_shown_at_a_time_and_others_are_named(medpriv: Command, runs: DataHome) -> None:
    deep = PLAIN.changed(trainable="all")
    store_run(runs, "deep", deep)

    both = medpriv("compare", CHEST).out
    assert "No privacy, all layers" in both
    one = medpriv("compare", CHEST, "--trainable", "all", "--json").json
    assert [group["group"] for group in one["groups"]] == ["No privacy"]
    assert [group["source"] for group in medpriv("compare", CHEST, "--tag", "pilot", "--json").json["groups"]] == [
        "mine"
    ]


def test_a_damaged_reference_file_is_named_and_the_rest_is_compared(
    medpriv: Command, runs: DataHome, tmp_path: Path
) -> None:
    (tmp_path / "references").mkdir()
    (tmp_path / "references" / "idrid.json.gz").write_bytes(b"broken")

    answer = medpriv("compare", CHEST)

    assert answer.code == 0
    assert "idrid.json.gz is damaged" in answer.err
    assert "costs 10.0 points" in answer.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["unheard_of"], "There is no dataset 'unheard_of'"),
        (["retina_photo"], "No finished run on retina_photo is like that"),
        ([CHEST, "--source", "authors"], "choose less narrowly, or train one"),
        ([CHEST, "--column", "test_loss"], "invalid choice: 'test_loss'"),
        (["chest_xray", "--column", "test_auroc"], "None of these runs has measured AUROC"),
        ([CHEST, "--figure", "chart.jpg"], "ends in .png or .svg"),
        ([CHEST, "--view", "figure-3"], "name the file with --figure"),
        ([CHEST, "--figure", "x.png", "--protocol", "best_on_test"], "The frontier counts the last epoch"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(
    refused: Refusal, runs: DataHome, arguments: list[str], complaint: str
) -> None:
    assert complaint in refused("compare", *arguments)


def test_what_several_private_networks_cost_together_is_said(medpriv: Command, runs: DataHome) -> None:
    assert medpriv("compare", CHEST, "--json").json["together"] == []
    store_run(runs, "again", PRIVATE, (0.85, 0.8), auroc=0.9)

    (said,) = medpriv("compare", CHEST, "--json").json["together"]

    assert said.startswith(
        "Anyone who gets all 2 DP-SGD networks, or answers that all had a part in, learns from each of them: ε = "
    )
    assert said in medpriv("compare", CHEST).out
    assert medpriv("compare", CHEST, "--tag", "pilot", "--json").json["together"] == []
