"""ε in people: of a hundred whose image was used, how many an attacker finds at most, at one ε and at others.

At its own ε a training has the exact curve of its steps (``tradeoff``). What the same training would give away at
another ε is asked of the same steps with more or less noise, all by one factor, which is searched. So the figures of
neighbouring ε belong to one family and grow with ε; with the bound by (ε, δ) alone they would jump, up to five times.
Where the steps are not known, that bound is all there is, at every ε.

The noise that is found spends at least the ε it is asked for, and at most ``TOLD_ABOVE`` more: no figure is below what
holds.

>>> alike = exposures((Steps(2.0, 128 / 5232, 2044),), delta=1e-5, epsilons=(1.0, 3.0))
>>> [round(one.found["0.01"], 3) for one in alike]
[0.02, 0.053]
>>> [round(one.found["0.01"], 3) for one in exposures(None, delta=1e-5, epsilons=(1.0, 3.0))]
[0.027, 0.201]
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.steps import Steps, merge_steps
from medpriv_core.privacy.tradeoff import Risk, membership_risk, risk_of_point

# What a slider offers, and the values of it that are named: those that people argue about.
EPSILONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
NAMED = (0.5, 1.0, 3.0, 8.0)
# Shares of false alarms at which people are counted.
ALARMS = ("0.01", "0.05")
# By this share of ε at most, what is told of an ε is that of a larger one.
TOLD_ABOVE = 0.004
ROUNDS = 60


@dataclass(frozen=True)
class Exposure:
    """What an attacker finds at most at one ε.

    found  highest share of those who were in the training set, by share of false alarms among those who were not
    """

    epsilon: float
    found: Mapping[str, float]


def exposure_of(risk: Risk, *, epsilon: float) -> Exposure:
    """The figures of a risk that is known, at the ε it belongs to.

    Args:
        risk: What an attacker can reach at most.
        epsilon: What holds with it; infinite where nothing does.

    Returns:
        The same figures, for the shares of false alarms at which people are counted.
    """
    return Exposure(epsilon, {rate: risk.tpr_at_fpr[rate] for rate in ALARMS})


def exposures(
    stretches: Iterable[Steps] | None, *, delta: float, epsilons: tuple[float, ...] = EPSILONS
) -> tuple[Exposure, ...]:
    """What an attacker finds at most at each of several ε.

    Args:
        stretches: The steps of a training, as ``composed_epsilon`` takes them; its noise is changed for each ε. None:
            nothing is known but ε and δ.
        delta: The chance with which the promise of ε may fail; above 0 and below 1.
        epsilons: Which ε, in ascending order, each above 0 and finite.

    Returns:
        One for each ε, with figures that hold there and for less.
    """
    if stretches is None:
        return tuple(exposure_of(risk_of_point(epsilon=each, delta=delta), epsilon=each) for each in epsilons)
    return _of_steps(merge_steps(stretches), delta, epsilons)


@functools.lru_cache(maxsize=64)
def _of_steps(stretches: tuple[Steps, ...], delta: float, epsilons: tuple[float, ...]) -> tuple[Exposure, ...]:
    told = []
    factor = 1.0
    for epsilon in reversed(epsilons):
        factor = _factor(stretches, delta, epsilon, factor)
        risk = membership_risk(_with_noise(stretches, factor), delta=delta)
        told.append(exposure_of(risk, epsilon=epsilon))
    return tuple(reversed(told))


def _with_noise(stretches: tuple[Steps, ...], factor: float) -> tuple[Steps, ...]:
    return tuple(taken._replace(noise_multiplier=factor * taken.noise_multiplier) for taken in stretches)


def _factor(stretches: tuple[Steps, ...], delta: float, wanted: float, start: float) -> float:
    """By what the noise of all steps must be multiplied to spend ``wanted``, or at most ``TOLD_ABOVE`` more.

    On logarithmic axes ε is nearly straight in the noise. What lies between two factors tried is searched, along the
    line through them or by halves.
    """
    aim = wanted * (1 + TOLD_ABOVE / 2)
    factor, slope = start, -1.2
    less_noise, more_noise = 0.0, math.inf  # which spend at least what is wanted, and less
    before: tuple[float, float] | None = None
    for _ in range(ROUNDS):
        spent = composed_epsilon(_with_noise(stretches, factor), delta=delta)
        if wanted <= spent <= wanted * (1 + TOLD_ABOVE):
            return factor
        less_noise, more_noise = (factor, more_noise) if spent > wanted else (less_noise, factor)
        following = math.nan
        if 0 < spent < math.inf:
            if before is not None and before[0] != factor and before[1] != spent:
                slope = min(math.log(spent / before[1]) / math.log(factor / before[0]), -0.3)
            before = factor, spent
            following = factor * (aim / spent) ** (1 / slope)
        if not less_noise < following < more_noise:
            following = (
                2 * less_noise
                if math.isinf(more_noise)
                else more_noise / 2
                if less_noise == 0
                else math.sqrt(less_noise * more_noise)
            )
        factor = following
    return less_noise  # enough for every ε up to what is wanted
