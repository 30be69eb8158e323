"""Whether a patient's diagnosis hangs on chance.

Train twice with the same settings and another seed, and both networks may be right equally often, yet about different
patients. For whom they differ, the diagnosis is the choice of a random number (*predictive multiplicity*; Marx et al.
2020, Cooper et al. 2024). Noise for privacy adds to it. With M networks and what each calls each image:

ambiguity        share of images that some network calls otherwise than the first one does. It is also the share about
                 which they are not unanimous
discrepancy      the largest share of images on which one single network differs from the first
disagreement     share of images on which two networks differ, on average over all pairs
consensus        by image, the share of the networks that agree with the majority
self-consistency by image, the chance that two different networks agree

One can decline to answer where the networks quarrel: the abstention curve says how many images are left then, and how
often the majority is right about them.

>>> calls = np.array([[1, 0, 1, 0, 1], [1, 1, 1, 0, 0], [1, 0, 1, 0, 1]])
>>> found = compare_seeds(calls)
>>> found.ambiguity, found.discrepancy, round(found.disagreement, 5)
(0.4, 0.4, 0.26667)
>>> found.self_consistency.round(3).tolist(), found.consensus.round(3).tolist()
([1.0, 0.333, 1.0, 1.0, 0.333], [1.0, 0.667, 1.0, 1.0, 0.667])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medpriv_core.errors import SettingError
from medpriv_core.evaluation.intervals import Interval, wilson_interval
from medpriv_core.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Multiplicity:
    """How far M networks agree on n images; all shares in [0, 1].

    consensus, self_consistency  float64 (n,)
    """

    networks: int
    ambiguity: float
    discrepancy: float
    disagreement: float
    consensus: np.ndarray
    self_consistency: np.ndarray

    @property
    def images(self) -> int:
        """How many test images there are."""
        return len(self.consensus)

    @property
    def ambiguity_interval(self) -> Interval:
        """95 % Wilson interval: for these networks, on other images."""
        return wilson_interval(round(self.ambiguity * self.images), self.images)


@dataclass(frozen=True)
class AbstentionPoint:
    """What happens if an answer is given only where at least ``agreeing`` of the networks agree.

    answered  images that get an answer
    right     of these, how many answers are right
    interval  95 % Wilson interval of ``accuracy``; None, like it, where nothing is answered
    """

    agreeing: int
    images: int
    answered: int
    right: int

    @property
    def coverage(self) -> float:
        """The share of images that get an answer."""
        return self.answered / self.images

    @property
    def deferred(self) -> float:
        """The share of images left to a human being."""
        return 1 - self.coverage

    @property
    def accuracy(self) -> float | None:
        """The share of answers that are right; None where nothing is answered."""
        return self.right / self.answered if self.answered else None

    @property
    def interval(self) -> Interval | None:
        """95 % Wilson interval of ``accuracy``; None where nothing is answered."""
        return wilson_interval(self.right, self.answered) if self.answered else None


def compare_seeds(calls: np.ndarray) -> Multiplicity:
    """How far several networks agree.

    Args:
        calls: Integer array (M, n): the class that each network names for each image. Ambiguity and discrepancy compare
            with the first network.

    Returns:
        The shares of images, and the agreement on each image.

    Raises:
        SettingError: There are fewer than two networks.
    """
    networks = len(calls)
    if networks < 2:
        raise SettingError(
            "Whether a diagnosis depends on the seed takes at least two finished runs with the same settings and "
            "different seeds, but there is one."
        )
    votes = _votes(calls)
    differs = calls != calls[0]
    pairs = networks * (networks - 1)
    self_consistency = (votes * (votes - 1)).sum(0) / pairs
    return Multiplicity(
        networks=networks,
        ambiguity=float(differs.any(0).mean()),
        discrepancy=float(differs.mean(1).max()),
        disagreement=float(1 - self_consistency.mean()),
        consensus=votes.max(0) / networks,
        self_consistency=self_consistency,
    )


def abstention_curve(calls: np.ndarray, labels: np.ndarray) -> list[AbstentionPoint]:
    """What happens if an answer is given only where enough networks agree.

    It begins where no two classes can both have enough votes, so every answer is well defined.

    Args:
        calls: Integer array (M, n): the class that each network names for each image.
        labels: Integer array (n,): the true classes.

    Returns:
        A point for each number of networks that must agree, from a bare majority to all.
    """
    networks, images = calls.shape
    votes = _votes(calls)
    agreeing, right = votes.max(0), votes.argmax(0) == labels
    return [
        AbstentionPoint(
            agreeing=least,
            images=images,
            answered=int((agreeing >= least).sum()),
            right=int((right & (agreeing >= least)).sum()),
        )
        for least in range(networks // 2 + 1, networks + 1)
    ]


def calls_of(predictions: Sequence[Predictions], test_set: str = "test") -> tuple[np.ndarray, np.ndarray]:
    """The classes that several runs name for the same images.

    Args:
        predictions: Those of each run; at least one.
        test_set: "test", or "test_noised" for the noised test images of Local-DP.

    Returns:
        The classes named, int64 array (M, n), and the true ones, int64 array (n,).

    Raises:
        SettingError: There is no run, one has no such test set, or the runs were not tested on the same images, as far
            as labels can tell.
    """
    if not predictions:
        raise SettingError("Choose at least two finished runs to compare.")
    labels = predictions[0].labels
    for found in predictions:
        if test_set not in found.test_sets:
            raise SettingError("Not all of these runs were tested on noised images; compare them on the clean ones.")
        same_classes = found.test.shape[1] == predictions[0].test.shape[1]
        if not same_classes or not np.array_equal(found.labels, labels):
            raise SettingError("These runs were not tested on the same images, so they cannot be compared.")
    return np.stack([found.test_sets[test_set].argmax(1) for found in predictions]), labels


def distinct_networks(predictions: Sequence[Predictions]) -> list[int]:
    """The places of networks that differ, the first of each: those with the very same probabilities are one network.

    Where the last layer alone learns, from zeros, and every image is in every step, nothing in training is left to
    chance, and each seed gives the same network.
    """
    places: list[int] = []
    for place, found in enumerate(predictions):
        if not any(np.array_equal(found.test, predictions[other].test) for other in places):
            places.append(place)
    return places


def _votes(calls: np.ndarray) -> np.ndarray:
    """How many networks name each class, int64 (classes, n)."""
    return np.stack([(calls == number).sum(0) for number in range(int(calls.max()) + 1)])
