"""``datasets budget`` and ``runs release``."""

from __future__ import annotations

import pytest

from medpriv_core.datasets.registry import content_of
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from tests.cli.conftest import Command
from tests.exports.runs import PRIVATE, RUN_ID, put_run

NAME = "synthetic_chest"


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def test_a_limit_is_set_shown_and_taken_off(medpriv: Command, home: DataHome) -> None:
    assert "No budget is set for these images." in medpriv("datasets", "budget", NAME).out
    said = medpriv("datasets", "budget", NAME, "--epsilon", 2).out
    assert "Budget of these images: ε = 2 (δ = 1e-5; one patient with all images and labels added or removed)." in said
    facts = medpriv("datasets", "budget", NAME, "--json").json
    assert (facts["epsilon"], facts["unit"], facts["spent"], facts["left"], facts["runs"]) == (2, "patient", 0, 2, [])
    run = ("run", "--dataset", NAME, "--weights", "none", "--method", "dp_sgd", "--target-epsilon", 3)
    refused = medpriv(*run)
    assert refused.code == 2
    assert "more than their budget allows" in refused.err
    assert service.list_runs(home) == []
    assert medpriv("datasets", "budget", NAME, "--remove", "--json").json["epsilon"] is None
    assert medpriv("datasets", "budget", "retina_photo").code == 2
    assert "has not been added yet" in medpriv("datasets", "budget", "chest_xray").err


def test_what_was_given_away_is_noted_in_the_ledger(medpriv: Command, home: DataHome) -> None:
    put_run(home, PRIVATE)
    assert "is marked as given away" in medpriv("runs", "release", RUN_ID).out
    ledger = medpriv("datasets", "budget", NAME)
    assert f"{RUN_ID}  ε = " in ledger.out
    assert ", given away on " in ledger.out
    assert "Given away together: ε = " in ledger.out
    (line,) = medpriv("datasets", "budget", NAME, "--json").json["runs"]
    assert (line["run"], line["unit"]) == (RUN_ID, "image")
    assert line["released"]
    assert content_of(home, NAME)
    assert "no longer" in medpriv("runs", "release", RUN_ID, "--undo").out
    assert "Given away together" not in medpriv("datasets", "budget", NAME).out


def test_a_run_without_dp_sgd_has_no_place_in_it(medpriv: Command, home: DataHome) -> None:
    put_run(home, PRIVATE.changed(method="none", noise_multiplier=None, unit="auto"))
    assert "is not under DP-SGD" in medpriv("runs", "release", RUN_ID).err
