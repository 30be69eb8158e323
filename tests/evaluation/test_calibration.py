"""Calibration: against a naive loop, by hand, and not another figure of the same name."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy

from medpriv_core.evaluation.calibration import (
    brier_score,
    calibration_error,
    calibration_interval,
    log_loss,
    perfect_error,
    reliability_bins,
)


def naive_error(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """The definition: every answer looks for the bin (low, high] that its confidence lies in."""
    inside: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for row, label in zip(probabilities.astype(float).tolist(), labels.tolist(), strict=True):
        confidence = max(row)
        number = next(n for n in range(bins) if confidence <= (n + 1) / bins or n == bins - 1)
        inside[number].append((confidence, row.index(confidence) == label))
    error = 0.0
    for answers in inside:
        if answers:
            mean_confidence = sum(confidence for confidence, _ in answers) / len(answers)
            right = sum(right for _, right in answers) / len(answers)
            error += len(answers) / len(labels) * abs(right - mean_confidence)
    return error


@pytest.fixture(params=[2, 5])
def answers(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, float32 (300, classes), and labels."""
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(request.param, 0.4), 300).astype(np.float32)
    probabilities[0] = np.eye(request.param)[0]
    return probabilities, random.integers(0, request.param, 300)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_error_is_that_of_the_definition(answers: tuple[np.ndarray, np.ndarray], bins: int) -> None:
    assert calibration_error(*answers, bins=bins) == pytest.approx(naive_error(*answers, bins))


def test_the_top_label_is_meant_not_the_second_class() -> None:
    """Binning the second class would call this perfect; but answers given with 80 % are right in 50 %."""
    second = np.array([0.2] * 10 + [0.8] * 10)
    labels = np.array([1] * 5 + [0] * 5 + [1] * 5 + [0] * 5)
    assert calibration_error(np.stack([1 - second, second], 1), labels) == pytest.approx(0.3)
    honest = np.array([1] * 2 + [0] * 8 + [1] * 8 + [0] * 2)
    assert calibration_error(np.stack([1 - second, second], 1), honest) == pytest.approx(0, abs=1e-9)


def test_the_bins_add_up_to_the_error(answers: tuple[np.ndarray, np.ndarray]) -> None:
    bins = reliability_bins(*answers)
    assert sum(of.count for of in bins) == 300
    assert sum(of.count * abs(of.accuracy - of.confidence) for of in bins) / 300 == pytest.approx(
        calibration_error(*answers)
    )
    for of in bins:
        assert of.low <= of.confidence <= of.high
        assert of.high - of.low == pytest.approx(1 / 15)
        assert of.interval.low <= of.accuracy <= of.interval.high


def test_the_interval_surrounds_the_error_and_is_the_same_at_every_look(answers: tuple[np.ndarray, np.ndarray]) -> None:
    interval = calibration_interval(*answers)
    assert interval is not None
    assert 0 <= interval.low < calibration_error(*answers) < interval.high <= 1
    assert calibration_interval(*answers) == interval


def test_the_interval_of_what_perfection_may_well_show_begins_at_0() -> None:
    random = np.random.default_rng(3)
    sure = random.uniform(0.5, 1, 624)
    right = random.random(624) < sure
    interval = calibration_interval(np.stack([sure, 1 - sure], 1), (~right).astype(np.int64))
    assert interval is not None
    assert interval.low == 0 < interval.high < 0.1


def test_no_mistake_on_few_images_is_no_proof_of_calibration() -> None:
    """Twenty right answers given with 99 %: one time in eight, a network that is right in 90 % gives them too."""
    interval = calibration_interval(np.tile([0.99, 0.01], (20, 1)), np.zeros(20, dtype=np.int64))
    assert interval is not None
    assert interval.high > 0.09
    assert calibration_interval(np.array([[0.9, 0.1]]), np.zeros(1, dtype=np.int64)) is None


def test_even_perfection_has_an_error_which_many_images_make_small() -> None:
    """300 answers given with 80 %: the expected distance of the share of right ones from 80 % is that of a binomial."""
    sure = np.tile([0.8, 0.2], (300, 1))
    expected = np.abs(np.arange(301) - 240) @ scipy.stats.binom(300, 0.8).pmf(np.arange(301))
    assert perfect_error(sure) == pytest.approx(expected / 300, rel=0.15)
    assert perfect_error(np.tile(sure, (100, 1))) < perfect_error(sure) / 5
    assert perfect_error(np.tile([1.0, 0.0], (300, 1))) == 0


def test_brier_score_and_log_loss_are_those_of_scikit_learn(answers: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn import metrics

    probabilities, labels = answers[0][1:], answers[1][1:]  # scikit-learn cuts off zeros elsewhere
    classes = np.arange(probabilities.shape[1])
    exact = probabilities.astype(float) / probabilities.sum(1, keepdims=True, dtype=float)
    assert brier_score(probabilities, labels) == pytest.approx(
        metrics.brier_score_loss(labels, exact, labels=classes, scale_by_half=False), rel=1e-5
    )
    assert log_loss(probabilities, labels) == pytest.approx(metrics.log_loss(labels, exact, labels=classes), rel=1e-5)


def test_one_hopeless_answer_does_not_make_the_log_loss_infinite() -> None:
    certain = np.array([[1.0, 0.0], [1.0, 0.0]], dtype=np.float32)
    loss = log_loss(certain, np.array([0, 1]))
    assert math.isfinite(loss)
    assert loss > 40
    assert brier_score(certain, np.array([0, 1])) == 1
