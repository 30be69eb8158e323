"""Intervals: against scipy, and that they cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medpriv_core.errors import SettingError
from medpriv_core.evaluation.intervals import bootstrap_interval, seed_mean, wilson_interval


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (0, 20), (1, 1), (563, 624), (3, 7), (20, 20)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_wilson_is_that_of_scipy(successes: int, trials: int, level: float) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    interval = wilson_interval(successes, trials, level=level)
    assert interval == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= interval.low <= successes / trials <= interval.high <= 1


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 5)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(SettingError, match="at least one image"):
        wilson_interval(successes, trials)


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(size=400)
    interval = bootstrap_interval(lambda drawn: float(values[drawn].mean()), images=400)
    half = 1.96 * values.std() / 20
    assert interval is not None
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_draws_without_the_figure_are_left_out_unless_they_are_many() -> None:
    def of_first(drawn: np.ndarray) -> float | None:
        return float(drawn.mean()) if (drawn == 0).any() else None

    def of_rare(drawn: np.ndarray) -> float | None:
        return float(drawn.mean()) if (drawn == 0).sum() > 1 else None

    assert bootstrap_interval(of_first, images=50) is not None  # in 64 % of the draws
    assert bootstrap_interval(of_rare, images=50) is None  # in 26 %


def test_images_that_cannot_tell_give_no_interval() -> None:
    assert bootstrap_interval(lambda drawn: 1.0, images=10) is None


def test_many_images_are_drawn_less_often() -> None:
    drawn = {10: 1000, 2000: 1000, 4000: 500, 100_000: 200}
    for images, expected in drawn.items():
        asked: list[int] = []
        bootstrap_interval(lambda numbers, seen=asked: float(seen.append(len(numbers)) or len(seen)), images=images)
        assert asked == [images] * expected


def test_seeds_have_students_interval() -> None:
    values = [0.91, 0.88, 0.93, 0.9]
    found = seed_mean(values)
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert found.interval == pytest.approx(expected)
    assert (found.mean, found.deviation, found.seeds) == (
        pytest.approx(np.mean(values)),
        pytest.approx(stats.tstd(values)),
        4,
    )


def test_one_seed_has_a_mean_alone_and_none_is_refused() -> None:
    assert seed_mean([0.9]) == (0.9, None, None, 1)
    with pytest.raises(SettingError, match="at least one run"):
        seed_mean([])
