"""Where to draw the line between ill and healthy, with two classes.

The network gives each image a probability of the second class ("ill"); who is called ill depends on a threshold that
nothing but the consequences can choose. A low one misses few of the ill and alarms many of the healthy:

sensitivity  of the ill, the share that is called ill
specificity  of the healthy, the share that is not
precision    of those called ill, the share that is

The ROC curve shows all choices at once. Youden's J, sensitivity + specificity - 1, is one rule for choosing. A
threshold that is best on some images was fitted to them: on others it does worse, so figures at it, on the same images,
are optimistic.

>>> values, ill = np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])
>>> at = at_threshold(values, ill, threshold=0.5)
>>> at.sensitivity, at.specificity, at.precision
(0.5, 1.0, 1.0)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.errors import SettingError
from medpriv_core.evaluation.intervals import Interval, wilson_interval


@dataclass(frozen=True)
class ThresholdRow:
    """The four counts at one threshold; an image is called ill if its value lies above it."""

    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def sensitivity(self) -> float | None:
        """Of the ill, the share that is called ill; None where no image is ill."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float | None:
        """Of the healthy, the share that is not called ill; None where every image is ill."""
        return _share(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def precision(self) -> float | None:
        """Of those called ill, the share that is; None where no image is called ill."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    def intervals(self) -> dict[str, Interval | None]:
        """95 % Wilson intervals by the names of the three shares; None where the share is."""
        parts = {
            "sensitivity": (self.true_positives, self.true_positives + self.false_negatives),
            "specificity": (self.true_negatives, self.true_negatives + self.false_positives),
            "precision": (self.true_positives, self.true_positives + self.false_positives),
        }
        return {name: wilson_interval(part, whole) if whole else None for name, (part, whole) in parts.items()}


@dataclass(frozen=True)
class RocCurve:
    """A point for each threshold that makes a difference, from calling nobody ill to calling everybody so.

    false_alarms  1 - specificity, rising from 0 to 1
    found         sensitivity, rising from 0 to 1
    thresholds    an image is called ill if its value lies above; falling from 1
    """

    false_alarms: np.ndarray
    found: np.ndarray
    thresholds: np.ndarray


def at_threshold(values: np.ndarray, labels: np.ndarray, *, threshold: float) -> ThresholdRow:
    """How many of the ill and of the healthy are called ill at one threshold.

    Args:
        values: Float array (n,): the probability of being ill, from 0 to 1.
        labels: Integer array (n,): 0 healthy, 1 ill.
        threshold: Called ill is what lies above it.

    Returns:
        The four counts.
    """
    called, ill = values > threshold, labels == 1
    return ThresholdRow(
        threshold=threshold,
        true_positives=int((called & ill).sum()),
        false_positives=int((called & ~ill).sum()),
        false_negatives=int((~called & ill).sum()),
        true_negatives=int((~called & ~ill).sum()),
    )


def roc_curve(values: np.ndarray, labels: np.ndarray) -> RocCurve:
    """All choices of a threshold at once.

    Args:
        values: Float array (n,): the probability of being ill, from 0 to 1.
        labels: Integer array (n,): 0 healthy, 1 ill.

    Returns:
        A point for each threshold that makes a difference.

    Raises:
        SettingError: All images are of one class.
    """
    ill = labels == 1
    if ill.all() or not ill.any():
        raise SettingError("All these test images are of one class, so there is no choice of a threshold to show.")
    different, place = np.unique(values, return_inverse=True)
    found, alarmed = (np.bincount(place, weights=of, minlength=len(different))[::-1] for of in (ill, ~ill))
    falling = different[::-1].astype(np.float64)
    # Half-way between two neighbouring values, so that no image lies on the line; the last calls everybody ill.
    between = np.append((falling[:-1] + falling[1:]) / 2, -1.0)
    return RocCurve(
        false_alarms=np.append(0.0, alarmed.cumsum() / (~ill).sum()),
        found=np.append(0.0, found.cumsum() / ill.sum()),
        thresholds=np.append(1.0, between),
    )


def youden_threshold(curve: RocCurve) -> float:
    """The threshold with the highest sensitivity + specificity, the highest of equals; chosen on these very images."""
    return float(max(0.0, curve.thresholds[np.argmax(curve.found - curve.false_alarms)]))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
