"""Scores against their definitions and against scikit-learn."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from medpriv_core.evaluation.metrics import Answers, Scores, measure


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_two_classes_by_the_definitions(random: np.random.Generator) -> None:
    labels = random.integers(0, 2, 60)
    scale = random.random(60)
    probabilities = np.stack([1 - scale, scale], 1).astype(np.float32)
    figures = measure(Answers(probabilities, labels), ordered=False)
    positive, negative = scale[labels == 1], scale[labels == 0]
    pairs = [(a > b) + 0.5 * (a == b) for a, b in itertools.product(positive, negative)]
    assert figures.auroc == pytest.approx(np.mean(pairs))
    assert figures.balanced_accuracy == pytest.approx(((positive > 0.5).mean() + (negative <= 0.5).mean()) / 2)
    assert figures.kappa is None


def test_grades_by_the_definitions(random: np.random.Generator) -> None:
    labels = np.concatenate([np.arange(5), random.integers(0, 5, 95)])
    probabilities = random.dirichlet(np.ones(5), 100).astype(np.float32)
    figures = measure(Answers(probabilities, labels), ordered=True)
    predicted = probabilities.argmax(1)
    seen = np.zeros((5, 5))
    np.add.at(seen, (labels, predicted), 1)
    chance = np.outer(seen.sum(1), seen.sum(0)) / 100
    weights = (np.arange(5)[:, None] - np.arange(5)) ** 2
    assert figures.kappa == pytest.approx(1 - (weights * seen).sum() / (weights * chance).sum())
    each = []
    for grade in range(5):
        of, rest = probabilities[labels == grade, grade], probabilities[labels != grade, grade]
        each.append((of[:, None] > rest).mean())
    assert figures.auroc == pytest.approx(np.mean(each), abs=1e-9)


@pytest.mark.parametrize(("classes", "digits"), [(2, 8), (2, 1), (5, 8), (5, 1)])
def test_they_are_those_of_scikit_learn(random: np.random.Generator, classes: Any, digits: Any) -> None:
    """Also with ties, which one digit makes many of, and with a class that is never predicted."""
    from sklearn import metrics

    labels = np.concatenate([np.arange(classes), random.integers(0, classes, 200)])
    rough = random.dirichlet(np.ones(classes), len(labels)) + 0.05
    rough[:, 0] *= 0.01
    probabilities = np.round(rough / rough.sum(1, keepdims=True), digits)
    predicted = probabilities.argmax(1)
    figures = measure(Answers(probabilities, labels), ordered=True)
    known = {"labels": np.arange(classes), "average": None, "zero_division": 0}
    assert figures.class_recall == pytest.approx(metrics.recall_score(labels, predicted, **known))
    precision = [0 if value is None else value for value in figures.class_precision]
    assert precision == pytest.approx(metrics.precision_score(labels, predicted, **known))
    assert None in figures.class_precision or 0 in predicted
    assert figures.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))
    assert figures.kappa == pytest.approx(metrics.cohen_kappa_score(labels, predicted, weights="quadratic"))
    each = [metrics.roc_auc_score(labels == number, probabilities[:, number]) for number in range(classes)]
    assert figures.auroc == pytest.approx(each[1] if classes == 2 else np.mean(each))


def test_what_cannot_be_said_is_none() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]], dtype=np.float32)
    figures = measure(Answers(probabilities, np.array([0, 0])), ordered=True)
    assert figures == Scores(
        accuracy=1.0,
        balanced_accuracy=1.0,
        calibration_error=pytest.approx(0.15),  # type: ignore[arg-type]
        class_recall=(1.0, None),
        class_precision=(1.0, None),
    )
