"""From what an attacker knew before to what he can know after: the odds that a record was among the training records.

An attacker who names records is right about a share of those that he names. It follows from Bayes' rule, from the share
p of training records among all that he looks at (the prior), and from his hits and false alarms:

    posterior = hits · p / (hits · p + false alarms · (1 − p))

So the odds p / (1 − p) grow by hits / false alarms. Pure ε bounds that factor by e^ε for every outcome (Kasiviswanathan
and Smith 2014); with a δ it may fail, with a small probability. At a given rate of false alarms the exact trade-off
curve bounds the hits for certain, δ included.

>>> round(posterior(0.01, hits=0.25, false_alarms=0.01), 3)
0.202
>>> round(posterior_of_any_outcome(0.5, epsilon=1.0), 3)
0.731
"""

from __future__ import annotations

import math

from medpriv_core.privacy.tradeoff import FALSE_ALARM_RATES, Risk

# What an attacker may know before: hardly anything, a good guess, and a toss of a coin.
PRIORS = (0.01, 0.1, 0.5)


def posterior(prior: float, *, hits: float, false_alarms: float) -> float:
    """How likely a record that an attacker has named was among the training records.

    Args:
        prior: Share of training records among those that he looks at; above 0 and below 1.
        hits: Share of the training records that he names; from 0 to 1.
        false_alarms: Share of the others that he names; from 0 to 1.

    Returns:
        A share from 0 to 1. 1 where nobody is named falsely and somebody rightly; 0 where nobody is named rightly and
        somebody falsely; the prior where nobody is named at all, because nothing was learned then.

    Raises:
        ValueError: A number lies outside its range.

    >>> posterior(0.1, hits=0.0, false_alarms=0.0)
    0.1
    """
    _check(prior)
    for name, share in (("hits", hits), ("false_alarms", false_alarms)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} must lie from 0 to 1, but is {share}")
    # As a ratio, so that two shares near the smallest number that there is do not become 0.
    larger = max(hits, false_alarms)
    if larger == 0:
        return prior
    rightly, falsely = hits / larger * prior, false_alarms / larger * (1 - prior)
    return rightly / (rightly + falsely)


def posterior_at(prior: float, *, risk: Risk, rate: str = "0.01") -> float:
    """How likely a record that the best possible attacker has named was among the training records, at most.

    Args:
        prior: Share of training records among those that he looks at; above 0 and below 1.
        risk: What he can reach at most.
        rate: His share of false alarms, as ``FALSE_ALARM_RATES`` has it.

    Returns:
        A share from 0 to 1, at least the prior.

    Raises:
        ValueError: The prior lies outside its range, or the rate is none of those that are told.
    """
    if rate not in FALSE_ALARM_RATES:
        raise ValueError(f"rate must be one of {', '.join(FALSE_ALARM_RATES)}, but is {rate}")
    return posterior(prior, hits=risk.tpr_at_fpr[rate], false_alarms=float(rate))


def odds_factor(risk: Risk, rate: str = "0.01") -> float:
    """By how much the odds of a named record grow at most.

    Args:
        risk: What an attacker can reach at most.
        rate: His share of false alarms, as ``FALSE_ALARM_RATES`` has it.

    Returns:
        Hits divided by false alarms, at least 1.

    Raises:
        KeyError: The rate is none of those that are told.
    """
    return risk.tpr_at_fpr[rate] / float(rate)


def posterior_of_any_outcome(prior: float, *, epsilon: float) -> float:
    """How likely any record is a training record at most, whatever was released, by ε with δ = 0.

    With a δ above 0 some outcomes may break it, so this figure is then no promise by itself.

    Args:
        prior: What an attacker took for likely before; above 0 and below 1.
        epsilon: What holds; 0 or more, infinite where nothing does.

    Returns:
        A share from the prior to 1.

    Raises:
        ValueError: A number lies outside its range.
    """
    _check(prior)
    if not epsilon >= 0:
        raise ValueError(f"epsilon must be 0 or more, but is {epsilon}")
    return prior / (prior + (1 - prior) * math.exp(-epsilon))


def _check(prior: float) -> None:
    if not 0 < prior < 1:
        raise ValueError(f"prior must be above 0 and below 1, but is {prior}")
