"""Whether the network knows what it does not know: of all answers given with 80 % confidence, are 80 % right?

The confidence of an answer is the highest of its probabilities (the *top label*), whatever the class. Answers are
sorted into 15 bins of equal width by confidence, and in each the mean confidence is set against the share of right
answers. The calibration error is the mean distance of the two, weighted by the answers in the bin (ECE; Naeini et al.
2015, Guo et al. 2017).

Two warnings. With two classes it is easily confused with another figure, which bins the probability of the *second
class* against its frequency; that one is not computed here. And it is biased upwards on few images: even a perfectly
calibrated network has an error above zero on 624 of them. So an interval stands beside it, and what perfection would
show on as many images (Bröcker and Smith 2007).

>>> confidence = np.tile([0.95, 0.85, 0.75, 0.65, 0.55], 2)
>>> right = np.array([1, 1, 1, 0, 1, 1, 0, 1, 1, 0])
>>> probabilities = np.stack([confidence, 1 - confidence], axis=1)
>>> round(calibration_error(probabilities, 1 - right, bins=10), 6)
0.17
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.evaluation.intervals import Interval, bootstrap_interval, wilson_interval

BINS = 15
IMAGINED = 300  # test sets in which every answer is right as often as the network is sure
SEED = 0


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
    """Expected calibration error of the top label, in [0, 1]; ``probabilities`` (n, classes), ``labels`` (n,)."""
    confidence, right = _top_label(probabilities, labels)
    return _weighted_gap(confidence - right, _bin_numbers(confidence, bins), bins)


def calibration_interval(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS) -> Interval | None:
    """95 % percentile interval of the calibration error, images drawn anew (bootstrap).

    The bias of the error is in every draw once more, so the interval lies rather too high than too low. None where all
    draws agree, as for a network that is always right and always certain.
    """
    confidence, right = _top_label(probabilities, labels)
    gap, numbers = confidence - right, _bin_numbers(confidence, bins)
    return bootstrap_interval(lambda drawn: _weighted_gap(gap[drawn], numbers[drawn], bins), images=len(labels))


def perfect_error(probabilities: np.ndarray, *, bins: int = BINS) -> float:
    """The calibration error to expect on as many images, if each answer were right exactly as often as it is sure."""
    confidence = probabilities.max(1).astype(np.float64)
    numbers = _bin_numbers(confidence, bins)
    random = np.random.default_rng(SEED)
    errors = [
        _weighted_gap(confidence - (random.random(len(confidence)) < confidence), numbers, bins)
        for _ in range(IMAGINED)
    ]
    return float(np.mean(errors))


def reliability_bins(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS) -> list[ReliabilityBin]:
    """The bins that hold at least one answer, from the least to the most confident."""
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
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(1).mean())


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -ln of the probability given to the true class, in nats; 0 is perfect.

    A probability that was rounded to zero counts as the smallest float32, about 1e-38, so that one hopeless answer
    does not make it infinite.
    """
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(given, np.finfo(np.float32).tiny)).mean())


def _top_label(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence, float64 (n,), and whether the answer was right, bool (n,)."""
    return probabilities.max(1).astype(np.float64), probabilities.argmax(1) == labels


def _bin_numbers(confidence: np.ndarray, bins: int) -> np.ndarray:
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def _weighted_gap(gap: np.ndarray, numbers: np.ndarray, bins: int) -> float:
    # count / n * |mean of the gaps| is |sum of the gaps| / n
    return float(np.abs(np.bincount(numbers, weights=gap, minlength=bins)).sum() / len(gap))
