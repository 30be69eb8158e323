"""``risk``: what it promises in JSON, check values, runs, and input of which nothing can be said."""

from __future__ import annotations

from typing import Any

import pytest

from medpriv_core.home import DataHome
from medpriv_core.spec import RunSpec
from tests.cli.conftest import Command, Refusal
from tests.pages.recorded_runs import add_recorded_run

CHEST = ["--dataset-size", "5232", "--batch-size", "128", "--epochs", "50"]
FIELDS = {
    *("asked", "unit", "epsilon", "delta", "statement", "sentence", "basis", "tpr_at_fpr", "advantage", "area", "mu"),
    *("misfit", "sensitivity_index", "curve", "prior", "chance_after", "notes", "does_not_say"),
}


def test_json_has_the_promised_fields_and_the_published_curve(medpriv: Command) -> None:
    answer = medpriv("risk", *CHEST, "--noise-multiplier", "1", "--json")
    assert (answer.code, answer.err) == (0, "")
    told = answer.json
    assert set(told) == FIELDS
    assert told["tpr_at_fpr"]["0.01"] == pytest.approx(0.1857, rel=0.01)
    assert told["advantage"] == pytest.approx(0.5136, rel=0.01)
    assert [row["false_alarms"] for row in told["curve"]][:2] == [0.0001, 0.001]
    assert told["chance_after"]["0.01"] == pytest.approx(0.158, abs=0.001)


def test_words_say_hits_odds_and_what_is_not_said(medpriv: Command) -> None:
    out = medpriv("risk", *CHEST, "--noise-multiplier", "4", "--unit", "patient", "--prior", "0.5").out
    assert "Of 100 patients whose images were used, at most 2.06 are found" in out
    assert "Before, 50 of 100 patients were in the training set." in out
    assert "What this does not say" in out


@pytest.mark.parametrize(
    ("options", "share"),
    [
        (("--mechanism", "laplace_per_pixel", "--beta", "954.9"), 0.0198),
        (("--mechanism", "gaussian", "--beta", "955.0"), 0.0198),
        (("--mechanism", "laplace_per_pixel", "--beta", "1", "--pixel"), 0.0271828),
        (("--mechanism", "laplace_per_image", "--beta", "1"), 1.0),
        (("--epsilon", "8"), 0.99967),
        (("--epsilon", "1e9"), 1.0),
        (("--epsilon", "inf"), 1.0),
        (("--epsilon", "0"), 0.01001),
        ((*CHEST, "--noise-multiplier", "0"), 1.0),
    ],
    ids=str,
)
def test_every_kind_of_question(medpriv: Command, options: Any, share: Any) -> None:
    told = medpriv("risk", *options, "--json").json
    assert told["tpr_at_fpr"]["0.01"] == pytest.approx(share, rel=0.005)


def test_a_run_by_name_and_several_together(medpriv: Command, home: DataHome) -> None:
    spec = RunSpec(dataset="synthetic_chest", weights="none", epochs=2, method="dp_sgd", noise_multiplier=2.0)
    for name in ("first", "second"):
        add_recorded_run(home, spec, name)
    one = medpriv("risk", "first", "--json").json
    both = medpriv("risk", "first", "second", "--json").json
    assert both["epsilon"] > one["epsilon"]
    assert both["tpr_at_fpr"]["0.01"] > one["tpr_at_fpr"]["0.01"]
    assert one["basis"] == both["basis"] == "exact"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "Give one of: runs, --noise-multiplier, --mechanism, or --epsilon."),
        (("--epsilon", "1", "--mechanism", "gaussian"), "Give one of"),
        (("--epsilon", "-1"), "epsilon must be 0 or more, but is -1."),
        (("--epsilon", "nan"), "epsilon must be 0 or more, but is nan."),
        (("--epsilon", "1", "--prior", "1"), "prior must be above 0 and below 1, but is 1."),
        (("--noise-multiplier", "1"), "dataset_size is needed beside noise_multiplier; give it."),
        (("--mechanism", "gaussian"), "beta is needed beside mechanism; give it."),
        (("--mechanism", "gaussian", "--beta", "1", "--image-size", "0"), "image_size must be between 1 and 4096"),
        ((*CHEST, "--noise-multiplier", "-1"), "noise_multiplier must be between 0 and 10000, but is -1."),
        (("nobody",), "nobody"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_is_refused_in_a_sentence(refused: Refusal, options: Any, sentence: Any) -> None:
    assert sentence in refused("risk", *options)
