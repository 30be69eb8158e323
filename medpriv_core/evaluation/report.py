"""All figures of one run on one test set, each with the interval that says how far to trust it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medpriv_core.evaluation.calibration import brier_score, calibration_error, calibration_interval, log_loss
from medpriv_core.evaluation.confusion import balanced_accuracy, confusion_matrix, weighted_kappa
from medpriv_core.evaluation.intervals import Interval, bootstrap_interval, wilson_interval
from medpriv_core.evaluation.scores import mean_auroc


@dataclass(frozen=True)
class Figure:
    """One figure, with its 95 % interval over images.

    name      as in an epoch's row, without the test set: "accuracy", "auroc", ...
    value     None where the test set does not allow it
    interval  None with the value, and where too few draws allow it
    """

    name: str
    value: float | None
    interval: Interval | None


def report(probabilities: np.ndarray, labels: np.ndarray, *, ordered: bool) -> list[Figure]:
    """The figures from ``probabilities`` (n, classes) and ``labels`` (n,); kappa for grades (``ordered``) alone.

    Accuracy has a Wilson interval, all others the bootstrap's.
    """
    images, classes = probabilities.shape
    predicted = probabilities.argmax(1)
    right = int((predicted == labels).sum())

    def matrix(drawn: np.ndarray) -> np.ndarray:
        return confusion_matrix(predicted[drawn], labels[drawn], classes=classes)

    def bootstrapped(name: str, figure: Callable[[np.ndarray], float | None]) -> Figure:
        value = figure(np.arange(images))
        return Figure(name, value, None if value is None else bootstrap_interval(figure, images=images))

    figures = [
        Figure("accuracy", right / images, wilson_interval(right, images)),
        bootstrapped("balanced_accuracy", lambda drawn: balanced_accuracy(matrix(drawn))),
        bootstrapped("auroc", lambda drawn: mean_auroc(probabilities[drawn], labels[drawn])),
    ]
    if ordered:
        figures.append(bootstrapped("kappa", lambda drawn: weighted_kappa(matrix(drawn))))
    return [
        *figures,
        Figure(
            "calibration_error", calibration_error(probabilities, labels), calibration_interval(probabilities, labels)
        ),
        bootstrapped("brier_score", lambda drawn: brier_score(probabilities[drawn], labels[drawn])),
        bootstrapped("log_loss", lambda drawn: log_loss(probabilities[drawn], labels[drawn])),
    ]
