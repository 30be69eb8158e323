"""The confusion matrix and what follows from it, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.evaluation.confusion import class_table, confusion_matrix, weighted_kappa
from medpriv_core.evaluation.intervals import wilson_interval


def test_the_matrix_is_that_of_scikit_learn() -> None:
    from sklearn import metrics

    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 4, 200), random.integers(0, 3, 200)
    matrix = confusion_matrix(predicted, labels, classes=4)
    assert np.array_equal(matrix, metrics.confusion_matrix(labels, predicted, labels=np.arange(4)))
    assert matrix.shape == (4, 4)


def test_each_class_has_its_row_with_intervals() -> None:
    # 10 healthy (8 found), 5 ill (4 found), no doubtful one, and nobody is called doubtful
    matrix = np.array([[8, 2, 0], [1, 4, 0], [0, 0, 0]])
    healthy, ill, doubtful = class_table(matrix, ["healthy", "ill", "doubtful"])
    assert (healthy.images, healthy.called, healthy.recall, healthy.precision) == (10, 9, 0.8, 8 / 9)
    assert (ill.images, ill.called, ill.recall, ill.precision) == (5, 6, 0.8, 4 / 6)
    assert ill.recall_interval == wilson_interval(4, 5)
    assert ill.precision_interval == wilson_interval(4, 6)
    assert (doubtful.images, doubtful.called) == (0, 0)
    assert doubtful.recall is doubtful.precision is doubtful.recall_interval is doubtful.precision_interval is None


def test_a_mistake_by_two_grades_weighs_four_times_as_much() -> None:
    assert weighted_kappa(np.diag([3, 3, 3])) == 1
    near = weighted_kappa(np.array([[2, 1, 0], [1, 2, 0], [0, 0, 3]]))
    far = weighted_kappa(np.array([[2, 0, 1], [0, 3, 0], [1, 0, 2]]))
    assert near is not None
    assert far is not None
    assert (1 - far) / (1 - near) == pytest.approx(4)
    assert weighted_kappa(np.array([[0, 0], [0, 7]])) is None
