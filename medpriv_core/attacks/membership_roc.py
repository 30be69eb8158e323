"""How well an attack tells members from others: hits at few false alarms, their intervals, and what they refute.

A mean over records would hide the few people who are found for sure, so what counts is the share of members that are
found while nearly no other is named falsely (Carlini et al. 2022). Several target networks are attacked, and figures
are means over them.

The alarm and the bound on ε look at the scores in another way: the records with the highest scores are named, so many
of all, chosen without looking who was a member. Then hits and false alarms are counts, each with its Clopper-Pearson
bound, which share the doubt with all numbers that are tried and all attacks (Bonferroni). Members of one network are
taken for independent, which they nearly are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from medpriv_core.attacks.membership import Array
from medpriv_core.errors import SettingError
from medpriv_core.evaluation.intervals import LEVEL, Interval
from medpriv_core.privacy.curve import Curve

RATES = (0.001, 0.01, 0.05)
# Below so many others, hits at a rate are one record's luck.
FEWEST_OTHERS = {0.001: 1000, 0.01: 50, 0.05: 50}
FEWEST = 50
REPLICATES = 300
# Of all records, in the alarm and the bound on ε.
NAMED = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5)


@dataclass(frozen=True)
class Attacked:
    """One target network: the attack's score of each record (n,), and bool (n,) whether it was a member."""

    scores: Array
    members: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Roc:
    """The mean over targets: hits at each share of false alarms, with a band that holds 95 % of resampled ones."""

    false_alarms: Array
    hits: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Found:
    """What the records named falsely or rightly say, by exact counts.

    named           share of all records that was named
    hits            bounds of the share of members that is found
    false_alarms    bounds of the share of others that is named
    """

    named: float
    hits: Interval
    false_alarms: Interval


def check_sizes(targets: Sequence[Attacked]) -> None:
    """Raise ``SettingError`` where a target has fewer than 50 members or 50 others."""
    for target in targets:
        members = int(target.members.sum())
        others = len(target.members) - members
        if min(members, others) < FEWEST:
            raise SettingError(
                f"A membership attack needs {FEWEST} members and {FEWEST} others at least, and here are {members} and "
                f"{others}. Attack a run with more training records."
            )


def hits_at(target: Attacked, rates: npt.ArrayLike) -> Array:
    """The share of members above the threshold that lets through at most these shares of others, never rounded up."""
    members = np.sort(target.scores[target.members])
    others = np.sort(target.scores[~target.members])[::-1]
    allowed = np.floor(np.asarray(rates, dtype=np.float64) * len(others) + 1e-9).astype(np.int64)
    thresholds = np.append(others, -np.inf)[np.minimum(allowed, len(others))]
    above = len(members) - np.searchsorted(members, thresholds, side="right")
    return above / len(members)


def found_by(target: Attacked, rate: float) -> npt.NDArray[np.bool_]:
    """Which members are found at a share of false alarms, bool (n,)."""
    others = np.sort(target.scores[~target.members])[::-1]
    allowed = math.floor(rate * len(others) + 1e-9)
    threshold = others[allowed] if allowed < len(others) else -math.inf
    return target.members & (target.scores > threshold)


def area(target: Attacked) -> float:
    """The area under the curve of one target (Mann and Whitney), 0.5 for guessing; ties count half."""
    ranks = scipy.stats.rankdata(target.scores)
    members = int(target.members.sum())
    others = len(ranks) - members
    return float((ranks[target.members].sum() - members * (members + 1) / 2) / (members * others))


def roc(targets: Sequence[Attacked], *, rates: Array, rng: np.random.Generator, replicates: int = REPLICATES) -> Roc:
    """The mean curve over the targets with its band.

    Args:
        targets: One at least.
        rates: Shares of false alarms, ascending.
        rng: Draws targets and, of each, records anew; with it the threshold is found anew too.
        replicates: How often.

    Returns:
        The curve; the band is at 95 %, point by point.
    """
    drawn = np.empty((replicates, len(rates)))
    for replicate in range(replicates):
        chosen = rng.integers(0, len(targets), len(targets))
        drawn[replicate] = np.mean([hits_at(_resampled(targets[place], rng), rates) for place in chosen], axis=0)
    share = (1 - LEVEL) / 2
    hits = np.mean([hits_at(target, rates) for target in targets], axis=0)
    low, high = np.quantile(drawn, [share, 1 - share], axis=0)
    return Roc(rates, hits, np.minimum(low, hits), np.maximum(high, hits))


def roc_rates(others: int, points: int = 60) -> Array:
    """Shares of false alarms for a curve, from the smallest that ``others`` can tell to 1, with those that are told."""
    grid = np.geomspace(1 / others, 1.0, points)
    return np.unique(np.concatenate([grid, [rate for rate in RATES if others >= FEWEST_OTHERS[rate]]]))


def _resampled(target: Attacked, rng: np.random.Generator) -> Attacked:
    """With as many members and others as it has, drawn with replacement."""
    sides = [np.flatnonzero(side) for side in (target.members, ~target.members)]
    places = np.concatenate([side[rng.integers(0, len(side), len(side))] for side in sides])
    return Attacked(target.scores[places], target.members[places])


def clopper_pearson(successes: int, trials: int, *, level: float = LEVEL) -> Interval:
    """The exact interval of a share (Clopper and Pearson 1934): it holds the truth at least this often.

    >>> low, high = clopper_pearson(0, 20)
    >>> low, round(high, 4)
    (0.0, 0.1684)
    """
    share = (1 - level) / 2
    low = 0.0 if successes == 0 else float(scipy.stats.beta.ppf(share, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(scipy.stats.beta.isf(share, successes + 1, trials - successes))
    return Interval(low, high)


def counts_found(targets: Sequence[Attacked], *, tries: int) -> list[Found]:
    """Bounds of hits and false alarms where fixed shares of all records are named.

    Args:
        targets: One at least.
        tries: How many attacks share the doubt, one at least.

    Returns:
        One for each share in ``NAMED``. All of all attacks hold together with 95 %.
    """
    # Two ends of two counts, of which one of each matters.
    level = 1 - 2 * (1 - LEVEL) / (2 * len(NAMED) * tries)
    found = []
    for named in NAMED:
        counts = np.zeros(4, dtype=np.int64)
        for target in targets:
            chosen = np.zeros(len(target.scores), dtype=bool)
            # Ties are broken by the place of a record, which says nothing of membership.
            chosen[np.argsort(-target.scores, kind="stable")[: max(1, round(named * len(chosen)))]] = True
            right, wrong = (chosen & target.members).sum(), (chosen & ~target.members).sum()
            counts += [right, target.members.sum(), wrong, (~target.members).sum()]
        right, members, wrong, others = (int(count) for count in counts)
        hits, alarms = clopper_pearson(right, members, level=level), clopper_pearson(wrong, others, level=level)
        found.append(Found(named, hits, alarms))
    return found


def refutes(found: Sequence[Found], ceiling: Curve) -> Found | None:
    """Where more is found than the ceiling allows, beyond chance; None if nowhere."""
    for one in found:
        if one.hits.low > float(ceiling.hits(one.false_alarms.high)) + 1e-12:
            return one
    return None


def epsilon_at_least(found: Sequence[Found], *, delta: float) -> float:
    """The ε that no smaller one can be true of the training, 0 if none is refuted.

    Args:
        found: Of one attack or several, with bounds that hold together.
        delta: At which ε is meant.

    Returns:
        The largest of log((hits − δ) / false alarms) and the same of who is not named, by the careful bounds.
    """
    largest = 0.0
    for one in found:
        pairs = ((one.hits.low, one.false_alarms.high), (1 - one.false_alarms.high, 1 - one.hits.low))
        for more, less in pairs:
            if more > delta and less > 0:
                largest = max(largest, math.log((more - delta) / less))
    return largest
