"""The interval of the AUROC: by hand, against brute force, and where a class is nearly empty."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy

from medpriv_core.evaluation.areas import auroc_interval, newcombe_interval
from medpriv_core.evaluation.ranks import mean_auroc


def columns(values: np.ndarray) -> np.ndarray:
    return np.stack([1 - values, values], axis=1)


def test_delong_by_pairs() -> None:
    """Every positive against every negative, ties half, and both variances from the rows and columns of that table."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [60, 40])
    values = np.round(rng.uniform(0, 1, 100) * 0.7 + 0.2 * labels, 2)
    won = [[(a > b) + (a == b) / 2 for b in values[labels == 0]] for a in values[labels == 1]]
    table = np.array(won)
    rows, cells = table.mean(1).var(ddof=1) / 40, table.mean(0).var(ddof=1) / 60
    degrees = (rows + cells) ** 2 / (rows**2 / 39 + cells**2 / 59)
    area = table.mean()
    half = scipy.stats.t.ppf(0.975, degrees) * math.sqrt(rows + cells) / (area * (1 - area))
    expected = (
        scipy.special.expit(scipy.special.logit(area) - half),
        scipy.special.expit(scipy.special.logit(area) + half),
    )
    assert auroc_interval(columns(values), labels) == pytest.approx(expected)


@pytest.mark.parametrize(("positives", "negatives"), [(1, 40), (40, 1)])
def test_one_image_of_a_class_says_nothing_of_it(positives: int, negatives: int) -> None:
    labels = np.repeat([1, 0], [positives, negatives])
    assert auroc_interval(columns(np.linspace(1, 0, 41)), labels) is None


def test_a_class_without_an_image_has_no_interval() -> None:
    assert auroc_interval(columns(np.linspace(1, 0, 9)), np.zeros(9, dtype=np.int64)) is None


@pytest.mark.parametrize("few", [2, 3, 10])
def test_no_mistake_leaves_a_width(few: int) -> None:
    labels = np.repeat([1, 0], [few, 50])
    for values, end in ((np.linspace(1, 0, few + 50), 1), (np.linspace(0, 1, few + 50), 0)):
        interval = auroc_interval(columns(values), labels)
        assert interval is not None
        assert end in interval
        assert 0.02 < interval.high - interval.low < 0.9


def test_values_that_are_all_alike_are_guesses_and_have_a_width() -> None:
    interval = auroc_interval(np.full((60, 2), 0.5), np.repeat([0, 1], 30))
    assert interval is not None
    assert interval.low < 0.4 < 0.6 < interval.high


@pytest.mark.parametrize("area", [0.5, 0.8, 0.95])
def test_the_ends_are_the_areas_that_make_the_one_found_a_rare_one(area: float) -> None:
    """Hanley and McNeil's variance at either end puts the area found 1.96 standard errors away."""
    for end in newcombe_interval(area, positives=20, negatives=50):
        first, second = end / (2 - end) - end**2, 2 * end**2 / (1 + end) - end**2
        variance = (end * (1 - end) + 34 * (first + second)) / 1000
        assert abs(area - end) == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-4)


def test_of_several_classes_a_single_image_widens_the_mean_by_its_share() -> None:
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.repeat(np.arange(4), 25), [4]])
    probabilities = rng.dirichlet(np.ones(5), 101) + 0.4 * np.eye(5)[labels]
    probabilities /= probabilities.sum(1, keepdims=True)
    area = mean_auroc(probabilities, labels)
    interval = auroc_interval(probabilities, labels)
    assert area is not None
    assert interval is not None
    assert interval.low < area < interval.high
    assert 0.05 < interval.high - interval.low < 0.5
