"""Intervals of a single run's figures, from what its network said of each test image.

They are those of the run's own page (``medpriv_core.evaluation``) and say what *other* test images would give with the
same network, as Wilson's does for an accuracy. They take the predictions that a run of the data home keeps; the
reference set and the authors' logs come without theirs.
"""

from __future__ import annotations

import functools
from pathlib import Path

from medpriv_core.errors import RunError
from medpriv_core.evaluation.intervals import Interval
from medpriv_core.evaluation.metrics import Answers
from medpriv_core.evaluation.predictions import read_predictions
from medpriv_core.records.epoch import COMPARED
from medpriv_core.runs.epoch_log import Signature, signature


def image_interval(path: Path, column: str, *, epoch: int) -> Interval | None:
    """The interval of 95 % of ``column`` after ``epoch``, from the predictions in the file at ``path``.

    None for a metric that has none, and where there are no readable predictions of that epoch.
    The file is read anew only when it has changed.
    """
    version = signature(path)
    return None if version is None or column not in COMPARED else _computed(path, version, column, epoch)


@functools.lru_cache(maxsize=2048)
def _computed(path: Path, _version: Signature, column: str, epoch: int) -> Interval | None:
    try:
        predictions = read_predictions(path)
    except RunError:
        return None  # the run's own page says that they are damaged
    if predictions is None or predictions.epoch != epoch:
        return None
    interval = COMPARED[column].metric.interval
    return None if interval is None else interval(Answers(predictions.test, predictions.labels))
