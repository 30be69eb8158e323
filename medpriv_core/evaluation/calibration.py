"""Whether the network knows what it does not know: of all answers given with 80 % confidence, are 80 % right?

The confidence of an answer is the highest of its probabilities (the *top label*), whatever the class. Answers are
sorted into 15 bins of equal width by confidence, and in each the mean confidence is set against the share of right
answers. The calibration error is the mean distance of the two, weighted by the answers in the bin (ECE; Naeini et al.
2015, Guo et al. 2017).

Two warnings. With two classes it is easily confused with another figure, which bins the probability of the *second
class* against its frequency; that one is not computed here. And it is biased upwards on few images: even a perfectly
calibrated network has an error above zero on 624 of them. So what perfection would show on as many images stands beside
it (Bröcker and Smith 2007), and an interval of the error that would be found on *endlessly many* images. That interval
knows of the bias: it begins at 0 where a perfect network may well have shown as much, and the error that was found lies
in its upper part.

>>> confidence = np.tile([0.95, 0.85, 0.75, 0.65, 0.55], 2)
>>> right = np.array([1, 1, 1, 0, 1, 1, 0, 1, 1, 0])
>>> probabilities = np.stack([confidence, 1 - confidence], axis=1)
>>> round(calibration_error(probabilities, 1 - right, bins=10), 6)
0.17
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from medpriv_core.evaluation.intervals import LEVEL, Interval, wilson_interval

BINS = 15
IMAGINED = 300  # test sets in which every answer is right as often as the network is sure
SEED = 0
DRAWN = 2000  # draws of the noise in all bins
# Standard errors by which a bin's distance is taken for smaller, or larger, than it was found.
SHRUNKEN, STRETCHED = 1.5, 0.5


@dataclass(frozen=True)
class ReliabilityBin:
    """The answers with a confidence above ``low`` and up to ``high``.

    confidence, accuracy  their mean confidence and the share of right ones
    interval              95 % Wilson interval of that share
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    interval: Interval


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS) -> float:
    """Expected calibration error of the top label.

    Args:
        probabilities: Float array (n, classes): what the network gives each class, image by image.
        labels: Integer array (n,): the true class of each image, from 0.
        bins: Of equal width, by confidence.

    Returns:
        From 0 (at best) to 1.
    """
    confidence, right = _top_label(probabilities, labels)
    return _weighted_gap(confidence - right, _bin_numbers(confidence, bins), bins)


def calibration_interval(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS) -> Interval | None:
    """95 % interval of the error on endlessly many images of the same kind; None for fewer than two images.

    The distance found in a bin is the true one plus noise, and its absolute value is too large by up to 0.8 standard
    errors where the true one is 0, and by nothing where it is large. Which holds is not known, so each end takes what
    is cautious: for the lower end every distance is taken for ``SHRUNKEN`` standard errors smaller than it was found
    (but not below 0), for the upper end for ``STRETCHED`` larger; noise is added to these many times, and the excess of
    the error found over the true one, at its quantile, is subtracted from the error. A bin's share and standard error
    are those of Agresti and Coull (1998), so that ten right answers out of ten do not count as certain.
    """
    images = len(labels)
    if images < 2:
        return None
    confidence, right = _top_label(probabilities, labels)
    numbers = _bin_numbers(confidence, bins)
    filled, counts = np.unique(numbers, return_counts=True)
    hits = np.bincount(numbers, weights=right, minlength=bins)[filled]
    distances = np.abs(np.bincount(numbers, weights=confidence - right, minlength=bins))[filled] / images
    error = float(distances.sum())
    z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
    share = (hits + z * z / 2) / (counts + z * z)
    spread = np.sqrt(counts * share * (1 - share)) / images
    # How many images fall into which bin is chance as well.
    between = math.sqrt(max(0.0, float((distances**2 / counts).sum()) - error**2 / images))
    sure = np.bincount(numbers, weights=confidence, minlength=bins)[filled] / counts
    at_most = np.maximum(distances, np.abs(sure - share) * counts / images)
    random = np.random.default_rng(SEED)
    noise = spread * random.standard_normal((DRAWN, len(filled)))
    shift = between * random.standard_normal(DRAWN)

    def excess(true: np.ndarray) -> np.ndarray:
        return np.abs(true + noise).sum(1) - true.sum() + shift

    low = error - np.quantile(excess(np.maximum(0.0, distances - SHRUNKEN * spread)), 0.5 + LEVEL / 2)
    high = at_most.sum() - np.quantile(excess(at_most + STRETCHED * spread), 0.5 - LEVEL / 2)
    return Interval(max(0.0, float(low)), min(1.0, float(high)))


def perfect_error(probabilities: np.ndarray, *, bins: int = BINS) -> float:
    """The calibration error that a perfectly calibrated network would show on as many images.

    Each answer is drawn right exactly as often as the network is sure of it. The draws are seeded: the same
    probabilities give the same result.

    Args:
        probabilities: Float array (n, classes): what the network gives each class, image by image.
        bins: Of equal width, by confidence.

    Returns:
        The mean over ``IMAGINED`` such test sets, from 0 to 1.
    """
    confidence = probabilities.max(1).astype(np.float64)
    numbers = _bin_numbers(confidence, bins)
    random = np.random.default_rng(SEED)
    errors = [
        _weighted_gap(confidence - (random.random(len(confidence)) < confidence), numbers, bins)
        for _ in range(IMAGINED)
    ]
    return float(np.mean(errors))


def reliability_bins(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS) -> list[ReliabilityBin]:
    """How often the network is right where it is about equally sure.

    Args:
        probabilities: Float array (n, classes): what the network gives each class, image by image.
        labels: Integer array (n,): the true class of each image, from 0.
        bins: Of equal width, by confidence.

    Returns:
        The bins that hold at least one answer, from the least to the most confident.
    """
    confidence, right = _top_label(probabilities, labels)
    numbers = _bin_numbers(confidence, bins)
    filled = []
    for number in np.unique(numbers).tolist():
        inside = numbers == number
        count, hits = int(inside.sum()), int(right[inside].sum())
        filled.append(
            ReliabilityBin(
                low=number / bins,
                high=(number + 1) / bins,
                count=count,
                confidence=float(confidence[inside].mean()),
                accuracy=hits / count,
                interval=wilson_interval(hits, count),
            )
        )
    return filled


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared distance to the truth, summed over classes as Brier (1950) did: 0 is perfect, 2 the worst."""
    return float(squared_errors(probabilities, labels).mean())


def squared_errors(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each image, the squared distance to the truth summed over classes, float64 (n,)."""
    truth = np.eye(probabilities.shape[1])[labels]
    return ((probabilities - truth) ** 2).sum(1)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -ln of the probability given to the true class, in nats; 0 is perfect.

    A probability that was rounded to zero counts as the smallest float32, about 1e-38, so that one hopeless answer
    does not make it infinite.
    """
    return float(surprises(probabilities, labels).mean())


def surprises(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each image, -ln of the probability given to its true class, float64 (n,)."""
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.maximum(given, np.finfo(np.float32).tiny))


def _top_label(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence, float64 (n,), and whether the answer was right, bool (n,)."""
    return probabilities.max(1).astype(np.float64), probabilities.argmax(1) == labels


def _bin_numbers(confidence: np.ndarray, bins: int) -> np.ndarray:
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def _weighted_gap(gap: np.ndarray, numbers: np.ndarray, bins: int) -> float:
    # count / n * |mean of the gaps| is |sum of the gaps| / n
    return float(np.abs(np.bincount(numbers, weights=gap, minlength=bins)).sum() / len(gap))
