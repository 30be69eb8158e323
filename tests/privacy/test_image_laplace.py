"""Epsilon of many Laplace draws, against convolution on a fine grid, closed forms and the central limit."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import scipy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medpriv_core.privacy import image_laplace
from medpriv_core.privacy.image_laplace import laplace_delta, laplace_epsilon

# (values, theta, delta): pictures from a few cells to a photograph, noise from next to none to far too much.
CASES = [
    (256, 1.0, 1e-5),
    (784, 0.25, 1e-5),
    (784, 0.01, 1e-5),
    (784, 100.0, 1e-5),
    (784, 1.0, 1e-12),
    (784, 1.0, 0.1),
    (4096, 1.0, 1e-5),
    (4096, 0.001, 1e-8),
    (65_536, 1.0, 1e-5),
    (65_536, 0.25, 1e-5),
    (65_536, 0.001, 1e-5),
    (65_536, 10.0, 1e-5),
    (196_608, 0.5, 1e-5),
]


def mean_and_variance(theta: float) -> tuple[float, float]:
    """Of the loss of one draw."""
    if theta < 0.01:
        return theta**2 / 2, theta**2 - theta**3 / 3
    mean = theta + math.expm1(-theta)
    return mean, theta**2 - 2 * theta + 4 - math.exp(-theta) * (2 * theta + 4) - mean**2


@functools.cache
def distribution_of_loss(values: int, theta: float, *, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Total loss and its probabilities by a Fourier transform, with each loss rounded *down* to a grid.

    A lower bound of epsilon: with smaller losses there is less to tell.
    """
    grid = np.linspace(-theta, theta, 2 * points + 1)
    # P(loss < l) = P(x > (theta - l) / 2), x from the Laplace distribution; the largest loss is an atom.
    below = scipy.stats.laplace.sf((theta - grid) / 2)
    below[0] = 0
    one = np.append(below, 1.0)
    probabilities = np.diff(one)
    mean, variance = mean_and_variance(theta)
    step = theta / points
    # Wide enough that nothing of weight wraps around, around where the sum lies.
    size = 1 << math.ceil(math.log2(max(24 * math.sqrt(values * variance) / step, 2 * points + 1)))
    padded = np.zeros(size)
    padded[: len(probabilities)] = probabilities
    total = np.maximum(np.fft.irfft(np.fft.rfft(padded) ** values, size), 0)
    lowest = round(values * (mean / step + points)) - size // 2
    index = lowest + (np.arange(size) - lowest) % size
    return index * step - values * theta, total


def delta_below(epsilon: float, values: int, theta: float, *, points: int) -> float:
    loss, probabilities = distribution_of_loss(values, theta, points=points)
    return float((probabilities * np.maximum(0, -np.expm1(np.minimum(0, epsilon - loss)))).sum())


def normal_approximation(values: int, theta: float, delta: float) -> float:
    """Central limit theorem for the privacy loss, from its exact mean and variance."""
    mean, variance = mean_and_variance(theta)
    total, spread = values * mean, math.sqrt(values * variance)

    def excess(eps: float) -> float:
        second = math.exp(min(700, eps - total + spread**2 / 2)) * scipy.stats.norm.cdf((total - eps) / spread - spread)
        return scipy.stats.norm.cdf((total - eps) / spread) - second - delta

    return scipy.optimize.brentq(excess, total, total + 10 * spread)


@pytest.mark.parametrize(("values", "theta", "delta"), CASES)
def test_epsilon_is_above_the_truth_but_hardly(values: int, theta: float, delta: float) -> None:
    epsilon = laplace_epsilon(theta=theta, values=values, delta=delta)
    # Rounding losses down on a grid of ``points`` takes about values * theta / (2 points) off epsilon.
    points = 200 if values > 10_000 else 1_000
    if delta > 1e-10:  # below, Fourier transforms of probabilities have no digits left
        lower = scipy.optimize.brentq(
            lambda eps: delta_below(eps, values, theta, points=points) - delta, 0.2 * epsilon, 1.2 * epsilon
        )
        assert lower <= epsilon
        assert epsilon <= lower + 0.51 * values * theta / points + 0.001 * epsilon
    assert epsilon == pytest.approx(normal_approximation(values, theta, delta), rel=max(20 / values, 5e-4))


@pytest.mark.parametrize(("values", "theta"), [(3_145_728, 1.0), (3_145_728, 0.001), (36_000_000, 0.25)])
def test_large_pictures_agree_with_the_central_limit_theorem(values: int, theta: float) -> None:
    for delta in (1e-5, 1e-12):
        approximation = normal_approximation(values, theta, delta)
        assert laplace_epsilon(theta=theta, values=values, delta=delta) == pytest.approx(approximation, rel=0.001)


@pytest.mark.parametrize("theta", [0.05, 0.5, 2.0, 10.0, 1000.0])
@pytest.mark.parametrize("delta", [1e-12, 1e-5, 0.01])
def test_a_single_draw_follows_the_closed_form(theta: float, delta: float) -> None:
    # delta(eps) = 1 - exp((eps - theta) / 2)
    exact = theta + 2 * math.log1p(-delta)
    assert exact <= laplace_epsilon(theta=theta, values=1, delta=delta) <= exact * 1.003


@pytest.mark.parametrize(("values", "theta"), [(3, 0.01), (10, 0.003), (10, 1.0), (40, 0.02)])
def test_delta_is_never_below_the_truth_where_the_sum_of_losses_is_nearly_a_lattice(values: int, theta: float) -> None:
    for epsilon in np.linspace(0.1, 0.97, 30) * values * theta:
        below = delta_below(epsilon, values, theta, points=5_000)
        if below > 1e-8:  # below, the Fourier transform has no digits left
            assert below <= laplace_delta(epsilon, theta=theta, values=values, aim=below) <= 1.15 * below


def test_what_is_cut_off_the_sum_is_added_as_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_laplace, "MAX_TERMS", 8)
    for values, theta in ((10, 0.003), (10, 1.0), (40, 0.02)):
        for epsilon in np.linspace(0.1, 0.97, 30) * values * theta:
            below = delta_below(epsilon, values, theta, points=5_000)
            if below > 1e-8:
                assert laplace_delta(epsilon, theta=theta, values=values, aim=1e-5) >= below


@pytest.mark.parametrize(("values", "theta", "delta"), CASES)
def test_delta_at_the_epsilon_found_is_at_most_what_was_allowed(values: int, theta: float, delta: float) -> None:
    epsilon = laplace_epsilon(theta=theta, values=values, delta=delta)
    assert laplace_delta(epsilon, theta=theta, values=values, aim=delta) <= delta


def test_where_delta_allows_everything_epsilon_is_zero() -> None:
    assert laplace_epsilon(theta=0.05, values=1, delta=0.1) == 0
    assert laplace_epsilon(theta=1e-6, values=256, delta=1e-5) == 0


def test_two_draws_follow_from_the_integral_over_the_second() -> None:
    theta, epsilon = 1.5, 1.2
    # Given the loss of the first, the second is a single draw.
    noise = np.linspace(-40, 40, 400_001)
    first = np.abs(noise - theta) - np.abs(noise)
    rest = epsilon - first

    def single(eps: np.ndarray) -> np.ndarray:
        eps = np.clip(eps, -theta, theta)
        return np.where(
            eps >= 0, -np.expm1((eps - theta) / 2), 1 - np.exp(eps) + np.exp(eps) * -np.expm1((-eps - theta) / 2)
        )

    exact = float(
        np.trapezoid(scipy.stats.laplace.pdf(noise) * np.where(rest < -theta, 1 - np.exp(rest), single(rest)), noise)
    )
    assert exact <= laplace_delta(epsilon, theta=theta, values=2, aim=exact) <= exact * 1.01


@settings(max_examples=15)
@given(
    values=st.integers(0, 30).map(lambda exponent: 2**exponent),
    theta=st.floats(-9, 6.6).map(lambda exponent: 10**exponent),
    delta=st.floats(-12, -1).map(lambda exponent: 10**exponent),
)
@example(values=1, theta=1e-9, delta=1e-12)
@example(values=1, theta=4e6, delta=0.1)
@example(values=784, theta=1.0, delta=1e-5)
@example(values=1 << 30, theta=1e-9, delta=0.1)
@example(values=1 << 30, theta=4e6, delta=1e-12)
def test_every_setting_to_its_extremes_has_an_epsilon(values: int, theta: float, delta: float) -> None:
    assert 0 <= laplace_epsilon(theta=theta, values=values, delta=delta) <= values * theta


def test_more_noise_more_delta_or_fewer_values_never_raise_epsilon() -> None:
    def epsilon(values: int = 784, theta: float = 1.0, delta: float = 1e-5) -> float:
        return laplace_epsilon(theta=theta, values=values, delta=delta)

    # Steps larger than the 0.03 % that the search leaves open.
    thetas = [epsilon(theta=float(theta)) for theta in np.geomspace(1e-3, 1e2, 60)]
    assert thetas == sorted(thetas)
    deltas = [epsilon(delta=float(delta)) for delta in np.geomspace(1e-12, 0.1, 40)]
    assert deltas == sorted(deltas, reverse=True)
    sizes = [epsilon(values=side**2) for side in range(16, 300, 7)]
    assert sizes == sorted(sizes)
