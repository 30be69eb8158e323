"""Exact epsilon of Gaussian noise, against Google's accountant and the definition."""

from __future__ import annotations

import math

import pytest
import scipy

from medpriv_core.privacy.image_gaussian import gaussian_epsilon


@pytest.mark.parametrize("mu", [1e-3, 0.1, 1.0, 10.0, 300.0])
@pytest.mark.parametrize("delta", [1e-12, 1e-5, 0.1])
def test_epsilon_is_that_of_another_library(mu: float, delta: float) -> None:
    from dp_accounting import get_epsilon_gaussian

    expected = get_epsilon_gaussian(1 / mu, delta)
    assert expected <= gaussian_epsilon(mu=mu, delta=delta) <= expected * (1 + 1e-8)


def test_delta_of_that_epsilon_is_the_definition_s() -> None:
    mu, delta = 2.0, 1e-3
    epsilon = gaussian_epsilon(mu=mu, delta=delta)

    def excess(x: float) -> float:
        return max(0.0, scipy.stats.norm.pdf(x, mu) - math.exp(epsilon) * scipy.stats.norm.pdf(x))

    measured, _ = scipy.integrate.quad(excess, 0, 15, points=[epsilon / mu + mu / 2])
    assert measured == pytest.approx(delta, rel=1e-6)


def test_a_picture_s_epsilon_does_not_overflow() -> None:
    # Far out, epsilon is mu²/2 + mu times the normal quantile of delta.
    mu = 1.8e6
    expected = mu**2 / 2 + mu * scipy.stats.norm.isf(1e-5)
    assert gaussian_epsilon(mu=mu, delta=1e-5) == pytest.approx(expected, rel=1e-9)


def test_where_delta_allows_everything_epsilon_is_zero() -> None:
    assert gaussian_epsilon(mu=1e-3, delta=0.1) == 0
