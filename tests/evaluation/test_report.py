"""The report: the figures of an epoch's row, with intervals around them."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.evaluation.intervals import wilson_interval
from medpriv_core.evaluation.metrics import METRICS, Answers, measure
from medpriv_core.evaluation.report import report

ROW = {"balanced_accuracy", "auroc", "calibration_error"}


@pytest.mark.parametrize("classes", [2, 5])
def test_figures_are_those_of_the_row_and_lie_in_their_intervals(classes: int) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, 150)
    probabilities = random.dirichlet(np.ones(classes), 150) + 0.5 * np.eye(classes)[labels]
    probabilities = (probabilities / 1.5).astype(np.float32)
    ordered = classes > 2
    figures = {figure.name: figure for figure in report(probabilities, labels, ordered=ordered)}
    expected = measure(Answers(probabilities, labels), ordered=ordered)
    assert set(figures) == ROW | {"accuracy", "brier_score", "log_loss"} | ({"kappa"} if ordered else set())
    for name in ROW | ({"kappa"} if ordered else set()):
        assert figures[name].value == METRICS[name].of(expected)
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
    assert figures["balanced_accuracy"].interval == wilson_interval(2, 2)


@pytest.mark.parametrize(("mistakes", "told"), [(0, False), (4, False), (5, True)])
def test_what_a_mistake_costs_is_not_told_by_few(mistakes: int, told: bool) -> None:
    probabilities = np.stack([np.linspace(0.6, 0.99, 50), np.linspace(0.4, 0.01, 50)], 1)
    labels = (np.arange(50) < mistakes).astype(np.int64)
    figures = {figure.name: figure for figure in report(probabilities, labels, ordered=True)}
    for name in ("brier_score", "log_loss"):
        assert figures[name].value is not None
        assert (figures[name].interval is not None) == told


def test_no_figure_has_an_interval_of_no_width() -> None:
    """Also not where a network makes no mistake, gives every image the same answer, or is certain of everything."""
    labels = np.array([0] * 30 + [1] * 10 + [2] * 3 + [3] * 2 + [4])
    perfect = np.eye(5)[labels]
    same = np.tile([0.6, 0.1, 0.1, 0.1, 0.1], (len(labels), 1))
    for probabilities in (perfect, 0.96 * perfect + 0.008, same, np.tile(np.eye(5)[0], (len(labels), 1))):
        for figure in report(probabilities, labels, ordered=True):
            assert figure.interval is None or figure.interval.low < figure.interval.high, figure
            if figure.interval is not None and figure.value is not None:
                assert figure.interval.low <= figure.value + 1e-12
                assert figure.value <= figure.interval.high + 1e-12
