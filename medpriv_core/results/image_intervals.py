"""Intervals of a single run's figures, from what its network said of each test image.

They are those of the run's own page (``medpriv_core.evaluation``) and say what *other* test images would give with the
same network, as Wilson's does for an accuracy. They take the predictions that a run of the data home keeps; the
reference set and the authors' logs come without theirs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from medpriv_core.errors import RunError
from medpriv_core.evaluation.areas import auroc_interval
from medpriv_core.evaluation.confusion import balanced_accuracy_interval, confusion_matrix, kappa_interval
from medpriv_core.evaluation.intervals import Interval
from medpriv_core.evaluation.predictions import read_predictions
from medpriv_core.runs.epoch_log import Signature, signature


def image_interval(path: Path, column: str, *, epoch: int) -> Interval | None:
    """The interval of 95 % of ``column`` after ``epoch``, from the predictions in the file at ``path``.

    None for other columns than those of ``FIGURES``, and where there are no readable predictions of that epoch.
    The file is read anew only when it has changed.
    """
    version = signature(path)
    return None if version is None or column not in FIGURES else _computed(path, version, column, epoch)


@functools.lru_cache(maxsize=2048)
def _computed(path: Path, _version: Signature, column: str, epoch: int) -> Interval | None:
    try:
        predictions = read_predictions(path)
    except RunError:
        return None  # the run's own page says that they are damaged
    if predictions is None or predictions.epoch != epoch:
        return None
    return FIGURES[column](predictions.test, predictions.labels)


def _matrix(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return confusion_matrix(probabilities.argmax(1), labels, classes=probabilities.shape[1])


FIGURES: dict[str, Callable[[np.ndarray, np.ndarray], Interval | None]] = {
    "test_auroc": auroc_interval,
    "test_balanced_accuracy": lambda probabilities, labels: balanced_accuracy_interval(_matrix(probabilities, labels)),
    "test_kappa": lambda probabilities, labels: kappa_interval(_matrix(probabilities, labels)),
}
