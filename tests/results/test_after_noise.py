"""What is left of a diagnosis after noise: measured figures of the shipped runs alone, and no more said than that."""

from __future__ import annotations

import pytest

from medpriv_core.results.after_noise import Left, both_answer, left_after, left_statement
from medpriv_core.results.groups import Estimate
from medpriv_core.results.reference import read_references


def figure(mean: float, half: float = 0.01) -> Estimate:
    return Estimate(mean, mean - half, mean + half, "seeds", 3)


LEFT = Left(
    title="Chest",
    learned="the last layer, 64 pixels",
    word="AUROC",
    column="test_auroc",
    without=figure(0.97),
    guessing=0.5,
    by_beta={1.0: figure(0.69), 2.0: figure(0.505), 4.0: figure(0.44)},
)


def test_the_shipped_runs_say_it_for_both_datasets_with_their_own_measure() -> None:
    chest, idrid = left_after("per_pixel")
    assert (chest.word, idrid.word) == ("AUROC", "kappa")
    assert set(chest.by_beta) == set(idrid.by_beta) == {1.0, 2.0, 4.0}
    runs = [
        run
        for reference in read_references().sets
        for run in reference.results
        if (run.dataset, run.method, run.noise_draw, run.beta, run.trainable)
        == ("chest_xray", "local_dp", "per_pixel", 1.0, "head")
    ]
    mean = sum(run.figure("test_auroc") or 0 for run in runs) / len(runs)
    assert len(runs) == 3
    assert chest.by_beta[1.0].mean == pytest.approx(mean)
    assert chest.is_left(1.0)
    assert not chest.is_left(2.0)
    assert not idrid.is_left(1.0)  # kappa 0 is guessing
    # The baseline is the same recipe without noise, not another one.
    assert chest.without.mean == pytest.approx(0.9695, abs=1e-4)


def test_noise_that_was_not_trained_with_has_nothing_to_tell() -> None:
    assert left_after("gaussian") == ()
    assert left_after("per_pixel", []) == ()


def test_something_is_left_only_where_the_whole_interval_is_better_than_guessing() -> None:
    assert [LEFT.is_left(beta) for beta in LEFT.by_beta] == [True, False, False]
    assert left_statement([LEFT]) == (
        "Chest (AUROC 0.970 without noise; 0.5 is guessing): something is left, 0.690 at β = 1; nothing at β = 2 and 4."
    )


def test_both_at_once_is_said_for_amounts_that_were_measured_for_both() -> None:
    assert both_answer([LEFT], hidden_from=0.5) == "The patient is hidden and something of the diagnosis left at β = 1."
    never = both_answer([LEFT], hidden_from=None)
    assert (
        never
        == "No amount of noise that was measured for both hides the patient and leaves something of the diagnosis."
    )
    assert both_answer([LEFT], hidden_from=2.0) == never
    assert "hidden from β = 64 on; no network was trained beyond β = 4" in both_answer([LEFT], hidden_from=64.0)
