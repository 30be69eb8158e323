"""Areas under ROC curves by ranks, quick enough to be counted after every epoch."""

from __future__ import annotations

import numpy as np


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
