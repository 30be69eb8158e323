"""The noise multiplier that a wanted epsilon needs.

Epsilon has no formula to invert, so it is searched, along a line through the last two points tried: on logarithmic
axes epsilon is nearly straight. If the total privacy loss were Gaussian (the central limit) there would be a formula,
and it says where to start and how steep the line is. Quick, coarse values lead near the target; only then is the
careful one asked, and no noise is returned whose careful epsilon exceeds the target.

>>> solve_noise_multiplier(target_epsilon=1.0, delta=1e-5, sample_rate=128 / 5216, steps=2050)
4.247
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from medpriv_core.errors import SettingError
from medpriv_core.privacy.dp_sgd import Adjacency, composed_epsilon
from medpriv_core.privacy.loss_distribution import quick_epsilon, resolvable
from medpriv_core.privacy.steps import Steps
from medpriv_core.spec import BOUNDS, check_bound

# Epsilon of the answer as shares of the target: accepted from, aimed at.
ACCEPTED_FROM, AIM = 0.997, 0.9985
ROUNDS = 40


def solve_noise_multiplier(
    *,
    target_epsilon: float,
    delta: float,
    sample_rate: float,
    steps: int,
    sensitivity: float = 1.0,
    adjacency: Adjacency = "add-remove",
) -> float:
    """As little noise as gives steps of training at most a given ε.

    Args:
        target_epsilon: What all steps together may cost, from 0.01 to 100.
        delta: The chance with which the promise of ε may fail, from 1e-12 to 0.1.
        sample_rate: Probability with which each record enters a step; above 0, at most 1.
        steps: How many are counted; at least 1.
        sensitivity: How many clipping norms one record can change the sum by; infinite where nothing bounds it.
        adjacency: How neighbouring training sets differ.

    Returns:
        A noise multiplier of four digits, in clipping norms, from 0.3 to 10,000. Its ε is at most the target, and
        hardly less unless it is the smallest one allowed.

    Raises:
        SettingError: No noise multiplier within the bounds gives that ε, or a number is outside its bounds.
    """
    check_bound("target_epsilon", target_epsilon)
    check_bound("delta", delta)
    if math.isinf(sensitivity):
        raise SettingError(
            "No noise gives a guarantee while BatchNorm mixes the images of a batch, so [target_epsilon] cannot be "
            "reached; give [noise_multiplier], or set [norm] to [norm=frozen_batch_norm] or [norm=group_norm]."
        )
    return _solve(target_epsilon, delta, sample_rate, steps, sensitivity, adjacency)


@functools.lru_cache(maxsize=256)
def _solve(
    target: float, delta: float, sample_rate: float, steps: int, sensitivity: float, adjacency: Adjacency
) -> float:
    distance = sensitivity * (2 if adjacency == "replace-one" else 1)

    def counted(noise: float) -> tuple[Steps, ...]:
        return (Steps(noise, sample_rate, steps).relative_to(sensitivity),)

    def careful(noise: float) -> float:
        return composed_epsilon(counted(noise), delta=delta, adjacency=adjacency)

    def quick(noise: float) -> float:
        return quick_epsilon(counted(noise), delta=delta, replace_one=adjacency == "replace-one")

    start = distance * _central_limit_noise(AIM * target, delta, sample_rate, steps)
    steeper = distance * _central_limit_noise(1.05 * AIM * target, delta, sample_rate, steps)
    slope = math.log(1.05) / math.log(steeper / start)
    if sample_rate < 1 and resolvable(delta, steps=steps):
        start, _ = _search(quick, target, start, slope)
    _, enough = _search(careful, target, start, slope)
    if enough is None:
        raise SettingError(
            f"No noise multiplier up to {BOUNDS['noise_multiplier'][1]:g} reaches epsilon {target:g} at delta "
            f"{delta:g}. Train fewer epochs, take a smaller batch, or allow a larger epsilon."
        )
    return enough


def _search(epsilon: Callable[[float], float], target: float, start: float, slope: float) -> tuple[float, float | None]:
    """The last noise multiplier tried, and the smallest seen whose ``epsilon`` is at most the target.

    ``slope`` is that of ln(epsilon) over ln(noise multiplier), as far as known.
    """
    low, high = BOUNDS["noise_multiplier"]
    too_little, enough = low, high
    noise = min(max(round_up(start), low), high)
    found: float | None = None
    before: tuple[float, float] | None = None
    for _ in range(ROUNDS):
        spent = epsilon(noise)
        if spent <= target:
            found = enough = min(noise, enough)
        else:
            too_little = max(noise, too_little)
        settled = target * ACCEPTED_FROM <= spent <= target
        at_an_end = (noise == low and spent <= target) or (noise == high and spent > target)
        if settled or at_an_end or enough <= round_up(too_little * (1 + 1e-9)):
            break
        if before is not None and 0 < spent < math.inf and spent != before[1]:
            slope = min(math.log(spent / before[1]) / math.log(noise / before[0]), -0.5)
        if 0 < spent < math.inf:
            before = (noise, spent)
            following = noise * (AIM * target / spent) ** (1 / slope)
        else:
            following = 0.0
        following = min(max(round_up(following), low), high) if following > 0 else following
        if not (too_little < following < enough or (following in (low, high) and following != noise)):
            following = round_up(math.sqrt(too_little * enough))
        noise = following
    return noise, found


def _central_limit_noise(epsilon: float, delta: float, sample_rate: float, steps: int) -> float:
    """Noise multiplier that would have ``epsilon`` if the total loss were Gaussian; exact at sample rate 1."""
    # Imported here: it takes a second to load, and most callers never need it.
    from dp_accounting import get_sigma_gaussian

    divergence = float(get_sigma_gaussian(epsilon, delta)) ** -2 / steps
    if sample_rate == 1:
        return divergence**-0.5
    return math.log1p(math.expm1(min(divergence, 700.0)) / sample_rate**2) ** -0.5


def round_up(value: float) -> float:
    """To four digits; the next such number up where ``value``, above 0, has more."""
    digits = 3 - math.floor(math.log10(value))
    return math.ceil(round(value * 10**digits, 6)) / 10**digits
