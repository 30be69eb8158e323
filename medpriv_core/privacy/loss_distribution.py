"""Epsilon by the privacy loss distribution (PLD), on a grid as fine as it must be and no finer.

The privacy loss of a step is how much more likely what was released is with a record than without it, as a logarithm.
Losses of steps add up, so their distribution is composed by convolution (Koskela et al. 2020), and epsilon follows
from the composed one. It lives on a grid. Rounding to the grid is pessimistic (connect the dots, Doroshenko et al.
2022): with grid interval h it acts like extra noise in the loss of variance h²/6 a step, which raises epsilon by about

    steps · h² / 12 · min(1/2 + ε / V, 1 + 2 ln(1/δ) / ε)

The first is the slope of a Gaussian loss of total variance V; where rare large losses rule, the second is smaller: the
Rényi order that matters at ε. So a quick look at a coarse grid tells how fine the one that counts must be, at any
scale: a step's loss is about 10 at σ = 0.3 and a millionth at σ = 10,000, where a fixed grid would be useless.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import scipy

from medpriv_core.privacy.step_loss import Array, Direction, StepLosses, drawn, log_expm1, losses_of_step
from medpriv_core.privacy.steps import Steps, count_steps

# Noise multipliers count in the most that one record can change.
Stretches = tuple[Steps, ...]

# Of a step's typical loss; epsilon would come out about 0.75 % too high.
COARSE_INTERVAL = 0.3
# Highest and aimed-for share of epsilon that the grid may add.
GRID_ERROR, GRID_ERROR_AIM = 0.0008, 0.0006
# Of a step's mean absolute loss: what a curve needs that is also told where losses are of the usual size.
USUAL_INTERVAL = 0.4
# Points of one step's distribution; beyond, time and memory matter more than the last percent.
MAX_POINTS = 50_000
# Of what all steps together give away on average, at least, and as the Rényi divergence of order 2: beyond, nothing is
# promised and nothing computed. The second is ruled by rare losses and can be a thousand times epsilon.
HOPELESS, HOPELESS_DIVERGENCE = 50_000.0, 2e9
# Of the sum of all losses, what is cut off and counted as infinite.
TAIL = 1e-15
# At how many orders Chernoff's bound of these tails is tried.
ORDERS = 16


class TotalLosses(NamedTuple):
    """Probabilities of a total loss of ``first``, ``first`` + 1, … times ``interval``, and of an infinite one.

    ``infinite`` also holds what was cut off, and what the rounding of all steps may have lost.
    """

    first: int
    interval: float
    probabilities: Array
    infinite: float


def total_losses(
    stretches: Stretches, *, delta: float, replace_one: bool, images: int
) -> tuple[TotalLosses, ...] | None:
    """The distribution of the total loss, for each direction in which neighbours differ; never to the good.

    It is the one that ``pld_epsilon`` reads epsilon from, or a finer one where most losses are far smaller than the
    few that epsilon depends on. None where epsilon is hopeless. ``delta`` must be ``resolvable``.
    """
    if _is_hopeless(stretches, replace_one, images):
        return None
    _, interval = _epsilon_and_interval(stretches, delta, replace_one, images)
    usual = math.sqrt(sum(n * (rate * scipy.special.erf(images / noise / 8**0.5)) ** 2 for noise, rate, n in stretches))
    fine_enough = USUAL_INTERVAL * 2 * usual / math.sqrt(count_steps(stretches))
    if interval > fine_enough:
        interval = max(fine_enough, _finest_interval(stretches, replace_one, images))
    return tuple(_total(stretches, interval, direction, images) for direction in _directions(replace_one))


def pld_epsilon(stretches: Stretches, *, delta: float, replace_one: bool, images: int) -> float:
    """Epsilon of stretches of steps, never below the truth; infinite where hopeless.

    About 0.1 % above it; more where ``MAX_POINTS`` are too few, with sample rates around one in a million.

    ``replace_one``: neighbours differ by one record replaced; else by ``images`` records of one patient added or
    removed. ``delta`` must be ``resolvable``.
    """
    if _is_hopeless(stretches, replace_one, images):
        return math.inf
    return _epsilon_and_interval(stretches, delta, replace_one, images)[0]


@functools.lru_cache(maxsize=4096)
def _epsilon_and_interval(stretches: Stretches, delta: float, replace_one: bool, images: int) -> tuple[float, float]:
    """Epsilon, and the interval of the grid that it was read from."""

    def careful(interval: float) -> float:
        return max(_composed(stretches, delta, interval, direction, images) for direction in _directions(replace_one))

    guess = quick_epsilon(stretches, delta=delta, replace_one=replace_one, images=images)
    interval = _fine_interval(guess, stretches, delta, replace_one, images)
    epsilon = careful(interval)
    if _added_by_grid(epsilon, interval, stretches, delta, replace_one, images) > GRID_ERROR * epsilon:
        interval = _fine_interval(epsilon, stretches, delta, replace_one, images)
        epsilon = careful(interval)
    return epsilon, interval


def _directions(replace_one: bool) -> tuple[Direction, ...]:
    return ("REPLACE",) if replace_one else ("REMOVE", "ADD")


def quick_epsilon(stretches: Stretches, *, delta: float, replace_one: bool, images: int = 1) -> float:
    """About what ``pld_epsilon`` would say, but possibly below the truth: only for finding where to look.

    By a coarse grid and the formula above, for neighbours by removal; replacement costs up to about twice as much.
    """
    if _is_hopeless(stretches, replace_one, images):
        return math.inf
    interval = _coarse_interval(stretches, False, images)
    epsilon = _composed(stretches, delta, interval, "REMOVE", images)
    epsilon = max(0.0, epsilon - _added_by_grid(epsilon, interval, stretches, delta, False, images))
    return 2 * epsilon if replace_one else epsilon


@functools.lru_cache(maxsize=4096)
def _composed(stretches: Stretches, delta: float, interval: float, direction: Direction, images: int) -> float:
    """Epsilon of all steps, on the grid of this interval and for neighbours in one direction."""
    total = _total(stretches, interval, direction, images)
    left = delta - total.infinite
    return math.inf if left <= 0 else _epsilon_on_grid(total.probabilities, total.first, interval, left)


# Some 10,000 numbers each; epsilon and the trade-off curve of one setting read the same ones.
@functools.lru_cache(maxsize=16)
def _total(stretches: Stretches, interval: float, direction: Direction, images: int) -> TotalLosses:
    """The losses of all steps added up."""
    parts = [
        (losses_of_step(noise, rate, interval, direction=direction, images=images), steps)
        for noise, rate, steps in stretches
    ]
    infinite = TAIL - math.expm1(sum(steps * math.log1p(-losses.infinite) for losses, steps in parts))
    low, high = _window(parts)
    size = scipy.fft.next_fast_len(max(high - low + 1, *(len(losses.probabilities) for losses, _ in parts)), real=True)
    spectrum = np.ones(1)
    for losses, steps in parts:
        spectrum = spectrum * scipy.fft.rfft(losses.probabilities, size) ** steps
    # The sum goes round in a circle, which is cut open where next to nothing is. What wraps around is within TAIL.
    first = sum(steps * losses.first for losses, steps in parts)
    probabilities = np.roll(scipy.fft.irfft(spectrum, size), first - low)
    return TotalLosses(low, interval, probabilities, infinite + _rounding(count_steps(stretches)))


def _window(parts: list[tuple[StepLosses, int]]) -> tuple[int, int]:
    """First and last point of a grid that holds all but ``TAIL`` of the sum of all losses."""
    # Sums of products rather than matrix products, whose threads take longer to gather than to work.
    mean = variance = 0.0
    centred = []
    for losses, steps in parts:
        places = np.arange(len(losses.probabilities), dtype=float)
        one = float(np.sum(losses.probabilities * places))
        places -= one
        mean += steps * (losses.first + one)
        variance += steps * float(np.sum(losses.probabilities * places**2))
        centred.append((losses.probabilities, places, steps))
    first = sum(steps * losses.first for losses, steps in parts)
    last = first + sum(steps * (len(losses.probabilities) - 1) for losses, steps in parts)
    low, high = (_reach(centred, sign=sign, variance=variance) for sign in (-1, 1))
    return max(first, math.floor(mean - low)), min(last, math.ceil(mean + high))


def _reach(centred: list[tuple[Array, Array, int]], *, sign: int, variance: float) -> float:
    """How far from its mean the sum of all losses comes but for half of ``TAIL``, by Chernoff's bound."""
    margin = math.log(2 / TAIL)
    # The best order of a Gaussian; where rare large losses rule, the best one knows how large they are.
    gaussian = math.sqrt(2 * margin / max(variance, 1e-300))
    rare = 1 / max(len(places) for _, places, _ in centred)
    reach = math.inf
    for order in np.geomspace(min(gaussian / 4, rare), 2 * gaussian, ORDERS):
        moment = sum(steps * _log_moment(probabilities, sign * order * at) for probabilities, at, steps in centred)
        bound = (moment + margin) / order
        if bound > reach:  # it has one minimum
            break
        reach = bound
    return float(reach)


def _log_moment(probabilities: Array, exponents: Array) -> float:
    """ln Σ p e^x, or more where that is too small for a number beside the largest exponent."""
    largest = float(exponents.max())
    return largest + math.log(max(float(np.sum(probabilities * np.exp(exponents - largest))), 1e-300))


def _epsilon_on_grid(probabilities: Array, start: int, interval: float, delta: float) -> float:
    """Where the divergence of losses of these probabilities, at ``start``, ``start`` + 1, … intervals, is ``delta``."""
    mass = probabilities[max(0, -start) :][::-1]
    if not len(mass):
        return 0.0
    lowest = max(0, start) * interval
    losses = interval * np.arange(len(mass))[::-1]  # above the lowest
    # What is too small for a number is too far out to matter.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        upper, lower = np.cumsum(mass), np.cumsum(mass * np.exp(-losses))
        exceeds = np.flatnonzero(upper - np.exp(losses) * lower > delta)
        if not len(exceeds):
            return 0.0
        last = max(exceeds[0] - 1, 0)
        between = np.log((upper[last] - delta) / lower[last])
    return lowest + float(between if np.isfinite(between) else losses[last])


def _fine_interval(epsilon: float, stretches: Stretches, delta: float, replace_one: bool, images: int) -> float:
    """The interval that adds as much as is aimed for, within what is coarse and what is too fine."""
    coarse = _coarse_interval(stretches, replace_one, images)
    added = _added_by_grid(epsilon, coarse, stretches, delta, replace_one, images)
    if added <= GRID_ERROR_AIM * epsilon:
        return coarse
    fine = coarse * math.sqrt(GRID_ERROR_AIM * epsilon / added)
    return max(fine, _finest_interval(stretches, replace_one, images))


def _added_by_grid(
    epsilon: float, interval: float, stretches: Stretches, delta: float, replace_one: bool, images: int
) -> float:
    """What the grid adds to ``epsilon``, by the formula above."""
    if not 0 < epsilon < math.inf:
        return 0.0
    variance = _total_divergence(stretches, replace_one, images)
    slope = min(0.5 + epsilon / variance, 1 + 2 * math.log(1 / delta) / epsilon)
    return count_steps(stretches) * interval**2 / 12 * slope


def resolvable(delta: float, *, steps: int) -> bool:
    """Whether the rounding of floating-point numbers, which grows with every composed step, is far below ``delta``."""
    return _rounding(steps) < delta / 20


def smallest_resolvable(*, steps: int) -> float:
    """A delta that is ``resolvable``, and hardly larger than need be."""
    return 21 * _rounding(steps)


def _rounding(steps: int) -> float:
    # The transform of one step, of magnitude up to 1, is raised to the power of ``steps``. Measured against the
    # closed form at sample rate 1: the error of delta is about 1e-16 a step.
    return 10 * float(np.finfo(float).eps) * steps


def _coarse_interval(stretches: Stretches, replace_one: bool, images: int) -> float:
    # Distributions can only be composed on one common grid.
    typical_loss = math.sqrt(_total_divergence(stretches, replace_one, images) / count_steps(stretches))
    return max(COARSE_INTERVAL * typical_loss, _finest_interval(stretches, replace_one, images))


def _is_hopeless(stretches: Stretches, replace_one: bool, images: int) -> bool:
    """Whether epsilon is far beyond everything that anybody would promise.

    The mean of what a step releases moves by rate times distance, and the loss is on average at least that of this move
    alone: half its square over the variance.
    """
    distance = 2 if replace_one else images
    least = sum(steps * (distance * rate / noise) ** 2 / 2 for noise, rate, steps in stretches)
    return least > HOPELESS or _total_divergence(stretches, replace_one, images) > HOPELESS_DIVERGENCE


def _total_divergence(stretches: Stretches, replace_one: bool, images: int) -> float:
    """Rényi divergence of order 2 of all steps: for small losses, the sum of their variances."""
    # Replacing doubles the distance between neighbours, and so about quadruples the divergence.
    factor = 4 if replace_one else 1
    return sum(factor * steps * _divergence(noise, rate, images) for noise, rate, steps in stretches)


@functools.lru_cache(maxsize=1024)
def _divergence(noise_multiplier: float, sample_rate: float, images: int) -> float:
    if images == 1:
        return float(np.logaddexp(0, 2 * math.log(sample_rate) + log_expm1(noise_multiplier**-2)))
    count = np.arange(images + 1)
    with np.errstate(divide="ignore"):
        log_probabilities = np.log(drawn(images, sample_rate))
    # log1p of a sum of expm1, so that tiny divergences do not drown in the 1.
    exponents = np.outer(count, count)[1:, 1:] / noise_multiplier**2
    weights = np.add.outer(log_probabilities, log_probabilities)[1:, 1:]
    return float(np.logaddexp(0, scipy.special.logsumexp(weights + log_expm1(exponents))))


def _finest_interval(stretches: Stretches, replace_one: bool, images: int) -> float:
    """What keeps one step's distribution within ``MAX_POINTS``, tails of ten standard deviations included."""
    reach = 2 * images if replace_one else images
    widest = max(
        np.logaddexp(0, math.log(min(1.0, rate * images)) + log_expm1((reach**2 / 2 + 10 * reach * noise) / noise**2))
        for noise, rate, _ in stretches
    )
    return float(widest) / MAX_POINTS
