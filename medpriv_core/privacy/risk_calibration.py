"""The noise that an accepted risk needs: so many hits, or so much advantage, and no more.

Calibrating by ε asks people for a number that they do not know. How many of a hundred may be found is a question that
can be answered (Kulynych et al. 2024).

>>> chosen = noise_for_risk(accepted=0.05, at=0.01, sample_rate=128 / 5232, steps=2050, delta=1e-5)
>>> chosen.noise_multiplier, round(chosen.risk.at_one_percent, 3)
(1.777, 0.05)
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from medpriv_core.errors import SettingError
from medpriv_core.privacy.calibration import round_up
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.tradeoff import Risk, membership_curve, membership_risk
from medpriv_core.spec import BOUNDS, check_bound

# Of the answer: four digits are told.
_CLOSE = 1e-4
_ROUNDS = 40


@dataclass(frozen=True)
class NoiseForRisk:
    """The least noise for an accepted risk.

    noise_multiplier  in clipping norms
    epsilon           what it costs, at the δ that was asked for
    risk              what an attacker then finds
    """

    noise_multiplier: float
    epsilon: float
    risk: Risk


def noise_for_risk(
    *, accepted: float, at: float | None, sample_rate: float, steps: int, delta: float, sensitivity: float = 1.0
) -> NoiseForRisk:
    """The least noise at which no attacker finds more than is accepted.

    Args:
        accepted: Highest share of records that may be found at the false-alarm rate ``at``; or, without that, the
            highest advantage.
        at: A share of false alarms above 0 and below ``accepted``; None to limit the advantage.
        sample_rate: Probability with which each record enters a step; above 0, at most 1.
        steps: How many are counted; at least 1.
        delta: The chance with which the promise of ε may fail, from 1e-12 to 0.1.
        sensitivity: How many clipping norms one record can change the sum by; 1 where each is clipped by itself.

    Returns:
        A noise multiplier of four digits with its ε and risk, which is at most what was accepted.

    Raises:
        SettingError: What is accepted is not more than guessing or not below 1, or no noise within the bounds is
            enough.
    """
    check_bound("delta", delta)
    least = 0.0 if at is None else at
    if not least < accepted < 1:
        raise SettingError(
            f"The accepted share must be above {least:g}, which guessing reaches, and below 1, but is {accepted:g}."
        )
    return _search(accepted, at, sample_rate, steps, delta, sensitivity)


@functools.lru_cache(maxsize=64)
def _search(
    accepted: float, at: float | None, sample_rate: float, steps: int, delta: float, sensitivity: float
) -> NoiseForRisk:
    low, high = BOUNDS["noise_multiplier"]

    def counted(noise: float) -> tuple[Steps, ...]:
        return (Steps(noise, sample_rate, steps).relative_to(sensitivity),)

    def holds(noise: float) -> bool:
        curve = membership_curve(counted(noise), delta=delta)
        return (curve.advantage if at is None else float(curve.hits(at))) <= accepted

    if not holds(high):
        raise SettingError(
            f"No noise multiplier up to {high:g} keeps the risk that low with so many steps. Train fewer epochs, take "
            "a smaller batch, or accept more."
        )
    if holds(low):
        enough = low
    else:
        too_little, enough = low, high
        for _ in range(_ROUNDS):
            if enough <= too_little * (1 + _CLOSE):
                break
            middle = math.sqrt(too_little * enough)
            too_little, enough = (too_little, middle) if holds(middle) else (middle, enough)
        enough = round_up(enough)
    return NoiseForRisk(
        enough, composed_epsilon(counted(enough), delta=delta), membership_risk(counted(enough), delta=delta)
    )
