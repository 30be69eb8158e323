"""How far a figure can be trusted: a test set is a sample, and so is a seed.

Three kinds, for three questions:

Wilson     a share of images: what would it be on other images of the same kind? Unlike the textbook interval, it stays
           within 0 and 1 and is honest at 0 of 20.
bootstrap  any other figure: the images are drawn again, with replacement, and the figure computed anew each time.
           Images of one patient are taken for independent, so with several images a patient it is too narrow.
seeds      the mean over training runs that differ by their seed alone: what would another training give? It says
           nothing about other images.

>>> low, high = wilson_interval(0, 20)
>>> low, round(high, 4)
(0.0, 0.1611)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from medpriv_core.errors import SettingError

LEVEL = 0.95
BOOTSTRAP_SEED = 0
MOST_DRAWS, LEAST_DRAWS = 1000, 200
# Draws times images beyond which draws are saved: many images have a narrow interval anyway.
MOST_DRAWN = 2_000_000


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
    """Interval of a share (Wilson 1927); raises ``SettingError`` without a trial or for more successes than trials."""
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


def bootstrap_interval(
    figure: Callable[[np.ndarray], float | None],
    *,
    images: int,
    level: float = LEVEL,
    seed: int = BOOTSTRAP_SEED,
) -> Interval | None:
    """Percentile interval of ``figure``, which gets the numbers of the images drawn, int64 (images,).

    1,000 draws up to 2,000 images, then fewer, but at least 200 (from 10,000 images on).
    The seed is fixed, so the same predictions have the same interval at every look. A draw for which the figure is
    None (a class without an image) is left out. None if that happens to half of the draws, and where all draws agree:
    a network without a mistake on these images may well make some on others, but they cannot tell.
    """
    draws = min(MOST_DRAWS, max(LEAST_DRAWS, MOST_DRAWN // images))
    random = np.random.default_rng(seed)
    values = [figure(random.integers(0, images, images)) for _ in range(draws)]
    known = [value for value in values if value is not None]
    if 2 * len(known) <= draws:
        return None
    low, high = np.quantile(known, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(low), float(high)) if low < high else None


def seed_mean(values: Sequence[float], *, level: float = LEVEL) -> SeedMean:
    """Mean of one figure over seeds with Student's t-interval; raises ``SettingError`` without a value.

    >>> low, high = seed_mean([0.9, 0.8, 0.85]).interval
    >>> round(low, 4), round(high, 4)
    (0.7258, 0.9742)
    """
    if not values:
        raise SettingError("A mean over seeds needs at least one run.")
    mean = float(np.mean(values))
    if len(values) == 1:
        return SeedMean(mean, None, None, 1)
    # Imported here: it takes half a second to load, and a single run never needs it.
    from scipy.special import stdtrit

    deviation = float(np.std(values, ddof=1))
    half = float(stdtrit(len(values) - 1, 0.5 + level / 2)) * deviation / math.sqrt(len(values))
    return SeedMean(mean, deviation, Interval(mean - half, mean + half), len(values))
