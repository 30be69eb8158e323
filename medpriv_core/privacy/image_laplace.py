"""Epsilon of very many Laplace draws together, in milliseconds and never below the truth.

A whole picture is d values, each with Laplace noise of its own. Against another picture each value has a privacy loss
of at most ``theta = sensitivity / scale``, black against white, and the losses of all values add up to S. Wanted is

    delta(epsilon) = E max(0, 1 - e^(epsilon - S))

The moments of one loss L are known in closed form (Mironov 2017): E e^(zL) = e^(z theta) G(z) with

    G(z) = ((z + 1) + z e^(-(2z + 1) theta)) / (2z + 1)

and delta is an integral of their d-th power along any line of complex numbers z = c + it with c > 0 (the saddle-point
accountant, Alghamdi et al. 2023). With x = d theta - epsilon,

    delta(epsilon) = 1/(2 pi) ∫ G(z)^d e^(z x) / (z (z + 1)) dt

At the saddle point c the integrand is a narrow hill, so a few hundred terms of the trapezoid rule are enough. Its error
is known exactly (Poisson summation, Abate and Whitt 1992): the sum is delta(epsilon) plus the deltas at other epsilons
with positive weights. So it can only be too high. What is cut off beyond the last term is bounded and added.

>>> round(laplace_epsilon(theta=1.0, values=28 * 28, delta=1e-5))
382
"""

from __future__ import annotations

import functools
import math

import numpy as np
import scipy

# Of epsilon: how far the sum may be above the truth, and where the search for epsilon stops.
SUM_ERROR, SEARCH_ERROR = 2e-4, 1e-4
MAX_TERMS = 300_000


@functools.lru_cache(maxsize=4096)
def laplace_epsilon(*, theta: float, values: int, delta: float) -> float:
    """Epsilon at ``delta`` of ``values`` Laplace draws, each with a loss of up to ``theta``.

    An upper bound, some 0.03 % above the truth. theta > 0 is the sensitivity of a value over the scale of its noise;
    delta in (0, 1).
    """
    # No loss exceeds its maximum, so delta is at most 1 - e^-x.
    high = min(values * theta + math.log1p(-delta), _moments_bound(theta, values, delta))
    if high <= 0:
        return 0.0
    low, epsilon = 0.0, high
    # Newton's method on ln(delta), whose slope is about -c, between a bracket. What is returned was tested.
    while high - low > SEARCH_ERROR * high:
        slope = _saddle_point(theta, values, values * theta - epsilon)
        gap = math.log(delta) - math.log(laplace_delta(epsilon, theta=theta, values=values, aim=delta))
        margin = SEARCH_ERROR * slope * epsilon
        if 0 <= gap <= margin:
            return epsilon
        low, high = (low, epsilon) if gap > 0 else (epsilon, high)
        epsilon -= (gap - margin / 2) / slope
        if epsilon <= 0 and laplace_delta(0.0, theta=theta, values=values, aim=delta) <= delta:
            return 0.0
        if not low < epsilon < high:
            epsilon = (low + high) / 2
    return high


def laplace_delta(epsilon: float, *, theta: float, values: int, aim: float) -> float:
    """Delta at ``epsilon`` (from 0 to ``values`` * ``theta``); an upper bound, tight where delta is near ``aim``."""
    x = values * theta - epsilon
    c = _saddle_point(theta, values, x)
    # As a share of delta; where epsilon is far below 1/c, it is nearly 0 anyway.
    precision = min(0.1, max(2e-4, SUM_ERROR * c * epsilon))
    # The sum has period 2 pi / step in epsilon; one period below, delta is at most 1 and its weight e^(-c period).
    step = 2 * math.pi * c / math.log(1 / (aim * precision))
    terms = 8
    while (cut := _beyond(c, step * terms, theta, values, x)) > aim * precision / 4 and terms < MAX_TERMS:
        terms = math.ceil(terms * 1.3)
    z = c + 1j * step * np.arange(terms + 1)
    hill = np.exp(values * _log_moment(z, theta) + z * x) / (z * (z + 1))
    hill[0] /= 2
    rounding = 8 * np.finfo(float).eps * (values + c * x) * float(np.abs(hill).sum())
    # Far above what is searched for, all of it underflows.
    return max(step / math.pi * (float(hill.real.sum()) + rounding) + cut, 1e-300)


def _log_moment(z: np.ndarray, theta: float) -> np.ndarray:
    """ln G(z)."""
    return np.asarray(np.log((z + 1 + z * np.exp(-(2 * z + 1) * theta)) / (2 * z + 1)))


def _saddle_point(theta: float, values: int, x: float) -> float:
    """Where the integrand is smallest on the real line; any c > 0 is right, this one is quick."""

    def height(log_c: float) -> float:
        c = math.exp(log_c)
        moment = (c + 1 + c * math.exp(-(2 * c + 1) * theta)) / (2 * c + 1)
        return values * math.log(moment) + c * x - log_c - math.log1p(c)

    return math.exp(scipy.optimize.minimize_scalar(height, bounds=(-30.0, 45.0), method="bounded").x)


def _beyond(c: float, height: float, theta: float, values: int, x: float) -> float:
    """What the terms from ``height`` (imaginary part) on can add up to.

    |G| is there at most (|1 + 1/(2z+1)| + e^(-(2c+1) theta)) / 2, which falls with the height, and the sum of
    1/|z (z+1)| over the terms at most 1 / (step * height).
    """
    largest = (abs(1 + 1 / (2 * complex(c, height) + 1)) + math.exp(-(2 * c + 1) * theta)) / 2
    return math.exp(min(values * math.log(largest) + c * x, 700.0)) / (math.pi * height)


def _moments_bound(theta: float, values: int, delta: float) -> float:
    """The classic upper bound by Rényi divergence; any order alpha gives a valid one.

    Source: Mironov 2017 (Rényi divergence of the Laplace mechanism), Canonne, Kamath & Steinke 2020 (to epsilon).
    """
    above_one = np.geomspace(1e-6, 1e9, 601)
    alpha = 1 + above_one
    moment = above_one * theta + _log_moment(above_one, theta)
    bounds = (values * moment - math.log(delta) - np.log(alpha)) / above_one + np.log(above_one / alpha)
    return float(np.min(bounds))
