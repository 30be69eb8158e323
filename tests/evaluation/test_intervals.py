"""Intervals: against scipy. That they hold what they promise is in ``test_coverage.py``."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from medpriv_core.errors import SettingError
from medpriv_core.evaluation.intervals import (
    Interval,
    interval_of_mean,
    mean_interval,
    seed_mean,
    wilson_interval,
)


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (0, 20), (1, 1), (563, 624), (3, 7), (20, 20)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_wilson_is_that_of_scipy(successes: int, trials: int, level: float) -> None:
    expected = scipy.stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    interval = wilson_interval(successes, trials, level=level)
    assert interval == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= interval.low <= successes / trials <= interval.high <= 1


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 5)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(SettingError, match="at least one image"):
        wilson_interval(successes, trials)


def test_the_interval_of_a_mean_of_even_losses_is_students() -> None:
    values = np.concatenate([np.linspace(-1, 1, 41)] * 3)
    expected = scipy.stats.t.interval(0.95, len(values) - 1, loc=0, scale=scipy.stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected)


def test_the_interval_of_a_skewed_mean_reaches_further_to_the_long_tail() -> None:
    values = np.random.default_rng(0).exponential(size=40)
    interval = mean_interval(values)
    assert interval is not None
    low, high = interval
    assert high - values.mean() > 1.3 * (values.mean() - low) > 0


def test_losses_that_all_agree_give_no_interval() -> None:
    assert mean_interval(np.ones(10)) is None
    assert mean_interval(np.ones(1)) is None


def test_a_mean_of_figures_adds_their_deviations() -> None:
    """Of independent ones as errors do; of ones that move together, the plain mean of the ends."""
    parts = [Interval(0.4, 0.6), Interval(0.6, 0.9)]
    apart = interval_of_mean([0.5, 0.8], parts)
    assert apart == pytest.approx((0.65 - np.hypot(0.1, 0.2) / 2, 0.65 + np.hypot(0.1, 0.1) / 2))
    assert interval_of_mean([0.5, 0.8], parts, np.ones((2, 2))) == pytest.approx((0.5, 0.75))


def test_seeds_have_students_interval() -> None:
    values = [0.91, 0.88, 0.93, 0.9]
    found = seed_mean(values)
    expected = scipy.stats.t.interval(0.95, 3, loc=np.mean(values), scale=scipy.stats.sem(values))
    assert found.interval == pytest.approx(expected)
    assert (found.mean, found.deviation, found.seeds) == (
        pytest.approx(np.mean(values)),
        pytest.approx(scipy.stats.tstd(values)),
        4,
    )


def test_one_seed_has_a_mean_alone_and_none_is_refused() -> None:
    assert seed_mean([0.9]) == (0.9, None, None, 1)
    with pytest.raises(SettingError, match="at least one run"):
        seed_mean([])
