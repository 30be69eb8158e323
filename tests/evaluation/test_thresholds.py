"""Thresholds: against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.errors import SettingError
from medpriv_core.evaluation.intervals import wilson_interval
from medpriv_core.evaluation.ranks import auroc
from medpriv_core.evaluation.thresholds import at_threshold, roc_curve, youden_threshold


@pytest.fixture(params=[8, 1])
def answers(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Values with and without many ties, and labels that they know something about."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 200)
    values = np.clip(random.random(200) * 0.7 + 0.3 * labels, 0, 1)
    return np.round(values, request.param).astype(np.float32), labels


def test_the_curve_is_that_of_scikit_learn(answers: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn import metrics

    values, labels = answers
    curve = roc_curve(values, labels)
    false_alarms, found, _ = metrics.roc_curve(labels, values, drop_intermediate=False)
    assert np.allclose(curve.false_alarms, false_alarms)
    assert np.allclose(curve.found, found)
    area = np.trapezoid(curve.found, curve.false_alarms)
    assert area == pytest.approx(auroc(values, labels == 1))


def test_each_point_is_what_its_threshold_gives(answers: tuple[np.ndarray, np.ndarray]) -> None:
    values, labels = answers
    curve = roc_curve(values, labels)
    for false_alarm, found, threshold in zip(curve.false_alarms, curve.found, curve.thresholds, strict=True):
        row = at_threshold(values, labels, threshold=threshold)
        assert row.sensitivity == pytest.approx(found)
        assert row.specificity == pytest.approx(1 - false_alarm)


def test_no_threshold_beats_youdens(answers: tuple[np.ndarray, np.ndarray]) -> None:
    values, labels = answers

    def gain(threshold: float) -> float:
        row = at_threshold(values, labels, threshold=threshold)
        return (row.sensitivity or 0) + (row.specificity or 0) - 1

    best = youden_threshold(roc_curve(values, labels))
    assert 0 <= best <= 1
    assert gain(best) >= max(gain(threshold) for threshold in np.linspace(0, 1, 2001)) - 1e-12


def test_a_half_calls_what_the_network_calls() -> None:
    second = np.array([0.5, 0.5 + 1e-6, 0.4, 0.9], dtype=np.float32)
    row = at_threshold(second, np.array([1, 1, 0, 0]), threshold=0.5)
    assert (row.true_positives, row.false_positives, row.false_negatives, row.true_negatives) == (1, 1, 1, 1)
    assert np.array_equal(second > 0.5, np.stack([1 - second, second], 1).argmax(1) == 1)


def test_shares_have_wilson_intervals_and_are_none_where_there_is_nothing_to_share() -> None:
    values, labels = np.array([0.2, 0.6, 0.7]), np.array([0, 0, 1])
    assert at_threshold(values, labels, threshold=0.5).intervals() == {
        "sensitivity": wilson_interval(1, 1),
        "specificity": wilson_interval(1, 2),
        "precision": wilson_interval(1, 2),
    }
    nobody = at_threshold(values, labels, threshold=1.0)
    assert nobody.precision is None
    assert nobody.intervals()["precision"] is None
    assert at_threshold(values, np.zeros(3, int), threshold=0.5).sensitivity is None
    assert at_threshold(values, np.ones(3, int), threshold=0.5).specificity is None


@pytest.mark.parametrize("label", [0, 1])
def test_images_of_one_class_have_no_curve(label: int) -> None:
    with pytest.raises(SettingError, match="one class"):
        roc_curve(np.array([0.1, 0.2]), np.full(2, label))
