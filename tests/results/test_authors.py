"""The authors' logged runs: all of them, unchanged, and nothing claimed for them that does not hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from medpriv_core.errors import RunError
from medpriv_core.results import authors
from medpriv_core.results.authors import DIFFERENCES, FILE, read_authors
from medpriv_core.results.result import Result

RUNS = read_authors()


def find(run_id: str) -> Result:
    return next(run for run in RUNS if run.id == run_id)


def test_there_are_28_runs_of_50_epochs() -> None:
    assert len(RUNS) == 28
    assert {len(run.epochs) for run in RUNS} == {50}
    assert all([row.epoch for row in run.epochs] == list(range(1, 51)) for run in RUNS)
    assert len(FILE.read_text().splitlines()) == 1 + 28 * 50


def test_every_test_accuracy_is_a_whole_number_of_test_images() -> None:
    for run in RUNS:
        assert run.test_size is not None
        for row in run.epochs:
            hits = row.test.accuracy * run.test_size
            assert abs(hits - round(hits)) < run.test_size * 1e-6, run.id


def test_the_figures_that_the_paper_quotes_are_in_the_logs() -> None:
    chest = find("chest_xray-none-beta0-v4").epochs[33]
    aptos = find("aptos2019-none-beta0-v4").final

    assert (chest.train.accuracy, chest.test.accuracy) == pytest.approx((0.9976, 0.9022), abs=1e-4)
    assert (aptos.train.accuracy, aptos.test.accuracy) == pytest.approx((0.9839, 0.8021), abs=1e-4)


def test_no_finite_epsilon_is_shown_for_any_of_them() -> None:
    assert all(math.isinf(run.epsilon) for run in RUNS)


@pytest.mark.parametrize("run", [run for run in RUNS if run.method == "dp_sgd"], ids=lambda run: run.id)
def test_the_claimed_epsilon_of_dp_sgd_is_called_not_established(run: Result) -> None:
    assert not run.guarantee.established
    assert "not established" in run.guarantee.statement
    assert run.noise_multiplier is not None
    assert run.noise_multiplier > 4


def test_beta_is_the_order_of_the_noise_multipliers() -> None:
    multipliers = {run.beta: run.noise_multiplier for run in RUNS if run.id.startswith("chest_xray-dp_sgd")}

    assert multipliers == {1.0: 5.002, 2.0: 9.7, 4.0: 19.55}


def test_the_differences_that_matter_are_listed() -> None:
    listed = " ".join(difference.name.lower() for difference in DIFFERENCES)

    for word in ("noise draw", "best epoch", "noise multipliers", "colour order", "batchnorm"):
        assert word in listed


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text.replace("test_accuracy", "accuracy"),
        lambda text: text.replace("chest_xray", "unheard_of"),
        lambda text: text.replace(",50,", ",fifty,"),
        lambda text: text[: len(text) // 2],
    ],
)
def test_damaged_logs_are_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[str], str]
) -> None:
    damaged = tmp_path / "authors_runs.csv"
    damaged.write_text(damage(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    monkeypatch.setattr(authors, "FILE", damaged)

    with pytest.raises(RunError, match=r"authors_runs\.csv, is damaged; install medpriv again"):
        read_authors()
