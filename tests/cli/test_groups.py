"""``runs groups``: by line and as JSON, without what tells of single patients."""

from __future__ import annotations

from pathlib import Path

import pytest

from medpriv_core.home import DataHome
from medpriv_core.spec import RunSpec
from tests.cli.conftest import Command
from tests.results.grouped import PLAIN, PRIVATE, add_grouped, add_run


@pytest.fixture(autouse=True)
def runs(home: DataHome, tmp_path: Path) -> None:
    add_grouped(home, tmp_path / "set")
    add_run(home, "plain", PLAIN, better=0.9)
    add_run(home, "private", PRIVATE, better=0.2)


def test_each_column_is_told(medpriv: Command) -> None:
    told = medpriv("runs", "groups", "private")
    assert told.code == 0
    for words in (
        "By machine, 95% intervals by bootstrap over patients:",
        "  ct: images 48, patients 24, images of 1 24, accuracy ",
        "This network less name of plain, which is the same without privacy:",
        "2 groups are left out",
        "not covered by any ε",
        "Statistical parity: ",
        "a difference that another seed would turn around is chance",
    ):
        assert words in told.out
    assert "old<b>" not in told.out
    assert "another seed" not in medpriv("runs", "groups", "plain").out


def test_as_json(medpriv: Command) -> None:
    (machines,) = medpriv("runs", "groups", "private", "--json").json["columns"]
    assert (machines["column"], machines["left_out"], machines["held_against"]) == ("machine", 2, "name of plain")
    assert {group["group"]: group["patients"] for group in machines["groups"]} == {"ct": 24, "xr": 24}
    assert set(machines["groups"][0]["figures"]["auroc"]) == {"value", "interval", "few"}


def test_where_nothing_is_known_it_says_so(medpriv: Command, home: DataHome) -> None:
    (home.runs / "plain" / "predictions.npz").unlink()
    answer = medpriv("runs", "groups", "plain")
    assert (answer.code, answer.out) == (2, "")
    assert "kept no predictions, so nothing can be told by group" in answer.err


def test_what_privacy_costs_each_class_is_told_where_nothing_is_known_of_groups(
    medpriv: Command, home: DataHome
) -> None:
    grades = RunSpec(dataset="synthetic_fundus", weights="none", epochs=3)
    add_run(home, "grades", grades, better=0.9)
    add_run(home, "quiet", grades.changed(method="dp_sgd", noise_multiplier=4.0), better=0.2)
    told = medpriv("runs", "groups", "quiet")
    assert "By class, less name of grades, which is the same without privacy:" in told.out
    assert "training images" not in told.out  # for the owner of the images alone
    assert medpriv("runs", "groups", "quiet", "--json").json["by_class"]["held_against"] == "name of grades"
