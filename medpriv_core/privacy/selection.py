"""What it costs to give away only the best of several networks, where how many are trained is drawn at random.

For the best of a *fixed* number of networks no smaller ε is known than that of all of them: which one is best tells of
the others as well, and in the worst case nearly as much as they do. Where the number K of trainings is drawn at random,
and each draws its settings at random, with replacement, from the grid, much less is told (Liu and Talwar 2019). Let one
training have the Rényi divergence ε(α) of order α. Then the best one has, by theorems 2 and 6 of Papernot and Steinke
(2022, "Hyperparameter tuning with Rényi differential privacy"), for K with mean m,

    Poisson     ε'(α) = ε(α) + m δ̂ + ln(m) / (α - 1), where one training is (ln(1 + 1/(α - 1)), δ̂)-DP
    geometric   ε'(α) = ε(α) + 2 (1 - 1/β) ε(β) + 2 ln(m) / β + ln(m) / (α - 1), for any order β

A training that draws its settings first has at most the largest divergence of all settings, at each order (the
divergence is quasi-convex). "The best" is by a score that depends on the images through the networks alone: by images
of other people, or by public ones.

>>> one = Steps(4.0, 128 / 5232, 2044)
>>> for mean in (3, 12, 48):
...     best = best_of([[one]], mean=mean, delta=1e-5)
...     print(best.number, round(best.epsilon, 2))
poisson 1.65
geometric 2.5
geometric 2.9
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from medpriv_core.privacy.dp_sgd import MAX_EPSILON
from medpriv_core.privacy.renyi import poisson_divergences
from medpriv_core.privacy.steps import Steps, merge_steps

Number = Literal["poisson", "geometric"]
NUMBER_WORDS: dict[Number, str] = {
    "poisson": "Poisson distribution, so that it may be none",
    "geometric": "geometric distribution",
}


class BestOf(NamedTuple):
    """ε of giving away the best network, and the distribution of the number of trainings that it holds for."""

    epsilon: float
    number: Number


def best_of(trainings: Sequence[Iterable[Steps]], *, mean: float, delta: float) -> BestOf:
    """What giving away the best of a random number of networks costs, by the Rényi accountant.

    Args:
        trainings: The counted steps of each setting that a training may draw; one at least. Neighbours differ by a
            record that is added, removed or replaced by an empty one.
        mean: Of how many are trained; at least 1.
        delta: The chance with which the promise of ε may fail; above 0 and below 1.

    Returns:
        The smaller ε of the two distributions of the number, never below what holds; infinite above ``MAX_EPSILON``.
    """
    from dp_accounting.rdp.rdp_privacy_accountant import DEFAULT_RDP_ORDERS, compute_epsilon

    orders = np.array(DEFAULT_RDP_ORDERS)
    largest = np.max(
        [poisson_divergences(merge_steps(steps), tuple(DEFAULT_RDP_ORDERS)) for steps in trainings], axis=0
    )
    each: dict[Number, np.ndarray] = {
        "poisson": _poisson(orders, largest, mean),
        "geometric": _geometric(orders, largest, mean),
    }
    found = [BestOf(float(compute_epsilon(orders, chosen, delta)[0]), number) for number, chosen in each.items()]
    best = min(found)
    return best if best.epsilon <= MAX_EPSILON else BestOf(math.inf, best.number)


def _poisson(orders: np.ndarray, largest: np.ndarray, mean: float) -> np.ndarray:
    from dp_accounting.rdp.rdp_privacy_accountant import compute_delta

    failing = [compute_delta(orders, largest, math.log1p(1 / (order - 1)))[0] for order in orders.tolist()]
    return np.asarray(largest + mean * np.array(failing) + math.log(mean) / (orders - 1))


def _geometric(orders: np.ndarray, largest: np.ndarray, mean: float) -> np.ndarray:
    least = np.min(2 * (1 - 1 / orders) * largest + 2 * math.log(mean) / orders)
    return np.asarray(largest + least + math.log(mean) / (orders - 1))
