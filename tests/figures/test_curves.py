"""What a run's epochs say as curves."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from medpriv_core.figures.curves import (
    MEASURES,
    RunCurves,
    best_epoch,
    curves_of,
    describe_curves,
    epsilon_terms,
    last_and_best,
    parts_of,
    smoothed,
    thinned,
)
from medpriv_core.privacy.facts import GuaranteeFacts
from medpriv_core.privacy.plan import plan_run
from medpriv_core.records.epoch import EpochRow, read_figures
from medpriv_core.records.setup import Setup
from medpriv_core.spec import RunSpec
from tests.exports.runs import PLAIN, PRIVATE, made_run

ACCURACY, LOSS, EPSILON = MEASURES["accuracy"], MEASURES["loss"], MEASURES["epsilon"]
ROWS = [
    {"epoch": 1, "elapsed_s": 2.0, "train_accuracy": 0.5, "test_accuracy": 0.6, "test_loss": 0.7, "epsilon": 0.5},
    {"epoch": 2, "elapsed_s": 4.0, "train_accuracy": 0.7, "test_accuracy": 0.8, "test_loss": 0.4, "epsilon": 0.7},
    {"epoch": 3, "elapsed_s": 6.0, "train_accuracy": None, "test_accuracy": 0.8, "test_loss": 0.9, "epsilon": 0.9},
]
EPOCHS = list(map(read_figures, ROWS))
SETUP = Setup(majority_rate=0.625, classes=("no", "yes"))
RUN = RunCurves("a", "A run", "dp_sgd", "Chests", 3, EPOCHS, SETUP)


def test_points_go_by_epoch_or_by_time_and_skip_what_was_not_measured() -> None:
    assert RUN.points(ACCURACY, "train", "epoch") == [(1, 0.5, 1), (2, 0.7, 2)]
    assert RUN.points(ACCURACY, "test", "time") == [(2, 0.6, 1), (4, 0.8, 2), (6, 0.8, 3)]
    assert RUN.points(MEASURES["auroc"], "test", "epoch") == []


def test_the_best_epoch_is_the_first_of_equals_and_low_where_low_is_good() -> None:
    assert best_epoch(RUN, ACCURACY) == 2
    assert best_epoch(RUN, LOSS) == 2
    assert best_epoch(RUN, EPSILON) is None
    assert best_epoch(RUN, MEASURES["kappa"]) is None


def test_smoothing_is_the_weighted_mean_of_all_epochs_so_far() -> None:
    values, weight = [0.2, 0.9, 0.4, 0.6], 0.7
    for end, mean in enumerate(smoothed(values, weight), start=1):
        weights = [weight ** (end - 1 - place) for place in range(end)]
        assert mean == pytest.approx(sum(w * v for w, v in zip(weights, values, strict=False)) / sum(weights))


def test_no_smoothing_leaves_values_alone() -> None:
    assert smoothed([0.2, 0.9], 0.0) == [0.2, 0.9]


def test_thinning_keeps_the_ends_and_what_is_asked_for() -> None:
    kept = thinned(1000, [501], most=100)
    assert {0, 501, 999} <= set(kept)
    assert len(kept) <= 102
    assert thinned(5) == [0, 1, 2, 3, 4]
    assert thinned(0) == []


def test_what_guessing_gets() -> None:
    assert RUN.floor(ACCURACY) == 0.625
    assert RUN.floor(MEASURES["balanced_accuracy"]) == 0.5
    assert RUN.floor(MEASURES["auroc"]) == 0.5
    assert RUN.floor(LOSS) is None


def test_epsilon_is_drawn_only_with_what_it_depends_on() -> None:
    assert RUN.points(EPSILON, "train", "epoch") == []
    spec = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=4.0)
    ledger = plan_run(spec, train_size=640).epsilon
    steps = 10 * spec.epochs
    row = EpochRow(epoch=spec.epochs, epsilon=ledger, delta=spec.delta, steps=steps)
    terms = epsilon_terms(spec, setup=Setup(train_size=640), epochs=[row])
    assert terms == "δ = 1e-5; one image added or removed; Poisson subsampling; PLD accountant"


def test_an_epsilon_that_does_not_hold_is_not_drawn() -> None:
    spec = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=4.0)
    setup = Setup(train_size=640)
    infinite = EpochRow(epoch=1, epsilon=math.inf, delta=1e-5, steps=10)
    run = RunCurves(
        "b", "B", "dp_sgd", "Chests", 1, [infinite], terms=epsilon_terms(spec, setup=setup, epochs=[infinite])
    )
    assert run.points(EPSILON, "train", "epoch") == []
    assert epsilon_terms(spec, setup=setup, epochs=[]) is None
    assert epsilon_terms(RunSpec(dataset="x"), setup=setup, epochs=[EpochRow(epoch=1)]) is None
    facts = {
        "sampling": "poisson",
        "sample_rate": 0.1,
        "steps_per_epoch": 10,
        "noise_multiplier": 4.0,
        "earlier_segments": [],
        "engine": "one_pass",
        "clipped_together": 1,
        "mixing_layers": [],
        "divisor": "expected",
        "normalisation": "each_image",
        "augmentation": "independent",
        "noise_generator": "fast",
        "noise_seed_stored": False,
    }
    too_low = EpochRow(epoch=1, epsilon=1e-3, delta=1e-5, steps=10)
    assert (
        epsilon_terms(spec, setup=replace(setup, guarantee=GuaranteeFacts.from_dict(facts)), epochs=[too_low]) is None
    )


def test_the_table_has_last_and_best_of_each_set_of_images() -> None:
    rows = last_and_best([RUN], ACCURACY)
    assert [row["images"] for row in rows] == ["training", "test"]
    assert rows[0]["at the last"] == pytest.approx(70)
    assert "best epoch" not in rows[0]
    assert (rows[1]["last epoch"], rows[1]["best epoch"]) == (3, 2)
    assert rows[1]["at the best"] == pytest.approx(80)


def test_the_table_of_epsilon_says_it_in_full_and_rounded_up() -> None:
    run = RunCurves("a", "A run", "dp_sgd", "Chests", 3, [replace(EPOCHS[0], epsilon=0.70001)], terms="δ = 1e-5; …")
    (row,) = last_and_best([run], EPSILON)
    assert row["ε"] == "0.701 (δ = 1e-5; …)"
    assert not any(isinstance(value, float) and math.isnan(value) for value in row.values())


def test_charts_are_told_in_words() -> None:
    assert describe_curves([], ACCURACY, "epoch") == "Accuracy against epoch, no epoch yet."
    assert describe_curves([RUN], ACCURACY, "epoch") == (
        "Accuracy against epoch; after epoch 3: training 70.0%, test 80.0%."
    )
    other = RunCurves("b", "Another", "none", "Chests", 3, EPOCHS[:1])
    assert describe_curves([RUN, other], ACCURACY, "time") == (
        "Accuracy against time of 2 runs; at the end: A run 80.0%; Another 60.0%."
    )
    assert parts_of([RUN, other], LOSS) == ["test"]


def test_a_run_becomes_curves_under_the_title_of_its_dataset() -> None:
    run = made_run(PRIVATE)

    curves = curves_of(run)

    assert (curves.name, curves.method, curves.terms) == (run.name, "dp_sgd", None)
    assert curves.dataset == "Synthetic chest radiographs"
    assert [value for _, value, _ in curves.points(ACCURACY, "test", "epoch")] == [0.7, 0.8]
    assert "Poisson subsampling" in (curves_of(run, name="a", with_epsilon=True).terms or "")


def test_a_dataset_that_this_version_does_not_know_keeps_its_name() -> None:
    assert curves_of(made_run(PLAIN.changed(dataset="unheard_of"))).dataset == "unheard_of"
