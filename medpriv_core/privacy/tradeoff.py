"""What epsilon means: how many images an attacker finds for how many false alarms, at most.

Somebody who has the network names images that he takes for training images. Of those that were not in the training set
he names a share α (false alarms), of those that were a share TPR (hits). Each (ε, δ) that the training guarantees
bounds the hits (Kairouz, Oh and Viswanath 2015):

    TPR ≤ min( e^ε · α + δ,  1 − e^−ε · (1 − δ − α) )

One (ε, δ) alone bounds them badly: up to five times too high. But the mechanism has a whole curve δ(ε), and the
smallest of all these bounds is its exact trade-off curve (Dong, Roth and Su 2022): no attacker does better, whatever
else he knows, and the best one reaches it. It is made symmetric by taking for δ(ε) the larger one of both directions in
which neighbours differ.

Without sampling the mechanism is one Gaussian, and the curve has a closed form with one number, μ:

>>> risk = membership_risk([Steps(50.0, 1.0, 900)], delta=1e-5)  # 900 full batches at noise multiplier 50
>>> round(risk.mu, 3), round(risk.at_one_percent, 4)
(0.6, 0.0421)

Under Poisson sampling δ(ε) comes from the privacy loss distribution that epsilon comes from, with its rounding to the
safe side: a fraction of a percent of the hits. (With sample rates around one in 100,000 the advantage, then below one
in 100, may be told too high by up to a third.)

>>> risk = membership_risk([Steps(2.0, 128 / 5232, 2044)], delta=1e-5)
>>> round(risk.at_one_percent, 4), round(risk.advantage, 3)
(0.0416, 0.231)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from medpriv_core.privacy.curve import (
    EVERYTHING,
    LARGEST_EPSILON,
    NOTHING,
    BoundedCurve,
    Curve,
    GaussianCurve,
    smallest_mu,
)
from medpriv_core.privacy.dp_sgd import Adjacency
from medpriv_core.privacy.loss_distribution import Stretches, TotalLosses, smallest_resolvable, total_losses
from medpriv_core.privacy.step_loss import Array
from medpriv_core.privacy.steps import Steps, count_steps, merge_steps

# The false-alarm rates that are told.
FALSE_ALARM_RATES = ("0.001", "0.01", "0.05")


@dataclass(frozen=True)
class Risk:
    """What an attacker who tests whether an image was in the training set can reach at most.

    tpr_at_fpr  highest share of training images found, by share of false alarms ("0.001", "0.01", "0.05")
    advantage   highest difference of the two shares, at any share of false alarms; 0 is guessing, 1 certainty
    mu          of the weakest Gaussian mechanism that promises no more than this one: it lets an attacker find
                Φ(μ + Φ⁻¹(α)) or more than is possible here at every false-alarm rate α from δ to 1 - δ. Without
                sampling this is the mechanism itself, at every α. None where no such number is known or finite.
    """

    tpr_at_fpr: Mapping[str, float]
    advantage: float
    mu: float | None

    @property
    def at_one_percent(self) -> float:
        """Highest share of training images found at 1 % false alarms."""
        return self.tpr_at_fpr["0.01"]


# Where nothing is guaranteed.
NO_LIMIT = Risk(dict.fromkeys(FALSE_ALARM_RATES, 1.0), 1.0, None)
NO_RISK = Risk({rate: float(rate) for rate in FALSE_ALARM_RATES}, 0.0, 0.0)


def membership_risk(
    counted: Iterable[Steps],
    *,
    delta: float,
    adjacency: Adjacency = "add-remove",
    images_per_patient: int = 1,
) -> Risk:
    """The risk of steps as ``composed_epsilon`` takes them: never below the truth.

    ``delta`` only says how fine the grid must be, and down to which false-alarm rate ``mu`` holds.
    """
    stretches = merge_steps(counted)
    return _risk(stretches, delta, adjacency == "replace-one", images_per_patient)


def membership_curve(
    counted: Iterable[Steps],
    *,
    delta: float,
    adjacency: Adjacency = "add-remove",
    images_per_patient: int = 1,
) -> Curve:
    """The trade-off curve of steps, which ``membership_risk`` tells some points of.

    Args:
        counted: The steps, as ``composed_epsilon`` takes them.
        delta: Says how fine the grid must be; above 0 and below 1.
        adjacency: How neighbouring training sets differ.
        images_per_patient: Images that are added or removed together, from 1 to 100.

    Returns:
        The curve, never below the truth.
    """
    return _curve(merge_steps(counted), delta, adjacency == "replace-one", images_per_patient)


def curve_of_point(*, epsilon: float, delta: float) -> Curve:
    """What follows from one (ε, δ) alone: valid, and up to five times too high.

    Args:
        epsilon: What holds; infinite where nothing does.
        delta: At which it holds.

    Returns:
        The curve (Kairouz, Oh and Viswanath 2015).
    """
    if math.isinf(epsilon):
        return EVERYTHING
    if epsilon == 0:
        return BoundedCurve(np.zeros(1), np.array([delta]))
    advantage = 1 - 2 * (1 - delta) / (1 + math.exp(min(epsilon, 700.0)))
    return BoundedCurve(np.array([0.0, min(epsilon, 700.0)]), np.array([advantage, min(1.0, delta)]))


def risk_of_point(*, epsilon: float, delta: float) -> Risk:
    """What follows from one (ε, δ) alone, where no more is known of a run: valid, and up to five times too high.

    Args:
        epsilon: What holds; infinite where nothing does.
        delta: At which it holds.

    Returns:
        The risk, without ``mu``.
    """
    return risk_of_curve(curve_of_point(epsilon=epsilon, delta=delta), delta=None)


def risk_of_curve(curve: Curve, *, delta: float | None) -> Risk:
    """What a curve says at the false-alarm rates that are told.

    Args:
        curve: Of the mechanism.
        delta: The false-alarm rate from which on ``mu`` is to hold; None for no ``mu``, but that of Gaussian noise.

    Returns:
        The risk.
    """
    if curve is EVERYTHING:
        return NO_LIMIT
    mu: float | None = None
    if isinstance(curve, GaussianCurve):
        mu = curve.mu
    elif isinstance(curve, BoundedCurve) and delta is not None:
        mu = smallest_mu(curve, rates=(delta, *map(float, FALSE_ALARM_RATES)))
    return Risk({rate: float(curve.hits(float(rate))) for rate in FALSE_ALARM_RATES}, curve.advantage, mu)


def larger_risk(first: Risk, second: Risk) -> Risk:
    """The larger one of two, figure by figure."""
    rates = {rate: max(first.tpr_at_fpr[rate], second.tpr_at_fpr[rate]) for rate in FALSE_ALARM_RATES}
    mu = None if first.mu is None or second.mu is None else max(first.mu, second.mu)
    return Risk(rates, max(first.advantage, second.advantage), mu)


@functools.lru_cache(maxsize=1024)
def _risk(stretches: Stretches, delta: float, replace_one: bool, images: int) -> Risk:
    if not stretches:
        return NO_RISK
    curve = _curve(stretches, delta, replace_one, images)
    return risk_of_curve(curve, delta=_smallest(stretches, delta))


# Each may hold some megabytes.
@functools.lru_cache(maxsize=16)
def _curve(stretches: Stretches, delta: float, replace_one: bool, images: int) -> Curve:
    if not stretches:
        return NOTHING
    if any(noise_multiplier == 0 for noise_multiplier, _, _ in stretches):
        return EVERYTHING
    if all(rate == 1 for _, rate, _ in stretches):
        distance = 2 if replace_one else images
        return GaussianCurve(distance * math.sqrt(sum(steps / noise**2 for noise, _, steps in stretches)))
    totals = total_losses(stretches, delta=_smallest(stretches, delta), replace_one=replace_one, images=images)
    return EVERYTHING if totals is None else BoundedCurve(*_deltas(totals))


def _smallest(stretches: Stretches, delta: float) -> float:
    return max(delta, smallest_resolvable(steps=count_steps(stretches)))


def _deltas(totals: tuple[TotalLosses, ...]) -> tuple[Array, Array]:
    """ε on the grid from 0 on, and δ(ε) there: of the direction where it is larger."""
    interval = totals[0].interval
    last = max(total.first + len(total.probabilities) for total in totals)
    points = max(1, min(last, math.floor(LARGEST_EPSILON / interval)))
    epsilons: Array = interval * np.arange(points, dtype=np.float64)
    deltas = np.zeros(len(epsilons))
    for total in totals:
        mass = total.probabilities[max(0, 1 - total.first) :]
        first = max(1, total.first)  # losses of 0 and less count for no ε from 0 on
        with np.errstate(under="ignore"):
            shrunk = mass * np.exp(-interval * np.arange(first, first + len(mass)))
        # Sums over all losses of at least that of each place; beyond the last one, nothing is left.
        upper, lower = (np.append(np.cumsum(part[::-1])[::-1], 0.0) for part in (mass, shrunk))
        above = np.clip(np.arange(len(epsilons)) + 1 - first, 0, len(mass))
        deltas = np.maximum(deltas, upper[above] - np.exp(epsilons) * lower[above] + total.infinite)
    return epsilons, np.clip(deltas, 0, 1).astype(np.float64)
