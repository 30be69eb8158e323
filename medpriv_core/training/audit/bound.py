"""From guesses to epsilon: the audit in one training run of Steinke, Nasr and Jagielski (2023), arXiv 2305.08846.

A coin is tossed for each of m canaries: heads, and it is in the training set. An attacker looks at the training and
guesses some of the coins. If the training is epsilon-differentially private, no guess is right more often than with
probability e^epsilon / (1 + e^epsilon), whatever the other coins, so the number of right ones is at most like that of
as many independent throws (theorem 5.2; delta adds a little, corollary 5.4). More right guesses than that refute
epsilon.

It assumes fair and independent coins, guesses (and how many there are) chosen without looking at the coins, and
neighbouring training sets that differ by one record added or removed. It does not assume anything about the training,
nor that the attack is a good one: a poor attack gives a low bound, never a wrong one. For the same reason a bound
below the claimed epsilon is no proof of it. Even the best attack stays far below, mostly, because epsilon and a tiny
delta speak of events too rare to be seen among some hundred guesses.

>>> epsilon_lower_bound(canaries=1000, guesses=500, right=450, delta=1e-8, confidence=0.999)
1.751
>>> epsilon_lower_bound(canaries=1000, guesses=500, right=260, delta=1e-8, confidence=0.999)
0.0
"""

from __future__ import annotations

import numpy as np
import scipy


def epsilon_lower_bound(*, canaries: int, guesses: int, right: int, delta: float, confidence: float) -> float:
    """The largest epsilon that is refuted with this confidence, rounded down to a thousandth; 0 if none is.

    right <= guesses <= canaries; confidence in (0, 1).
    """

    def refuted(thousandths: int) -> bool:
        value = p_value(epsilon=thousandths / 1000, canaries=canaries, guesses=guesses, right=right, delta=delta)
        return value < 1 - confidence

    low, high = 0, 1000
    if not refuted(low):
        return 0.0
    while refuted(high):
        low, high = high, high + 1000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low / 1000


def p_value(*, epsilon: float, canaries: int, guesses: int, right: int, delta: float) -> float:
    """How likely, at most, ``right`` of ``guesses`` are right if the training is (epsilon, delta)-private."""
    chance = 1 / (1 + np.exp(-epsilon))
    at_least = float(scipy.stats.binom.sf(right - 1, guesses, chance))
    # delta may help the attacker to i more right guesses than the throws gave, with probability 2 m delta / i.
    helped = np.arange(1, right + 1)
    nearly = np.cumsum(scipy.stats.binom.pmf(right - helped, guesses, chance))
    gain = float((nearly / helped).max()) if right else 0.0
    return min(1.0, at_least + 2 * canaries * delta * gain)


def mu_lower_bound(*, false_alarms: int, outs: int, misses: int, ins: int, confidence: float) -> float:
    """The largest mu of a Gaussian mechanism that is refuted with this confidence; 0 if none is.

    A test that names ``false_alarms`` of ``outs`` that were out, and overlooks ``misses`` of ``ins`` that were in,
    errs more often than Phi(Phi^-1(1 - false alarms) - mu) allows for every smaller mu (Dong, Roth, Su 2022,
    arXiv 1905.02383). Both rates are taken at their upper Clopper-Pearson bounds, as in Nasr et al. 2023
    (arXiv 2302.07956). The trials must be independent, which canaries are whose gradients share no coordinate.

    >>> round(mu_lower_bound(false_alarms=4013, outs=10_000, misses=4013, ins=10_000, confidence=0.999), 2)
    0.42
    """
    share = (1 - confidence) / 2
    highest = [
        1.0 if errors == trials else float(scipy.stats.beta.isf(share, errors + 1, trials - errors))
        for errors, trials in ((false_alarms, outs), (misses, ins))
    ]
    return max(0.0, float(-scipy.stats.norm.ppf(highest[0]) - scipy.stats.norm.ppf(highest[1])))
