"""What an attacker may believe afterwards: from the chance that he gave a record before, to the chance after.

>>> round(posterior(0.01, hits=0.186, false_alarms=0.01), 3)
0.158
"""

from __future__ import annotations


def posterior(prior: float, *, hits: float, false_alarms: float) -> float:
    """How likely it is that somebody whom the attacker names was in the training set (Bayes' rule).

    Args:
        prior: How likely that was before; from 0 to 1.
        hits: Share of those in the training set whom he names; from 0 to 1.
        false_alarms: Share of the others whom he names; from 0 to 1.

    Returns:
        A probability from 0 to 1; the prior where he names nobody at all.
    """
    right, wrong = hits * prior, false_alarms * (1 - prior)
    return right / (right + wrong) if right + wrong > 0 else prior
