"""What noised images give away, against simulated attackers, another library and the noise's own ε."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.privacy.curve import EVERYTHING
from medpriv_core.privacy.image_curve import image_curve, unit_curve
from medpriv_core.privacy.image_epsilon import gaussian_guarantee, laplace_guarantee

RATES = np.array([0.001, 0.01, 0.05, 0.3])


@pytest.mark.parametrize(("values", "beta"), [(2, 1.0), (10, 4.0), (784, 104.3)])
def test_no_simulated_attacker_does_better_and_the_best_one_reaches_it(values: Any, beta: Any) -> None:
    # The best attacker adds up |y| - |y - 1| over all values, black against white.
    numbers, trials = np.random.default_rng(2), 40_000
    noise = numbers.laplace(0.0, beta, (trials, values))
    of_black = (np.abs(noise) - np.abs(noise - 1)).sum(axis=1)
    of_white = (np.abs(noise + 1) - np.abs(noise)).sum(axis=1)
    # Where many releases are equally telling, he names some of them by lot.
    jitter = 1e-9 * numbers.standard_normal(trials)
    thresholds = np.quantile(of_black + jitter, 1 - RATES)
    found = np.array([(of_white + jitter > threshold).mean() for threshold in thresholds])
    told = image_curve(laplace_guarantee(beta=beta, shape=(values, 1, 1))).hits(RATES)
    assert told == pytest.approx(found, abs=5 / math.sqrt(trials * 0.2), rel=0.1)


def test_many_values_and_few_meet_where_one_way_takes_over() -> None:
    below = image_curve(laplace_guarantee(beta=500.0, shape=(19_999, 1, 1)))
    above = image_curve(laplace_guarantee(beta=500.0, shape=(20_001, 1, 1)))
    assert below.hits(RATES) == pytest.approx(above.hits(RATES), rel=1e-3)


@pytest.mark.parametrize(("shape", "beta"), [((28, 28, 1), 104.3), ((64, 64, 1), 238.6), ((256, 256, 1), 954.9)])
def test_an_image_at_epsilon_one_is_found_twice_in_a_hundred(shape: Any, beta: Any) -> None:
    guarantee = laplace_guarantee(beta=beta, shape=shape)
    assert guarantee.epsilon_image == pytest.approx(1.0, rel=0.002)
    told = image_curve(guarantee)
    # So much noise is Gaussian to the eye of an attacker: μ = 0.268 for ε = 1 at δ = 1e-5.
    assert told.hits([0.01]) == pytest.approx([0.0198], rel=0.005)
    assert told.advantage == pytest.approx(math.erf(0.268051 / math.sqrt(8)), rel=0.005)


def test_the_papers_noise_hides_a_pixel_and_not_an_image() -> None:
    guarantee = laplace_guarantee(beta=1.0, shape=(256, 256, 1))
    assert image_curve(guarantee) is EVERYTHING
    assert unit_curve(guarantee).hits([0.01]) == pytest.approx([math.e * 0.01], rel=1e-4)


def test_copies_compose_and_gaussian_noise_has_its_closed_form() -> None:
    three = laplace_guarantee(beta=1.0, shape=(1, 1, 1), copies=3)
    as_values = laplace_guarantee(beta=1.0, shape=(3, 1, 1))
    assert image_curve(three).hits(RATES) == pytest.approx(image_curve(as_values).hits(RATES))
    assert unit_curve(three).hits(RATES) == pytest.approx(image_curve(as_values).hits(RATES))
    gaussian = gaussian_guarantee(beta=50.0, shape=(10, 10, 1), copies=4)
    assert image_curve(gaussian).advantage == pytest.approx(math.erf(20 / 50 / math.sqrt(8)))
    assert unit_curve(gaussian).advantage == pytest.approx(math.erf(2 / 50 / math.sqrt(8)))


@pytest.mark.parametrize("name", MECHANISMS)
def test_every_mechanism_bounds_its_hits_by_its_epsilon(name: Any) -> None:
    guarantee = picture_noise(name, beta=300.0).guarantee((32, 32, 1))
    curve = image_curve(guarantee)
    if math.isinf(guarantee.epsilon_image):
        assert curve is EVERYTHING
        return
    hits = curve.hits(RATES)
    bound = math.exp(guarantee.epsilon_image) * RATES + guarantee.delta
    assert np.all(hits <= np.minimum(1.0, bound) * 1.01)
    assert np.all(unit_curve(guarantee).hits(RATES) <= hits * (1 + 1e-6))
