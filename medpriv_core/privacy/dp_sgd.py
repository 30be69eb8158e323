"""What epsilon holds for a DP-SGD run, and the noise multiplier that a wanted epsilon needs.

Every step samples each record independently with probability ``sample_rate`` (Poisson sampling),
clips each record's gradient to norm C and adds Gaussian noise of standard deviation
``noise_multiplier`` times C to the sum. The accountant follows the privacy loss distribution (PLD)
of that mechanism for neighbouring datasets that differ by one record added or removed.

>>> account = DpSgdAccount(noise_multiplier=1.0, sample_rate=128 / 5232, delta=1e-5)
>>> round(account.epsilon(2044), 2)
7.16

The numbers are pessimistic: rounding and discretisation only ever push epsilon up.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medpriv_core.errors import SettingError
from medpriv_core.spec import BOUNDS, check_bound

if TYPE_CHECKING:
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

ACCOUNTANT = "pld"
SAMPLING = "poisson"
ADJACENCY = "add-remove"

# Beyond this nothing is promised and nothing is computed: epsilon is reported as infinite.
MAX_EPSILON = 1000.0
RDP_ORDERS = [*range(2, 65), 80, 96, 128, 192, 256, 512, 1024]


@dataclass(frozen=True)
class DpSgdAccount:
    """Turns a number of steps into the epsilon they have spent.

    noise_multiplier sigma (noise standard deviation / clipping norm); sample_rate in (0, 1];
    delta in (0, 0.1]. Raises ``SettingError`` outside these.
    """

    noise_multiplier: float
    sample_rate: float
    delta: float

    def __post_init__(self) -> None:
        check_bound("noise_multiplier", self.noise_multiplier)
        check_bound("delta", self.delta)
        if not 0 < self.sample_rate <= 1:
            raise SettingError(f"sample_rate must be above 0 and at most 1, but is {self.sample_rate}.")

    def epsilon(self, steps: int) -> float:
        """Epsilon at ``delta`` after ``steps`` steps; 0 before the first, infinite above ``MAX_EPSILON``."""
        return composed_epsilon([(self.noise_multiplier, self.sample_rate, steps)], delta=self.delta)


def composed_epsilon(segments: Iterable[tuple[float, float, int]], *, delta: float) -> float:
    """Epsilon of several stretches of training on the same records.

    Each segment is (noise_multiplier, sample_rate, steps). Stretches of one mechanism add their steps.
    """
    steps_of: dict[tuple[float, float], int] = {}
    for noise_multiplier, sample_rate, steps in segments:
        if steps < 0:
            raise SettingError(f"steps must not be negative, but is {steps}.")
        if steps:
            key = (noise_multiplier, sample_rate)
            steps_of[key] = steps_of.get(key, 0) + steps
    if not steps_of:
        return 0.0
    return _epsilon(tuple(sorted((*key, steps) for key, steps in steps_of.items())), delta)


def solve_noise_multiplier(*, target_epsilon: float, delta: float, sample_rate: float, steps: int) -> float:
    """The smallest noise multiplier, rounded up to four digits, whose epsilon is at most the target.

    Raises ``SettingError`` where no noise multiplier within the bounds gives that epsilon.
    """
    check_bound("target_epsilon", target_epsilon)
    low, high = BOUNDS["noise_multiplier"]

    def excess(noise_multiplier: float) -> float:
        account = DpSgdAccount(noise_multiplier=noise_multiplier, sample_rate=sample_rate, delta=delta)
        return account.epsilon(steps) - target_epsilon

    if excess(low) <= 0:
        return low
    # Grow from below, so that the slow, tiny multipliers are never tried for a modest epsilon.
    upper = 1.0
    while excess(upper) > 0:
        upper *= 2
        if upper > high:
            raise SettingError(
                f"No noise multiplier up to {high:g} reaches epsilon {target_epsilon:g} at delta {delta:g}. "
                "Train fewer epochs, take a smaller batch, or allow a larger epsilon."
            )
    lower = max(low, upper / 2) if upper > 1 else low
    while upper / lower > 1.00005:
        middle = math.sqrt(lower * upper)
        lower, upper = (middle, upper) if excess(middle) > 0 else (lower, middle)
    digits = 3 - math.floor(math.log10(upper))
    rounded = math.ceil(upper * 10**digits)
    # After a million steps epsilon is no longer smooth in the fourth digit: the next one up may lie above the target.
    while excess(rounded / 10**digits) > 0 and rounded / 10**digits < high:
        rounded += 1
    return min(rounded / 10**digits, high)


def sampling_rate(*, batch_size: int, train_size: int) -> float:
    """Probability with which each record enters a batch, so that ``batch_size`` are expected."""
    return batch_size / train_size


def steps_per_epoch(*, batch_size: int, train_size: int) -> int:
    """Steps that on average look at as many records as the training set has; at least 1."""
    return max(1, round(train_size / batch_size))


@functools.lru_cache(maxsize=4096)
def _epsilon(segments: tuple[tuple[float, float, int], ...], delta: float) -> float:
    # The classic, looser bound costs nothing and keeps the exact one from filling the memory.
    rough = _rdp_epsilon(segments, delta)
    if rough > MAX_EPSILON:
        return math.inf
    interval = _interval(segments, rough)
    total: PrivacyLossDistribution | None = None
    for noise_multiplier, sample_rate, steps in segments:
        stretch = _one_step(noise_multiplier, sample_rate, interval).self_compose(steps)
        total = stretch if total is None else total.compose(stretch)
    assert total is not None
    return float(total.get_epsilon_for_delta(delta))


def _rdp_epsilon(segments: tuple[tuple[float, float, int], ...], delta: float) -> float:
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(orders=RDP_ORDERS)
    for noise_multiplier, sample_rate, steps in segments:
        accountant.compose(PoissonSampledDpEvent(sample_rate, GaussianDpEvent(noise_multiplier)), steps)
    return float(accountant.get_epsilon(delta))


def _interval(segments: tuple[tuple[float, float, int], ...], rough_epsilon: float) -> float:
    # The more noise, the smaller one step's loss and the finer the grid it needs. Distributions can
    # only be composed on one common grid, hence the finest of all; a large epsilon needs no such fine
    # one. Compared with a ten times finer grid the result is at most 0.4 % higher.
    most_noise = max(noise_multiplier for noise_multiplier, _, _ in segments)
    return max(min(1e-3, 1e-3 / most_noise**2), 1e-5, rough_epsilon / 1e6)


@functools.lru_cache(maxsize=64)
def _one_step(noise_multiplier: float, sample_rate: float, interval: float) -> PrivacyLossDistribution:
    # Imported here: it takes a second to load, and most callers never need it.
    from dp_accounting.pld import privacy_loss_distribution

    return privacy_loss_distribution.from_gaussian_mechanism(
        noise_multiplier, sampling_prob=sample_rate, value_discretization_interval=interval
    )
