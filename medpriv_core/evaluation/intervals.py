"""How far a figure can be trusted: a test set is a sample, and so is a seed.

Two questions, and the intervals that answer them:

other images  a share of images has Wilson's interval, which stays within 0 and 1 and is honest at 0 of 20; a mean over
              images has Student's, corrected for skewness; a mean of several figures that have intervals has theirs put
              together. Figures of their own kind have their intervals beside them: the AUROC in ``areas``, kappa and
              balanced accuracy in ``confusion``, the calibration error in ``calibration``. All take images of one
              patient for independent, so with several images a patient they are too narrow.
seeds         the mean over training runs that differ by their seed alone: what would another training give? It says
              nothing about other images.

``tests/evaluation/test_coverage.py`` draws many test sets of which the truth is known, and counts how often each
interval holds it.

>>> low, high = wilson_interval(0, 20)
>>> low, round(high, 4)
(0.0, 0.1611)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from medpriv_core.errors import SettingError

LEVEL = 0.95


class Interval(NamedTuple):
    """From ``low`` to ``high``, at the level that its maker says."""

    low: float
    high: float


class SeedMean(NamedTuple):
    """Mean over seeds, standard deviation and t-interval; the last two are None for a single seed."""

    mean: float
    deviation: float | None
    interval: Interval | None
    seeds: int


def wilson_interval(successes: int, trials: int, *, level: float = LEVEL) -> Interval:
    """Interval of a share (Wilson 1927); unlike the textbook one it is sound near 0 and 1.

    Args:
        successes: From 0 to ``trials``.
        trials: At least 1.
        level: Share of such intervals that hold the truth, between 0 and 1.

    Returns:
        Within 0 and 1.

    Raises:
        SettingError: There is no trial, or there are more successes than trials.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise SettingError(f"An interval needs at least one image, and no more hits than images: {successes}/{trials}.")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, spread = successes / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    # At the ends the formula is exact, its rounding not.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == trials else min(1.0, middle + half)
    return Interval(low, high)


def mean_interval(values: np.ndarray, *, level: float = LEVEL) -> Interval | None:
    """Interval of a mean over images, Student's with a correction for skewness (Hall 1992).

    A few bad surprises among many small losses make a mean that is more often too low than too high; the correction
    shifts the interval towards the long tail.

    Args:
        values: Float array (n,).
        level: Share of such intervals that hold the truth, between 0 and 1.

    Returns:
        An interval that is longer towards the long tail. None where all values agree.
    """
    images = len(values)
    deviation = float(values.std(ddof=1)) if images > 1 else 0.0
    if not deviation > 0:
        return None
    mean, t = float(values.mean()), student_quantile(images - 1, level=level)
    skewness = float(((values - mean) ** 3).mean() / values.std() ** 3)

    def distance(quantile: float) -> float:
        """Hall's transformation read backwards: deviations between mean and truth at this quantile."""
        if abs(skewness) < 1e-6:
            return quantile / math.sqrt(images)
        inside = 1 + skewness * (quantile / math.sqrt(images) - skewness / (6 * images))
        return 3 / skewness * (math.cbrt(inside) - 1)

    return Interval(mean - deviation * distance(t), mean - deviation * distance(-t))


def interval_of_mean(
    figures: Sequence[float], intervals: Sequence[Interval], correlation: np.ndarray | None = None
) -> Interval:
    """Interval of the mean of several figures from that of each, by variance estimates recovery (Zou and Donner 2008).

    Each end lies as far from the mean as the ends of the parts do, added as deviations are: skewed parts make a skewed
    whole, and it has no width of zero as long as one part has some.

    Args:
        figures: At least one.
        intervals: One for each figure.
        correlation: Float array (k, k): that of the figures' errors. Without it they are independent.

    Returns:
        At the level of the parts.
    """
    mean, middles = float(np.mean(figures)), np.asarray(figures)
    related = np.eye(len(figures)) if correlation is None else correlation
    ends = np.asarray(intervals)
    down, up = (
        math.sqrt(max(0.0, float(away @ related @ away))) for away in (middles - ends[:, 0], ends[:, 1] - middles)
    )
    return Interval(mean - down / len(figures), mean + up / len(figures))


def student_quantile(degrees: float, *, level: float = LEVEL) -> float:
    """How many standard errors an interval reaches to each side, by Student's t.

    Args:
        degrees: Degrees of freedom; above 0.
        level: Of the interval, between 0 and 1.

    Returns:
        Above 0.
    """
    # Imported here: it takes half a second to load, and many a figure never needs it.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))


def seed_mean(values: Sequence[float], *, level: float = LEVEL) -> SeedMean:
    """Mean of one figure over seeds, with Student's t-interval.

    >>> low, high = seed_mean([0.9, 0.8, 0.85]).interval
    >>> round(low, 4), round(high, 4)
    (0.7258, 0.9742)

    Args:
        values: The figure of each seed; at least one.
        level: Share of such intervals that hold the truth, between 0 and 1.

    Returns:
        The mean, and for two seeds and more the standard deviation and the interval.

    Raises:
        SettingError: There is no value.
    """
    if not values:
        raise SettingError("A mean over seeds needs at least one run.")
    mean = float(np.mean(values))
    if len(values) == 1:
        return SeedMean(mean, None, None, 1)
    deviation = float(np.std(values, ddof=1))
    half = student_quantile(len(values) - 1, level=level) * deviation / math.sqrt(len(values))
    return SeedMean(mean, deviation, Interval(mean - half, mean + half), len(values))
