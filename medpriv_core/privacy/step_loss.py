"""The privacy loss of one noised step, on a grid.

A step releases noise of deviation σ, moved by as many clipping norms as the patient has images in the batch. The loss
at a place x is how much more likely x is with these images than without, as a logarithm. What ``dp_accounting`` rounds
to a grid, so that no ε comes out too low, is the hockey-stick divergence at every point ε of it,

    δ(ε) = P[loss ≥ ε] − e^ε · Q[loss ≥ ε]

P being the side that is likelier where the loss is positive. The loss falls with x, so all it takes is the place where
the loss is ε. The library looks for these one by one, in Python; here they are found all at once.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import scipy

if TYPE_CHECKING:
    from dp_accounting.pld.privacy_loss_mechanism import MonotonePrivacyLoss

Array = np.ndarray[Any, np.dtype[np.float64]]
Direction = Literal["REMOVE", "ADD", "REPLACE"]

# Newton's method doubles the digits in every round; where δ(ε) is read, an error of the place counts by its square.
MOST_ROUNDS, PLACE_ERROR = 100, 1e-10


class StepLosses(NamedTuple):
    """Probabilities of losses of ``first``, ``first`` + 1, … grid intervals, and of an infinite one."""

    first: int
    probabilities: Array
    infinite: float


@functools.lru_cache(maxsize=64)
def losses_of_step(
    noise_multiplier: float, sample_rate: float, interval: float, *, direction: Direction, images: int
) -> StepLosses:
    """Losses of a step on multiples of ``interval``, never rounded to the good.

    Each of a patient's ``images`` images is in the step with probability ``sample_rate``. The ``direction`` in which
    neighbours differ: all of these images removed, all of them added, or one image replaced (``images`` is 1).
    """
    loss = _loss(noise_multiplier, sample_rate, direction, images)
    ends = loss.connect_dots_bounds()  # beyond them lies a mass of e^-50
    first, last = math.floor(ends.epsilon_lower / interval), math.ceil(ends.epsilon_upper / interval)
    epsilons = np.arange(first, last + 1) * interval
    if direction == "REPLACE":
        deltas = loss.get_delta_for_epsilon(epsilons)
    else:
        # What is lost by adding images is what is gained by removing them, at x mirrored.
        sign = -1 if direction == "ADD" else 1
        places = sign * _places(sign * epsilons, noise_multiplier, sample_rate, images)
        with np.errstate(over="ignore"):
            deltas = np.clip(loss.mu_upper_cdf(places) - np.exp(epsilons + loss.mu_lower_log_cdf(places)), 0, 1)
    # Against the last digits: the curve falls.
    deltas = np.maximum.accumulate(deltas[::-1])[::-1]
    return StepLosses(first, _connect_dots(deltas, interval), float(deltas[-1]))


def drawn(images: int, sample_rate: float) -> Array:
    """Probabilities that 0 … ``images`` of a patient's images are drawn, adding up to 1."""
    count = np.arange(images + 1)
    probabilities = scipy.special.comb(images, count) * sample_rate**count * (1 - sample_rate) ** (images - count)
    return np.asarray(probabilities / probabilities.sum())


def log_expm1(x: float | Array) -> Array:
    """ln(eˣ − 1) for x > 0, without overflow."""
    return np.asarray(x + np.log(-np.expm1(-np.asarray(x))))


def _connect_dots(deltas: Array, interval: float) -> Array:
    """Probabilities of grid points with δ(ε) as in ``deltas`` there and straight in e^ε between: never below the truth.

    Doroshenko et al. 2022, algorithm 1; what is left to 1, the last of ``deltas``, is an infinite loss.
    """
    falls = -np.diff(deltas)
    # Of the divergence between two points, what the upper and what the lower of them must have.
    upper, lower = falls / -math.expm1(-interval), falls / math.expm1(interval)
    return np.maximum(0, np.append(1 - deltas[0], upper) - np.append(lower, 0))


def _loss(noise_multiplier: float, sample_rate: float, direction: Direction, images: int) -> MonotonePrivacyLoss:
    from dp_accounting.pld.privacy_loss_mechanism import AdjacencyType, GaussianPrivacyLoss, MixtureGaussianPrivacyLoss

    kind = AdjacencyType[direction]
    if images == 1:
        return GaussianPrivacyLoss(noise_multiplier, sampling_prob=sample_rate, adjacency_type=kind)
    # Ganesh 2024: of a patient's images a binomial number is in the batch.
    shifts, probabilities = list(range(images + 1)), list(drawn(images, sample_rate))
    return MixtureGaussianPrivacyLoss(noise_multiplier, shifts, probabilities, adjacency_type=kind)


def _places(epsilons: Array, noise_multiplier: float, sample_rate: float, images: int) -> Array:
    """Where the loss by removal is ε: ln Σ p_k exp(-(kx + k²/2) / σ²), for k images of probability p_k in the batch.

    Infinite for an ε that is below all losses.
    """
    variance = noise_multiplier**2
    with np.errstate(divide="ignore"):
        none, *log_drawn = np.log(drawn(images, sample_rate))
    places = np.full(len(epsilons), np.inf)
    above = epsilons > none
    wanted = epsilons[above]
    # What the images in the batch have to add to none of them, ln(e^ε - p_0). If k of them did it alone:
    missing = none + log_expm1(wanted - none) if np.isfinite(none) else wanted
    k = np.arange(1, images + 1)[:, None]
    log_p = np.array(log_drawn)[:, None]
    found = np.max(-variance * (missing - log_p) / k - k / 2, axis=0)
    if images > 1:
        # All together do it a little further on. The loss, without what none of them adds, is convex: Newton's method
        # comes near from one side and never leaves it.
        for _ in range(MOST_ROUNDS):
            parts = log_p - (k * found + k**2 / 2) / variance
            total = scipy.special.logsumexp(parts, axis=0)
            slope = (k * np.exp(parts - total)).sum(axis=0) / variance
            step = (total - missing) / slope
            found += step
            if np.all(np.abs(step) <= PLACE_ERROR * (noise_multiplier + np.abs(found))):
                break
    places[above] = found
    return places
