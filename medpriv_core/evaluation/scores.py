"""How good the predictions are, beyond the share of right ones, which a rare disease makes look better than it is.

These figures are computed after every epoch, and an epoch of stored features takes tens of milliseconds, so they are
counted from one confusion matrix and from ranks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from medpriv_core.evaluation.calibration import calibration_error
from medpriv_core.evaluation.confusion import (
    balanced_accuracy,
    class_precision,
    class_recall,
    confusion_matrix,
    weighted_kappa,
)

Score = float | None | list[float | None]


def scores(probabilities: np.ndarray, labels: np.ndarray, *, ordered: bool) -> Mapping[str, Score]:
    """The figures of an epoch on one test set.

    Args:
        probabilities: Float array (n, classes): what the network gives each class, image by image.
        labels: Integer array (n,): the true class of each image, from 0.
        ordered: Whether the classes are grades, which have a kappa.

    Returns:
        Figures by name.

        - balanced_accuracy: mean over the classes present of the share found.
        - auroc: area under the ROC curve, 0.5 for guessing; of several classes, the mean of each against the rest. None
          where a class has no example.
        - calibration_error: of the top label, 15 bins; 0 at best.
        - class_recall: by class, the share of its images that was found; None where there is no image of it.
        - class_precision: by class, the share of right ones among the images called so; None where there is none.
        - kappa: of grades, the agreement with quadratic weights, 0 for guessing, 1 at most. None where only one grade
          occurs.
    """
    matrix = confusion_matrix(probabilities.argmax(1), labels, classes=probabilities.shape[1])
    figures: dict[str, Score] = {
        "balanced_accuracy": balanced_accuracy(matrix),
        "auroc": mean_auroc(probabilities, labels),
        "calibration_error": calibration_error(probabilities, labels),
        "class_recall": class_recall(matrix),
        "class_precision": class_precision(matrix),
    }
    if ordered:
        figures["kappa"] = weighted_kappa(matrix)
    return figures


def mean_auroc(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    """Mean over the classes of the area under the ROC curve of each against the rest.

    Args:
        probabilities: Float array (n, classes): what the network gives each class, image by image.
        labels: Integer array (n,): the true class of each image, from 0.

    Returns:
        From 0 to 1; of two classes, the area of the second. None where a class has no example.
    """
    classes = probabilities.shape[1]
    areas = [auroc(probabilities[:, number], labels == number) for number in ([1] if classes == 2 else range(classes))]
    known = [area for area in areas if area is not None]
    return sum(known) / len(known) if len(known) == len(areas) else None


def auroc(values: np.ndarray, positive: np.ndarray) -> float | None:
    """Chance that a random positive has a higher value than a random negative, ties counting half.

    It is computed from the ranks (Mann and Whitney 1947).

    Args:
        values: Float array (n,).
        positive: Boolean array (n,).

    Returns:
        From 0 to 1; None without a positive or without a negative.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = count.cumsum()
    middle_rank = last - (count - 1) / 2
    won = middle_rank[place[positive]].sum() - positives * (positives + 1) / 2
    return float(won / (positives * negatives))
