"""What the network took each class for.

Accuracy hides which mistakes are made: a network that calls everybody ill is right for three chest X-rays in four. The
confusion matrix counts every pair of true and predicted class, and all that is said about a class follows from it:

recall     of the images of a class, the share that was found (of the ill class: sensitivity)
precision  of the images that were called so, the share that are (positive predictive value)

Both are shares of few images, so the table gives Wilson intervals with them. The interval of the balanced accuracy is
put together from Wilson's of each class, that of kappa has its large-sample variance (Fleiss, Cohen and Everitt 1969)
on Fisher's scale, on which a figure that cannot exceed 1 is nearly normal.

>>> matrix = confusion_matrix(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), classes=2)
>>> matrix.tolist()
[[1, 1], [0, 2]]
>>> class_recall(matrix), class_precision(matrix)
([0.5, 1.0], [1.0, 0.6666666666666666])
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medpriv_core.evaluation.intervals import LEVEL, Interval, interval_of_mean, student_quantile, wilson_interval


@dataclass(frozen=True)
class ClassRow:
    """What is known about one class, with 95 % Wilson intervals.

    images     of this class in the test set
    called     images that the network called so, rightly or not
    recall     None, as its interval, where the test set has no image of the class
    precision  None, as its interval, where the network called no image so
    """

    name: str
    images: int
    called: int
    recall: float | None
    recall_interval: Interval | None
    precision: float | None
    precision_interval: Interval | None


def confusion_matrix(predicted: np.ndarray, labels: np.ndarray, *, classes: int) -> np.ndarray:
    """How often each class was taken for each class.

    Args:
        predicted: Integer array (n,): the classes that the network names, from 0 to ``classes`` - 1.
        labels: Integer array (n,): the true classes, likewise.
        classes: How many there are.

    Returns:
        Counts, int64 array (classes, classes): a row for each true class, a column for each predicted one.
    """
    pairs = labels.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_recall(matrix: np.ndarray) -> list[float | None]:
    """Of each true class, the share that was found.

    Args:
        matrix: As ``confusion_matrix`` makes it.

    Returns:
        By class, from 0 to 1; None where there is no image of it.
    """
    return _shares(np.diag(matrix), matrix.sum(1))


def class_precision(matrix: np.ndarray) -> list[float | None]:
    """Of the images called each class, the share that is of this class.

    Args:
        matrix: As ``confusion_matrix`` makes it.

    Returns:
        By class, from 0 to 1; None where no image was called so.
    """
    return _shares(np.diag(matrix), matrix.sum(0))


def balanced_accuracy(matrix: np.ndarray) -> float:
    """Mean recall over the classes that occur: a rare class counts as much as a frequent one.

    Args:
        matrix: As ``confusion_matrix`` makes it: integer array (classes, classes), of at least one image.

    Returns:
        From 0 to 1.
    """
    found = [recall for recall in class_recall(matrix) if recall is not None]
    return sum(found) / len(found)


def balanced_accuracy_interval(matrix: np.ndarray) -> Interval:
    """95 % interval of the balanced accuracy, from Wilson's of the recall of each class that occurs.

    Args:
        matrix: As ``confusion_matrix`` makes it: integer array (classes, classes), of at least one image.

    Returns:
        Within 0 and 1.
    """
    counts = [(int(right), int(images)) for right, images in zip(np.diag(matrix), matrix.sum(1), strict=True) if images]
    return interval_of_mean(
        [right / images for right, images in counts], [wilson_interval(right, images) for right, images in counts]
    )


def weighted_kappa(matrix: np.ndarray) -> float | None:
    """Cohen's kappa of grades with quadratic weights: 0 for guessing, 1 for full agreement.

    A mistake by two grades weighs four times as much as one by one.

    Args:
        matrix: As ``confusion_matrix`` makes it: integer array (classes, classes), of at least one image.

    Returns:
        At most 1. None where only one grade occurs among labels and predictions, because then there is no chance to
        disagree.
    """
    weights = _quadratic_weights(matrix)
    by_chance = (weights * np.outer(matrix.sum(1), matrix.sum(0))).sum() / matrix.sum()
    return float(1 - (weights * matrix).sum() / by_chance) if by_chance else None


def kappa_interval(matrix: np.ndarray) -> Interval | None:
    """95 % interval of ``weighted_kappa``.

    Args:
        matrix: As ``confusion_matrix`` makes it: integer array (classes, classes), of at least one image.

    Returns:
        Within -1 and 1. None where kappa is, and where nothing varies: for a network without a mistake, and for one
        that gives a single grade to every image, whose kappa is 0 by definition.
    """
    kappa, images = weighted_kappa(matrix), matrix.sum()
    if kappa is None or not -1 < kappa < 1:
        return None
    weights, shares = _quadratic_weights(matrix), matrix / images
    of_grade, of_call = shares.sum(1), shares.sum(0)
    by_chance = of_grade @ weights @ of_call
    moved = (
        weights / by_chance - (1 - kappa) * ((weights @ of_call)[:, None] + of_grade @ weights - by_chance) / by_chance
    )
    variance = float((shares * moved**2).sum() - (shares * moved).sum() ** 2) / images
    if variance < 1e-18:
        return None
    half = student_quantile(float(images) - 1, level=LEVEL) * math.sqrt(variance) / (1 - kappa**2)
    return Interval(math.tanh(math.atanh(kappa) - half), math.tanh(math.atanh(kappa) + half))


def _quadratic_weights(matrix: np.ndarray) -> np.ndarray:
    grades = np.arange(len(matrix))
    return (grades[:, None] - grades) ** 2


def class_table(matrix: np.ndarray, names: Sequence[str]) -> list[ClassRow]:
    """What is known about each class.

    Args:
        matrix: As ``confusion_matrix`` makes it.
        names: Of the classes; as many as the matrix has.

    Returns:
        One row for each class, in the order of ``names``.
    """
    right = np.diag(matrix)
    rows = zip(
        names,
        right.tolist(),
        matrix.sum(1).tolist(),
        matrix.sum(0).tolist(),
        class_recall(matrix),
        class_precision(matrix),
        strict=True,
    )
    return [
        ClassRow(
            name=name,
            images=images,
            called=called,
            recall=recall,
            recall_interval=wilson_interval(found, images) if images else None,
            precision=precision,
            precision_interval=wilson_interval(found, called) if called else None,
        )
        for name, found, images, called, recall, precision in rows
    ]


def _shares(parts: np.ndarray, wholes: np.ndarray) -> list[float | None]:
    return [part / whole if whole else None for part, whole in zip(parts.tolist(), wholes.tolist(), strict=True)]
