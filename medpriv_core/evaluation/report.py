"""All figures of one run on one test set, each with the interval that says how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.evaluation.intervals import Interval
from medpriv_core.evaluation.metrics import EVALUATED, Answers


@dataclass(frozen=True)
class Figure:
    """One figure, with its 95 % interval over images.

    name      of ``EVALUATED``
    value     None where the test set does not allow it
    interval  None with the value, and where the images cannot tell
    """

    name: str
    value: float | None
    interval: Interval | None


def report(probabilities: np.ndarray, labels: np.ndarray, *, ordered: bool) -> list[Figure]:
    """All figures on one test set, each with its interval.

    Args:
        probabilities: Float array (n, classes), n at least 1: what the network gives each class, image by image.
        labels: Integer array (n,): the true class of each image, from 0.
        ordered: Whether the classes are grades, which have a kappa.

    Returns:
        The figures in the order in which they are shown.
    """
    answers = Answers(probabilities, labels)
    figures = []
    for name, metric in EVALUATED.items():
        if metric.compute is not None and (ordered or not metric.graded):
            value = metric.compute(answers)
            figures.append(Figure(name, value, metric.interval(answers) if metric.interval is not None else None))
    return figures
