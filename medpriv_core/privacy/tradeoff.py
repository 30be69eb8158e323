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
import scipy

from medpriv_core.privacy.dp_sgd import Adjacency
from medpriv_core.privacy.loss_distribution import Stretches, TotalLosses, smallest_resolvable, total_losses
from medpriv_core.privacy.step_loss import Array
from medpriv_core.privacy.steps import Steps, count_steps, merge_steps

# The false-alarm rates that are told.
FALSE_ALARM_RATES = ("0.001", "0.01", "0.05")
# Where e^ε times any false-alarm rate of interest is far above 1; the curve of δ needs not be known beyond.
LARGEST_EPSILON = 40.0


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
    return _risk(stretches, delta, adjacency == "replace-one", images_per_patient) if stretches else NO_RISK


def risk_of_point(*, epsilon: float, delta: float) -> Risk:
    """What follows from one (ε, δ) alone, where no more is known of a run: valid, and up to five times too high.

    Args:
        epsilon: What holds; infinite where nothing does.
        delta: At which it holds.

    Returns:
        The risk, without ``mu``.
    """
    if math.isinf(epsilon):
        return NO_LIMIT
    curve = np.array([epsilon]), np.array([min(1.0, delta)])
    advantage = 1 - 2 * (1 - delta) / (1 + math.exp(min(epsilon, 700.0)))
    return Risk({rate: _hits(*curve, float(rate)) for rate in FALSE_ALARM_RATES}, advantage, None)


def larger_risk(first: Risk, second: Risk) -> Risk:
    """The larger one of two, figure by figure."""
    rates = {rate: max(first.tpr_at_fpr[rate], second.tpr_at_fpr[rate]) for rate in FALSE_ALARM_RATES}
    mu = None if first.mu is None or second.mu is None else max(first.mu, second.mu)
    return Risk(rates, max(first.advantage, second.advantage), mu)


@functools.lru_cache(maxsize=1024)
def _risk(stretches: Stretches, delta: float, replace_one: bool, images: int) -> Risk:
    if any(noise_multiplier == 0 for noise_multiplier, _, _ in stretches):
        return NO_LIMIT
    if all(rate == 1 for _, rate, _ in stretches):
        distance = 2 if replace_one else images
        return _gaussian(distance * math.sqrt(sum(steps / noise**2 for noise, _, steps in stretches)))
    steps = count_steps(stretches)
    smallest = max(delta, smallest_resolvable(steps=steps))
    totals = total_losses(stretches, delta=smallest, replace_one=replace_one, images=images)
    if totals is None:
        return NO_LIMIT
    epsilons, deltas = _deltas(totals)
    rates = {rate: _hits(epsilons, deltas, float(rate)) for rate in FALSE_ALARM_RATES}
    return Risk(rates, float(deltas[0]), _mu(epsilons, deltas, smallest))


def _gaussian(mu: float) -> Risk:
    rates = {rate: float(scipy.special.ndtr(mu + scipy.special.ndtri(float(rate)))) for rate in FALSE_ALARM_RATES}
    return Risk(rates, float(scipy.special.erf(mu / math.sqrt(8))), mu)


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


def _hits(epsilons: Array, deltas: Array, false_alarm_rate: float) -> float:
    """Highest rate of hits at this rate of false alarms."""
    with np.errstate(over="ignore"):
        bounds = np.minimum(
            np.exp(epsilons) * false_alarm_rate + deltas, 1 - np.exp(-epsilons) * (1 - deltas - false_alarm_rate)
        )
    return float(np.clip(bounds.min(), false_alarm_rate, 1))


def _mu(epsilons: Array, deltas: Array, smallest: float) -> float | None:
    """The smallest μ whose curve lies nowhere below this one, from the false-alarm rate ``smallest`` on.

    The curve is made of straight lines, and a Gaussian one is concave: it suffices to look where two lines meet. Both
    are symmetric, so the half with at least as many hits gained as false alarms is enough.
    """
    rates = [float(rate) for rate in FALSE_ALARM_RATES]
    corners = (deltas[:-1] - deltas[1:]) / np.diff(np.exp(epsilons))
    false_alarms = np.concatenate([[smallest], rates, corners[(corners > smallest) & (corners < 1)]])
    hits = np.array([_hits(epsilons, deltas, rate) for rate in (smallest, *rates)])
    at_corners = (deltas[:-1] + np.exp(epsilons[:-1]) * corners)[(corners > smallest) & (corners < 1)]
    hit_rates = np.minimum(1, np.concatenate([hits, at_corners]))
    distances = scipy.special.ndtri(hit_rates) - scipy.special.ndtri(false_alarms)
    mu = float(distances.max())
    return mu if math.isfinite(mu) else None
