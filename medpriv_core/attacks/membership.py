"""Who was in the training set? What an attacker makes of a network's answers, with reference networks to compare with.

Whoever has a network and a record asks how sure the network is of the record's true class. Some records are easy for
every network, so the answer alone says little. Reference networks tell what to expect: they learned by the same recipe,
each from a random half of the records, so each record was in some of them and not in others. Of each network one
number a record is enough, φ = log p − log(1 − p) of its probability p for the true class, which is nearly normally
distributed over networks (Carlini et al. 2022, arXiv 2112.03570).

LiRA, both sides  the likelihood ratio of φ under two Gaussians, of the references with and without the record
LiRA, one side    how far φ lies above the references without the record, for who has no others
RMIA              how many other records have risen less against the references, by the ratio of their probabilities
                  (Zarifzadeh, Liu and Shokri 2024, arXiv 2312.03262)

>>> logits = np.array([[2.0, 0.0], [2.0, 0.0]])
>>> rescaled(logits, np.array([0, 1])).tolist()
[2.0, -2.0]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import scipy

Array = npt.NDArray[np.float64]
Attack = Literal["lira", "lira_offline", "rmia"]
ATTACKS: tuple[Attack, ...] = get_args(Attack)
TITLES: dict[Attack, str] = {"lira": "LiRA", "lira_offline": "LiRA, one side", "rmia": "RMIA"}

# A spread of a few references is itself uncertain, and one that is by chance too small would make its record seem
# found. So each is mixed with that of all records, which counts as so many references (Smyth 2004).
SHARED_SPREAD = 16.0
# φ beyond this is rounding: the probability differs from 0 or 1 by less than numbers of double precision can say.
LARGEST = 36.0


def rescaled(logits: npt.ArrayLike, labels: np.ndarray) -> Array:
    """How sure a network is of each record's true class.

    Args:
        logits: (n, classes), of two classes or more.
        labels: int64 (n,), from 0.

    Returns:
        (n,) log p − log(1 − p) of the probability p of the true class, between ±``LARGEST``.
    """
    values = np.asarray(logits, dtype=np.float64)
    rows = np.arange(len(labels))
    rest = values.copy()
    rest[rows, labels] = -np.inf
    own: Array = values[rows, labels] - scipy.special.logsumexp(rest, axis=1)
    return np.clip(own, -LARGEST, LARGEST)


@dataclass(frozen=True)
class References:
    """What the reference networks say of the records.

    values  φ of each network and record, (networks, n)
    inside  bool, of the same shape: whether the network learned from the record
    """

    values: Array
    inside: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.values)


def lira(target: Array, references: References) -> Array:
    """The log likelihood ratio of LiRA with both sides, (n,): the higher, the likelier was the record in the target.

    A record that all references have in common, or none has, gets 0: nothing is known of it.
    """
    with_it, without = _moments(references, inside=True), _moments(references, inside=False)
    ratio = _log_density(target, with_it) - _log_density(target, without)
    return np.where(with_it.known & without.known, ratio, 0.0)


def lira_offline(target: Array, references: References) -> Array:
    """How many standard deviations φ lies above the references without the record, (n,); unknown ones get 0."""
    without = _moments(references, inside=False)
    return np.where(without.known, (target - without.mean) / np.sqrt(without.variance), 0.0)


def rmia(target: Array, references: References) -> Array:
    """The share of records whose probability has risen less against the references than this one's, (n,) in 0 to 1.

    The attacker takes all records as the population to compare with, half of which were in the target. The expected
    probability of a record is the mean over references with and without it, each side counting the same.
    """
    probabilities = scipy.special.expit(references.values)
    sides = []
    for chosen in (references.inside, ~references.inside):
        count = chosen.sum(0)
        sides.append(np.where(count > 0, (probabilities * chosen).sum(0) / np.maximum(count, 1), np.nan))
    expected = np.nanmean(np.stack(sides), axis=0)
    ratio = scipy.special.expit(target) / expected
    return np.searchsorted(np.sort(ratio), ratio, side="left") / len(ratio)


SCORES: dict[Attack, Callable[[Array, References], Array]] = {"lira": lira, "lira_offline": lira_offline, "rmia": rmia}


def separations(references: References) -> Array:
    """How far the networks with a record lie from those without it, in standard deviations, (n,): how exposed it is."""
    with_it, without = _moments(references, inside=True), _moments(references, inside=False)
    distance = (with_it.mean - without.mean) / np.sqrt((with_it.variance + without.variance) / 2)
    return np.where(with_it.known & without.known, distance, 0.0)


@dataclass(frozen=True)
class _Moments:
    mean: Array
    variance: Array
    known: npt.NDArray[np.bool_]


def _moments(references: References, *, inside: bool) -> _Moments:
    """Of φ over the references with, or without, each record."""
    chosen = references.inside if inside else ~references.inside
    count = chosen.sum(0).astype(np.float64)
    mean = (references.values * chosen).sum(0) / np.maximum(count, 1)
    squares = (((references.values - mean) * chosen) ** 2).sum(0)
    freedom = np.maximum(count - 1, 0)
    shared = squares.sum() / max(freedom.sum(), 1.0)
    # Where all networks agree there is no spread at all.
    floor = max(shared, 1e-12)
    variance = (squares + SHARED_SPREAD * floor) / (freedom + SHARED_SPREAD)
    return _Moments(mean, variance, count >= 1)


def _log_density(values: Array, moments: _Moments) -> Array:
    """Of a Gaussian, without the constant."""
    density: Array = -((values - moments.mean) ** 2) / (2 * moments.variance) - np.log(moments.variance) / 2
    return density
