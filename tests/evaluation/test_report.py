"""The report: the figures of an epoch's row, with intervals around them."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.evaluation.intervals import wilson_interval
from medpriv_core.evaluation.report import report
from medpriv_core.evaluation.scores import scores

ROW = {"balanced_accuracy", "auroc", "calibration_error"}


@pytest.mark.parametrize("classes", [2, 5])
def test_figures_are_those_of_the_row_and_lie_in_their_intervals(classes: int) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, 150)
    probabilities = random.dirichlet(np.ones(classes), 150) + 0.5 * np.eye(classes)[labels]
    probabilities = (probabilities / 1.5).astype(np.float32)
    ordered = classes > 2
    figures = {figure.name: figure for figure in report(probabilities, labels, ordered=ordered)}
    expected = scores(probabilities, labels, ordered=ordered)
    assert set(figures) == ROW | {"accuracy", "brier_score", "log_loss"} | ({"kappa"} if ordered else set())
    for name in ROW | ({"kappa"} if ordered else set()):
        assert figures[name].value == expected[name]
    right = int((probabilities.argmax(1) == labels).sum())
    assert figures["accuracy"].interval == wilson_interval(right, 150)
    for figure in figures.values():
        assert figure.value is not None
        assert figure.interval is not None
        assert figure.interval.low < figure.value < figure.interval.high


def test_what_the_images_cannot_say_has_neither_value_nor_interval() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]], dtype=np.float32)
    figures = {figure.name: figure for figure in report(probabilities, np.array([0, 0]), ordered=False)}
    assert figures["auroc"].value is figures["auroc"].interval is None
    assert figures["balanced_accuracy"].value == 1
    assert figures["balanced_accuracy"].interval is None
