"""Epsilon of a noised image, against values computed by other means."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from medpriv_core.errors import SettingError
from medpriv_core.privacy.image_epsilon import image_guarantee


def epsilon(values: int, beta: float, delta: float = 1e-5) -> float:
    return image_guarantee(beta=beta, values=values, draw="per_pixel", delta=delta).epsilon_image


def normal_approximation(values: int, beta: float, delta: float) -> float:
    """Central limit theorem for the privacy loss, from its exact mean and variance."""
    theta = 1 / beta
    mean = theta + math.exp(-theta) - 1
    variance = theta**2 - 2 * theta + 4 - math.exp(-theta) * (2 * theta + 4) - mean**2
    total, spread = values * mean, math.sqrt(values * variance)

    def excess(eps: float) -> float:
        second = math.exp(min(700, eps - total + spread**2 / 2)) * stats.norm.cdf((total - eps) / spread - spread)
        return stats.norm.cdf((total - eps) / spread) - second - delta

    return optimize.brentq(excess, total, total + 10 * spread)


@pytest.mark.parametrize(
    ("side", "beta", "pld"),
    # PLD on a fine grid (interval at most theta/50), computed apart from this code.
    [
        (28, 1, 382.30),
        (28, 2, 136.20),
        (28, 4, 50.13),
        (64, 1, 1726.2),
        (64, 2, 558.7),
        (64, 4, 182.1),
        (256, 1, 24_993),
        (256, 2, 7_477),
        (256, 4, 2_148),
    ],
)
def test_whole_image_epsilon_is_a_tight_upper_bound(side: int, beta: float, pld: float):
    value = epsilon(side * side, beta)
    assert pld * 0.9998 <= value <= pld * 1.005


@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_large_images_agree_with_the_central_limit_theorem(beta: float):
    values = 224 * 224 * 3
    assert epsilon(values, beta) == pytest.approx(normal_approximation(values, beta, 1e-5), rel=0.005)


@pytest.mark.parametrize("beta", [0.1, 1.0, 4.0])
def test_photographs_at_full_size_take_the_classic_bound(beta: float):
    values = 4288 * 2848 * 3
    approximation = normal_approximation(values, beta, 1e-5)
    assert approximation * 0.9999 <= epsilon(values, beta) <= approximation * 1.002


def test_a_tiny_delta_does_not_spoil_the_epsilon_of_a_large_image():
    values = 224 * 224 * 3
    for delta in (1e-5, 1e-8, 1e-12):
        assert epsilon(values, 1.0, delta) == pytest.approx(normal_approximation(values, 1.0, delta), rel=0.006)


def test_single_pixel_follows_the_closed_form():
    # delta(eps) = 1 - exp((eps - theta) / 2) for one Laplace draw.
    theta, delta = 2.0, 0.01
    exact = theta + 2 * math.log(1 - delta)
    assert exact <= epsilon(1, 1 / theta, delta) <= exact * 1.02


def test_privacy_loss_of_random_noise_stays_within_the_guarantee():
    # The hockey-stick divergence at the claimed epsilon, by simulation of black against white.
    values, beta, delta = 100, 2.0, 1e-2
    claimed = epsilon(values, beta, delta)
    noise = np.random.default_rng(0).laplace(0, beta, (200_000, values))
    loss = ((np.abs(noise - 1) - np.abs(noise)) / beta).sum(axis=1)
    assert np.maximum(0, 1 - np.exp(claimed - loss)).mean() == pytest.approx(delta, rel=0.1)


def test_pixels_and_pure_epsilon_are_exact():
    guarantee = image_guarantee(beta=4.0, values=256 * 256 * 3, draw="per_pixel")
    assert guarantee.epsilon_pixel == 0.25
    assert guarantee.epsilon_image_pure == 49_152
    assert guarantee.epsilon_image <= guarantee.epsilon_image_pure


def test_one_draw_for_the_picture_has_no_finite_epsilon():
    guarantee = image_guarantee(beta=1000.0, values=2, draw="per_image")
    assert math.isinf(guarantee.epsilon_image)
    assert math.isinf(guarantee.epsilon_pixel)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": 0.0, "values": 4}, "beta must be"),
        ({"beta": math.nan, "values": 4}, "beta must be"),
        ({"beta": 1.0, "values": 0}, "no pixels"),
        ({"beta": 1.0, "values": 4, "delta": 0.0}, "delta must be"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str):
    with pytest.raises(SettingError, match=message):
        image_guarantee(draw="per_pixel", **settings)
