"""All figures of one run on one test set, each with the interval that says how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.evaluation.areas import auroc_interval
from medpriv_core.evaluation.calibration import (
    brier_score,
    calibration_error,
    calibration_interval,
    log_loss,
    squared_errors,
    surprises,
)
from medpriv_core.evaluation.confusion import (
    balanced_accuracy,
    balanced_accuracy_interval,
    confusion_matrix,
    kappa_interval,
    weighted_kappa,
)
from medpriv_core.evaluation.intervals import Interval, mean_interval, wilson_interval
from medpriv_core.evaluation.scores import mean_auroc

# What a mistake costs on average cannot be told from fewer: the next one may cost the most.
LEAST_MISTAKES = 5


@dataclass(frozen=True)
class Figure:
    """One figure, with its 95 % interval over images.

    name      as in an epoch's row, without the test set: "accuracy", "auroc", ...
    value     None where the test set does not allow it
    interval  None with the value, and where the images cannot tell
    """

    name: str
    value: float | None
    interval: Interval | None


def report(probabilities: np.ndarray, labels: np.ndarray, *, ordered: bool) -> list[Figure]:
    """All figures on one test set, each with its interval.

    Brier score and log loss have no interval with fewer than five mistakes.

    Args:
        probabilities: Float array (n, classes), n at least 1: what the network gives each class, image by image.
        labels: Integer array (n,): the true class of each image, from 0.
        ordered: Whether the classes are grades, which have a kappa.

    Returns:
        The figures in the order in which they are shown.
    """
    images, classes = probabilities.shape
    predicted = probabilities.argmax(1)
    right = int((predicted == labels).sum())
    matrix = confusion_matrix(predicted, labels, classes=classes)
    enough = images - right >= LEAST_MISTAKES
    kappa = [Figure("kappa", weighted_kappa(matrix), kappa_interval(matrix))] if ordered else []
    return [
        Figure("accuracy", right / images, wilson_interval(right, images)),
        Figure("balanced_accuracy", balanced_accuracy(matrix), balanced_accuracy_interval(matrix)),
        Figure("auroc", mean_auroc(probabilities, labels), auroc_interval(probabilities, labels)),
        *kappa,
        Figure(
            "calibration_error", calibration_error(probabilities, labels), calibration_interval(probabilities, labels)
        ),
        Figure(
            "brier_score",
            brier_score(probabilities, labels),
            mean_interval(squared_errors(probabilities, labels)) if enough else None,
        ),
        Figure(
            "log_loss",
            log_loss(probabilities, labels),
            mean_interval(surprises(probabilities, labels)) if enough else None,
        ),
    ]
