"""Epsilon by the privacy loss distribution (PLD), on a grid as fine as it must be and no finer.

The privacy loss of a step is how much more likely what was released is with a record than without it, as a logarithm.
Losses of steps add up, so their distribution is composed by convolution (Koskela et al. 2020), and epsilon follows
from the composed one. It lives on a grid. Rounding to the grid is pessimistic (connect the dots, Doroshenko et al.
2022): with grid interval h it acts like extra noise in the loss of variance h²/6 a step, which raises epsilon by about

    steps · h² / 12 · min(1/2 + ε / V, 1 + 2 ln(1/δ) / ε)

The first is the slope of a Gaussian loss of total variance V; where rare large losses rule, the second is smaller: the
Rényi order that matters at ε. So a first pass on a coarse grid tells how fine the second must be, at any scale: a
step's loss is about 10 at σ = 0.3 and a millionth at σ = 10,000, where a fixed grid would be useless.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

if TYPE_CHECKING:
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

# Of a step's typical loss; epsilon comes out about 0.75 % too high.
COARSE_INTERVAL = 0.3
# Highest and aimed-for share of epsilon that the grid may add.
GRID_ERROR, GRID_ERROR_AIM = 0.0008, 0.0006
# Points of one step's distribution; beyond, time and memory matter more than the last percent.
MAX_POINTS = 50_000
# Where the bound by the Rényi divergence of order 2 exceeds this, nothing is promised and nothing computed.
HOPELESS = 100_000.0

# (noise multiplier, sample rate, steps); noise multipliers count in the most that one record can change.
Stretches = tuple[tuple[float, float, int], ...]


def pld_epsilon(stretches: Stretches, *, delta: float, replace_one: bool, images: int) -> float:
    """Epsilon of stretches of steps, never below the truth; infinite where hopeless.

    About 0.1 % above it; more where ``MAX_POINTS`` are too few, with sample rates around one in a million.

    ``replace_one``: neighbours differ by one record replaced; else by ``images`` records of one patient added or
    removed. ``delta`` must be ``resolvable``.
    """
    interval = _coarse_interval(stretches, replace_one, images)
    coarse = _coarse_epsilon(stretches, delta, replace_one, images)
    added = _added_by_grid(coarse, interval, stretches, delta, replace_one, images)
    if added <= GRID_ERROR * coarse:
        return coarse
    interval *= math.sqrt(GRID_ERROR_AIM * coarse / added)
    interval = max(interval, _finest_interval(stretches, replace_one, images))
    return _composed(stretches, delta, interval, replace_one, images)


def quick_epsilon(stretches: Stretches, *, delta: float, replace_one: bool) -> float:
    """About what ``pld_epsilon`` would say of single records, but possibly below the truth.

    Only for finding where to look.
    """
    coarse = _coarse_epsilon(stretches, delta, replace_one, 1)
    interval = _coarse_interval(stretches, replace_one, 1)
    added = _added_by_grid(coarse, interval, stretches, delta, replace_one, 1)
    return coarse - max(0.0, added - GRID_ERROR_AIM * coarse)


def _coarse_epsilon(stretches: Stretches, delta: float, replace_one: bool, images: int) -> float:
    if _total_divergence(stretches, replace_one, images) > HOPELESS:
        return math.inf
    interval = _coarse_interval(stretches, replace_one, images)
    return _composed(stretches, delta, interval, replace_one, images)


def _added_by_grid(
    epsilon: float, interval: float, stretches: Stretches, delta: float, replace_one: bool, images: int
) -> float:
    """What the grid adds to ``epsilon``, by the formula above."""
    if not 0 < epsilon < math.inf:
        return 0.0
    variance = _total_divergence(stretches, replace_one, images)
    slope = min(0.5 + epsilon / variance, 1 + 2 * math.log(1 / delta) / epsilon)
    return _steps(stretches) * interval**2 / 12 * slope


def _steps(stretches: Stretches) -> int:
    return sum(steps for _, _, steps in stretches)


def resolvable(delta: float, *, steps: int) -> bool:
    """Whether the rounding of floating-point numbers, which grows with every composed step, is far below ``delta``."""
    return _rounding(steps) < delta / 20


def _rounding(steps: int) -> float:
    # The transform of one step, of magnitude up to 1, is raised to the power of ``steps``. Measured against the
    # closed form at sample rate 1: the error of delta is about 1e-16 a step.
    return 10 * float(np.finfo(float).eps) * steps


@functools.lru_cache(maxsize=1024)
def _composed(stretches: Stretches, delta: float, interval: float, replace_one: bool, images: int) -> float:
    total: PrivacyLossDistribution | None = None
    # Hopeless tails overflow to infinity on purpose.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for noise_multiplier, sample_rate, steps in stretches:
            stretch = _one_step(noise_multiplier, sample_rate, interval, replace_one, images).self_compose(steps)
            total = stretch if total is None else total.compose(stretch)
        assert total is not None
        return float(total.get_epsilon_for_delta(delta - _rounding(_steps(stretches))))


@functools.lru_cache(maxsize=64)
def _one_step(
    noise_multiplier: float, sample_rate: float, interval: float, replace_one: bool, images: int
) -> PrivacyLossDistribution:
    # Imported here: it takes a second to load, and most callers never need it.
    from dp_accounting import NeighboringRelation
    from dp_accounting.pld import privacy_loss_distribution

    if images > 1:
        # Ganesh 2024: of a patient's images a binomial number is in the batch.
        return privacy_loss_distribution.from_mixture_gaussian_mechanism(
            noise_multiplier,
            sensitivities=list(range(images + 1)),
            sampling_probs=list(_drawn(images, sample_rate)),
            value_discretization_interval=interval,
        )
    relation = NeighboringRelation.REPLACE_ONE if replace_one else NeighboringRelation.ADD_OR_REMOVE_ONE
    return privacy_loss_distribution.from_gaussian_mechanism(
        noise_multiplier,
        sampling_prob=sample_rate,
        value_discretization_interval=interval,
        neighboring_relation=relation,
    )


def _drawn(images: int, sample_rate: float) -> np.ndarray:
    """Probabilities that 0 … ``images`` of a patient's images are drawn, adding up to 1."""
    probabilities = stats.binom.pmf(np.arange(images + 1), images, sample_rate)
    return np.asarray(probabilities / probabilities.sum())


def _coarse_interval(stretches: Stretches, replace_one: bool, images: int) -> float:
    # Distributions can only be composed on one common grid.
    typical_loss = math.sqrt(_total_divergence(stretches, replace_one, images) / _steps(stretches))
    return max(COARSE_INTERVAL * typical_loss, _finest_interval(stretches, replace_one, images))


def _total_divergence(stretches: Stretches, replace_one: bool, images: int) -> float:
    """Rényi divergence of order 2 of all steps: for small losses, the sum of their variances."""
    # Replacing doubles the distance between neighbours, and so about quadruples the divergence.
    factor = 4 if replace_one else 1
    return sum(factor * steps * _divergence(noise, rate, images) for noise, rate, steps in stretches)


@functools.lru_cache(maxsize=1024)
def _divergence(noise_multiplier: float, sample_rate: float, images: int) -> float:
    if images == 1:
        return float(np.logaddexp(0, 2 * math.log(sample_rate) + _log_expm1(noise_multiplier**-2)))
    drawn = np.arange(images + 1)
    with np.errstate(divide="ignore"):
        log_probabilities = np.log(_drawn(images, sample_rate))
    # log1p of a sum of expm1, so that tiny divergences do not drown in the 1.
    exponents = np.outer(drawn, drawn)[1:, 1:] / noise_multiplier**2
    weights = np.add.outer(log_probabilities, log_probabilities)[1:, 1:]
    return float(np.logaddexp(0, special.logsumexp(weights + _log_expm1(exponents))))


def _log_expm1(x: float | np.ndarray) -> np.ndarray:
    """ln(eˣ − 1) for x > 0, without overflow."""
    return np.asarray(x + np.log(-np.expm1(-np.asarray(x))))


def _finest_interval(stretches: Stretches, replace_one: bool, images: int) -> float:
    """What keeps one step's distribution within ``MAX_POINTS``, tails of ten standard deviations included."""
    reach = 2 * images if replace_one else images
    widest = max(
        np.logaddexp(0, math.log(min(1.0, rate * images)) + _log_expm1((reach**2 / 2 + 10 * reach * noise) / noise**2))
        for noise, rate, _ in stretches
    )
    return float(widest) / MAX_POINTS
