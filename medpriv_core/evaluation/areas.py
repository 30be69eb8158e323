"""How far an AUROC can be trusted, also where a class has few images or no mistake was made.

The area is a mean over pairs of a positive and a negative image, and each image is in many pairs. DeLong, DeLong and
Clarke-Pearson (1988) get its variance from what each image contributes; on the scale of the logit, and with the degrees
of freedom that so few images have (Satterthwaite), the interval stays within 0 and 1. It fails where there is no spread
to be seen: ten positives that all lie above ninety negatives would have an interval of no width. Newcombe's (2006, his
method 5) asks which areas would make the one that was found a rare one, as Wilson does for a share, and has a width at
1 too. It needs an assumption on the shape of the two distributions instead. Where a class has few images, or the area
is nearly 0 or 1, the interval reaches as far as either of the two.

Of several classes the figure is the mean of each against the rest, and so is the interval
(``intervals.interval_of_mean``), with the correlation of the areas from what each image contributes to all of them.

>>> probabilities = np.stack([np.linspace(1, 0, 30), np.linspace(0, 1, 30)], axis=1)
>>> low, high = auroc_interval(probabilities, np.arange(30) // 15)
>>> round(low, 3), high
(0.865, 1.0)
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from medpriv_core.evaluation.intervals import LEVEL, Interval, interval_of_mean, student_quantile

FEW = 30  # images of the rarer class below which DeLong's interval alone is too often too narrow
NEARLY_CERTAIN = 0.975
ANYTHING = Interval(0.0, 1.0)
HALVINGS = 50  # of an interval of width 1: to the last digit


class _Area(NamedTuple):
    """The area of one class against the rest, and what each image adds to its error, float64 (n,)."""

    area: float
    interval: Interval
    influence: np.ndarray


def auroc_interval(probabilities: np.ndarray, labels: np.ndarray, *, level: float = LEVEL) -> Interval | None:
    """Interval of the area under the ROC curve, as ``scores.mean_auroc`` computes it.

    Of several classes one with a single image counts as anything between 0 and 1.

    Args:
        probabilities: Float array (n, classes): what the network gives each class, image by image.
        labels: Integer array (n,): the true class of each image, from 0.
        level: Share of such intervals that hold the truth, between 0 and 1.

    Returns:
        Of the area of the second of two classes, or of the mean over the classes. None where a class has no image, and
        where two classes have only one image of one of them: whether that one was an easy one, nothing can tell.
    """
    classes = probabilities.shape[1]
    numbers = [1] if classes == 2 else range(classes)
    counts = np.bincount(labels, minlength=classes)
    if not counts.all() or (classes == 2 and counts.min() < 2):
        return None
    areas = [_area(probabilities[:, number], labels == number, level) for number in numbers]
    if len(areas) == 1:
        return areas[0].interval
    influence = np.stack([area.influence for area in areas])
    length = np.linalg.norm(influence, axis=1, keepdims=True)
    shares = np.divide(influence, length, out=np.zeros_like(influence), where=length > 0)
    correlation = shares @ shares.T
    np.fill_diagonal(correlation, 1.0)
    return interval_of_mean([area.area for area in areas], [area.interval for area in areas], correlation)


def _area(values: np.ndarray, positive: np.ndarray, level: float) -> _Area:
    ill, well = values[positive], values[~positive]
    found, spared = _share_below(ill, well), 1 - _share_below(well, ill)
    area = float(found.mean())
    influence = np.zeros(len(values))
    influence[positive] = (found - area) / len(ill)
    influence[~positive] = (spared - area) / len(well)
    if len(ill) < 2 or len(well) < 2:
        return _Area(area, ANYTHING, influence)
    of_few = newcombe_interval(area, positives=len(ill), negatives=len(well), level=level)
    variances = (float(found.var(ddof=1)) / len(ill), float(spared.var(ddof=1)) / len(well))
    variance = sum(variances)
    if variance == 0 or not 0 < area < 1:
        return _Area(area, of_few, influence)
    degrees = variance**2 / (variances[0] ** 2 / (len(ill) - 1) + variances[1] ** 2 / (len(well) - 1))
    half = student_quantile(degrees, level=level) * math.sqrt(variance) / (area * (1 - area))
    low, high = (_logistic(math.log(area / (1 - area)) + side * half) for side in (-1, 1))
    if min(len(ill), len(well)) < FEW or max(area, 1 - area) > NEARLY_CERTAIN:
        low, high = min(low, of_few.low), max(high, of_few.high)
    return _Area(area, Interval(low, high), influence)


def newcombe_interval(area: float, *, positives: int, negatives: int, level: float = LEVEL) -> Interval:
    """The areas from which the one that was found is not too far, by Hanley and McNeil's variance.

    V(A) = A (1 - A) (1 + (N - 1) ((1 - A) / (2 - A) + A / (1 + A))) / (m n), with m positives, n negatives and N = (m +
    n) / 2 (Newcombe 2006, method 5).

    Args:
        area: The area that was found, from 0 to 1.
        positives: Images of the class; at least 1.
        negatives: All other images; at least 1.
        level: Share of such intervals that hold the truth, between 0 and 1.

    Returns:
        The lowest and the highest such area.
    """
    z, mean_size = NormalDist().inv_cdf(0.5 + level / 2), (positives + negatives) / 2

    def too_far(truth: float) -> bool:
        shape = 1 + (mean_size - 1) * ((1 - truth) / (2 - truth) + truth / (1 + truth))
        return (area - truth) ** 2 > z * z * truth * (1 - truth) * shape / (positives * negatives)

    def end(outside: float) -> float:
        inside = area
        if inside == outside:
            return outside
        for _ in range(HALVINGS):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if too_far(middle) else (middle, outside)
        return (inside + outside) / 2

    return Interval(end(0.0), end(1.0))


def _share_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each of ``values``, the share of ``others`` that lie below it, ties counting half."""
    ordered = np.sort(others)
    below, up_to = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (below + up_to) / (2 * len(others))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
