"""Every interval over images holds the truth as often as it says, counted on test sets of which the truth is known.

Each case draws ``SETS`` test sets with a fixed seed, and the truth is a closed form or the figure on a million images.
An interval of 95 % must hold it in at least ``LEAST`` of the sets, less what chance does to such a count (three
standard errors). Where it is built to be cautious it may hold it always; where not, ``MOST`` is the limit to the other
side.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from functools import cache

import numpy as np
import pytest
import scipy

from medpriv_core.evaluation.areas import auroc_interval, newcombe_interval
from medpriv_core.evaluation.calibration import calibration_interval, squared_errors, surprises
from medpriv_core.evaluation.confusion import (
    balanced_accuracy,
    balanced_accuracy_interval,
    confusion_matrix,
    kappa_interval,
    weighted_kappa,
)
from medpriv_core.evaluation.intervals import Interval, mean_interval, seed_mean, wilson_interval
from medpriv_core.evaluation.ranks import mean_auroc
from medpriv_core.results.cost import difference_interval
from medpriv_core.results.groups import Estimate

SETS = 250
LEAST, MOST = 0.93, 0.985
MANY = 1_000_000

Certainty = Callable[[np.random.Generator, int], np.ndarray]
Truth = Callable[[np.ndarray], np.ndarray]


def chance(share: float) -> float:
    return 3 * math.sqrt(share * (1 - share) / SETS)


def coverage(intervals: Iterable[Interval | None], truth: float) -> float:
    """The share of the intervals that hold the truth; one that is not there does not."""
    held = [found is not None and found.low <= truth <= found.high for found in intervals]
    assert len(held) == SETS
    return sum(held) / SETS


def assert_covers(intervals: Iterable[Interval | None], truth: float, *, cautious: bool = False) -> None:
    share = coverage(intervals, truth)
    assert share >= LEAST - chance(LEAST)
    assert cautious or share <= MOST + chance(MOST)


# How sure a network is (its top label, of two classes), and how often it is right when it is that sure.
CERTAINTIES: dict[str, Certainty] = {
    "evenly": lambda rng, images: 0.5 + 0.5 * rng.beta(1, 1, images),
    "rather": lambda rng, images: 0.5 + 0.5 * rng.beta(4, 1, images),
    "very": lambda rng, images: np.minimum(0.5 + 0.5 * rng.beta(12, 0.6, images), 1 - 1e-6),
}
RIGHT: dict[str, Truth] = {
    "calibrated": lambda sure: sure,
    "too sure": lambda sure: scipy.special.expit(scipy.special.logit(sure) / 2),
    "not sure enough": lambda sure: scipy.special.expit(scipy.special.logit(sure) / 0.6),
    "off by a tenth": lambda sure: np.clip(sure - 0.1, 0, 1),
    "off at the top": lambda sure: sure - 0.2 * (sure > 0.95),
}


def two_columns(sure: np.ndarray) -> np.ndarray:
    return np.stack([sure, 1 - sure], axis=1)


@cache
def true_error(certainty: str, right: str) -> float:
    """By the definition, with as many images as nobody has: 15 bins, weighted distances."""
    sure = CERTAINTIES[certainty](np.random.default_rng(7), MANY)
    distance = sure - RIGHT[right](sure)
    edges = np.arange(16) / 15
    return sum(abs(distance[(low < sure) & (sure <= high)].sum()) for low, high in itertools.pairwise(edges)) / len(
        sure
    )


@pytest.mark.parametrize("images", [100, 624, 2000])
@pytest.mark.parametrize(
    ("certainty", "right"),
    [
        ("evenly", "calibrated"),
        ("rather", "calibrated"),
        ("very", "calibrated"),
        ("evenly", "too sure"),
        ("very", "too sure"),
        ("rather", "not sure enough"),
        ("rather", "off by a tenth"),
        ("evenly", "off at the top"),
    ],
)
def test_the_calibration_error_of_endlessly_many_images(certainty: str, right: str, images: int) -> None:
    """Cautious: whether a bin is off by nothing or by a little cannot be told, and it is taken for either."""
    draw, share = CERTAINTIES[certainty], RIGHT[right]
    rng = np.random.default_rng(images)

    def intervals() -> Iterable[Interval | None]:
        for _ in range(SETS):
            sure = draw(rng, images)
            yield calibration_interval(two_columns(sure), (rng.random(images) >= share(sure)).astype(np.int64))

    assert_covers(intervals(), true_error(certainty, right), cautious=True)


@pytest.mark.parametrize("images", [20, 60])
@pytest.mark.parametrize("share", [0.9, 0.97, 0.99])
def test_the_calibration_error_of_a_network_that_is_always_as_sure(images: int, share: float) -> None:
    """Few answers, hardly one of them wrong: that none is does not make the error small."""
    rng = np.random.default_rng(images)
    sure = two_columns(np.full(images, 0.99))
    intervals = (calibration_interval(sure, (rng.random(images) >= share).astype(np.int64)) for _ in range(SETS))
    assert_covers(intervals, 0.99 - share, cautious=True)


def test_an_interval_of_the_calibration_error_shrinks_as_images_come_in() -> None:
    """Cautious is not idle: it finds a network of the worst kind out, and tells it from a perfect one."""
    rng = np.random.default_rng(0)
    widths = []
    for images in (200, 2000):
        sure = CERTAINTIES["rather"](rng, images)
        low, high = calibration_interval(two_columns(sure), (rng.random(images) >= sure - 0.2).astype(np.int64)) or (
            0,
            1,
        )
        assert 0.05 < low < 0.2 < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def binormal(rng: np.random.Generator, area: float, positives: int, negatives: int, deviation: float) -> np.ndarray:
    """Values with a true area of ``area``, the positives first: normal ones of different spread."""
    apart = float(scipy.stats.norm.ppf(area)) * math.sqrt(1 + deviation**2)
    return np.concatenate([rng.normal(apart, deviation, positives), rng.normal(0, 1, negatives)])


@pytest.mark.parametrize("deviation", [1.0, 2.0])
@pytest.mark.parametrize("area", [0.6, 0.9, 0.99])
@pytest.mark.parametrize(("positives", "negatives"), [(3, 100), (5, 98), (13, 90), (30, 30), (234, 390)])
def test_auroc_of_two_classes(positives: int, negatives: int, area: float, deviation: float) -> None:
    rng = np.random.default_rng(positives)
    labels = (np.arange(positives + negatives) < positives).astype(np.int64)

    def intervals() -> Iterable[Interval | None]:
        for _ in range(SETS):
            values = scipy.special.expit(binormal(rng, area, positives, negatives, deviation))
            yield auroc_interval(two_columns(1 - values), labels)

    assert_covers(intervals(), area, cautious=min(positives, negatives) <= 30 or area > 0.95)


GRADES = np.array([34, 5, 32, 19, 13]) / 103  # as in IDRiD's test images


def graded(rng: np.random.Generator, images: int, *, apart: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of five grades, and the true ones, each at least once so that the figures exist."""
    labels = np.concatenate([np.arange(5), rng.choice(5, images - 5, p=GRADES)])
    seen = labels * apart + rng.normal(0, 1, images)
    scores = np.exp(-((seen[:, None] - apart * np.arange(5)) ** 2) / 2)
    return scores / scores.sum(1, keepdims=True), labels


@pytest.mark.parametrize("apart", [0.7, 2.5])
@pytest.mark.parametrize("images", [103, 600])
def test_figures_of_five_grades(images: int, apart: float) -> None:
    rng = np.random.default_rng(images)
    probabilities, labels = graded(rng, MANY // 4, apart=apart)
    whole = confusion_matrix(probabilities.argmax(1), labels, classes=5)
    truth = {
        "auroc": mean_auroc(probabilities, labels),
        "balanced": balanced_accuracy(whole),
        "kappa": weighted_kappa(whole),
    }
    found: dict[str, list[Interval | None]] = {name: [] for name in truth}
    for _ in range(SETS):
        probabilities, labels = graded(rng, images, apart=apart)
        matrix = confusion_matrix(probabilities.argmax(1), labels, classes=5)
        found["auroc"].append(auroc_interval(probabilities, labels))
        found["balanced"].append(balanced_accuracy_interval(matrix))
        found["kappa"].append(kappa_interval(matrix))
    for name, value in truth.items():
        assert value is not None
        assert_covers(found[name], value, cautious=name != "kappa")


@pytest.mark.parametrize("images", [100, 624])
@pytest.mark.parametrize("right", [0.5, 0.9, 0.97])
def test_shares_of_images(right: float, images: int) -> None:
    """Accuracy, recall, precision, ambiguity, and answers where networks agree."""
    hits = np.random.default_rng(images).binomial(images, right, SETS)
    assert_covers((wilson_interval(int(count), images) for count in hits), right, cautious=True)


@pytest.mark.parametrize("images", [1, 3, 5, 20])
def test_shares_of_few_images(images: int) -> None:
    """So few images allow so few shares that the coverage jumps from truth to truth; it holds on average over them."""
    rng = np.random.default_rng(images)
    truths = rng.random(SETS)
    intervals = [wilson_interval(int(rng.binomial(images, truth)), images) for truth in truths]
    held = np.mean([found.low <= truth <= found.high for found, truth in zip(intervals, truths, strict=True)])
    assert held >= LEAST - chance(LEAST)


@pytest.mark.parametrize("images", [20, 103, 624])
def test_balanced_accuracy_with_a_class_of_few_images(images: int) -> None:
    """One class in ten, of which seven in ten are found; of the other nine."""
    few, rng = images // 10, np.random.default_rng(images)
    found = rng.binomial([few, images - few], [0.7, 0.9], (SETS, 2))
    matrices = (np.array([[a, few - a], [images - few - b, b]]) for a, b in found)
    assert_covers(map(balanced_accuracy_interval, matrices), 0.8, cautious=True)


@pytest.mark.parametrize("losses", [squared_errors, surprises])
@pytest.mark.parametrize(
    ("certainty", "right"), [("evenly", "calibrated"), ("rather", "too sure"), ("very", "too sure")]
)
@pytest.mark.parametrize("images", [100, 624])
def test_brier_score_and_log_loss(
    images: int, certainty: str, right: str, losses: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> None:
    rng = np.random.default_rng(images)

    def drawn(count: int) -> np.ndarray:
        sure = CERTAINTIES[certainty](rng, count)
        return losses(two_columns(sure), (rng.random(count) >= RIGHT[right](sure)).astype(np.int64))

    truth = float(drawn(MANY).mean())
    assert_covers((mean_interval(drawn(images)) for _ in range(SETS)), truth, cautious=True)


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_the_mean_over_seeds(seeds: int) -> None:
    values = np.random.default_rng(seeds).normal(0.88, 0.01, (SETS, seeds))
    assert_covers((seed_mean(row).interval for row in values.tolist()), 0.88)


@pytest.mark.parametrize(("first", "second"), [(3, 3), (3, 10)])
def test_the_difference_of_two_means_over_seeds(first: int, second: int) -> None:
    """Put together from the two t-intervals, which few seeds make wide."""
    rng = np.random.default_rng(first + second)

    def of(mean: float, seeds: int) -> Estimate:
        found = seed_mean(rng.normal(mean, 0.01, seeds).tolist())
        assert found.interval is not None
        return Estimate(found.mean, *found.interval, "seeds", seeds)

    intervals = [Interval(*map(float, difference_interval(of(0.93, first), of(0.88, second)))) for _ in range(SETS)]
    assert_covers(intervals, 5.0, cautious=True)


@pytest.mark.parametrize("images", [103, 624])
def test_the_difference_of_two_accuracies_on_the_same_images(images: int) -> None:
    """Two networks that are often right about the same images; taken for independent, the interval is rather wide."""
    rng = np.random.default_rng(images)
    intervals = []
    for _ in range(SETS):
        hard = rng.random(images)
        pair = [int((hard + rng.normal(0, 0.05, images) < share).sum()) for share in (0.9, 0.8)]
        estimates = [Estimate(hits / images, *wilson_interval(hits, images), "test_images", 1) for hits in pair]
        intervals.append(Interval(*map(float, difference_interval(*estimates))))
    hard = rng.random(MANY)
    true = [(hard + rng.normal(0, 0.05, MANY) < share).mean() for share in (0.9, 0.8)]
    assert_covers(intervals, 100 * (true[0] - true[1]), cautious=True)


def test_the_bootstrap_would_not_have_passed() -> None:
    """What these cases are for: drawing the images anew adds the bias of the calibration error once more."""
    rng = np.random.default_rng(0)

    def error(sure: np.ndarray, wrong: np.ndarray) -> float:
        numbers = np.ceil(sure * 15).astype(np.int64)
        return float(np.abs(np.bincount(numbers, weights=sure - ~wrong)).sum() / len(sure))

    def intervals() -> Iterable[Interval]:
        for _ in range(SETS):
            sure = CERTAINTIES["rather"](rng, 300)
            wrong = rng.random(300) >= sure
            drawn = [error(sure[numbers], wrong[numbers]) for numbers in rng.integers(0, 300, (50, 300))]
            yield Interval(*np.quantile(drawn, [0.025, 0.975]))

    assert coverage(intervals(), 0.0) < 0.1


@pytest.mark.parametrize(("positives", "negatives"), [(3, 100), (20, 20), (234, 390)])
def test_an_area_of_1_has_an_interval_as_zero_mistakes_have(positives: int, negatives: int) -> None:
    """About as wide as Wilson's of as many images as the rarer class has, and never of no width."""
    low, high = newcombe_interval(1.0, positives=positives, negatives=negatives)
    assert high == 1
    assert wilson_interval(min(positives, negatives), min(positives, negatives)).low < low < 1
    mirrored = newcombe_interval(0.0, positives=positives, negatives=negatives)
    assert mirrored == pytest.approx((0, 1 - low))
