"""Losses of one step and their composition, against the library's own, which goes point by point."""

from __future__ import annotations

import math

import numpy as np
import pytest
from dp_accounting import NeighboringRelation
from dp_accounting.pld import privacy_loss_distribution as library
from scipy import stats

from medpriv_core.privacy.loss_distribution import pld_epsilon, quick_epsilon
from medpriv_core.privacy.step_loss import drawn, log_expm1, losses_of_step, removal_losses

# noise multiplier, sample rate, interval, images: usual ones and the ends of what is allowed
STEPS = [
    (1.0, 0.0245, 0.005, 1),
    (0.6727, 0.003, 0.002, 1),
    (0.15, 0.1, 0.1, 1),
    (0.3, 0.9, 0.05, 1),
    (20.0, 1.0, 0.001, 1),
    (1e4, 0.5, 1e-6, 1),
    (1.0, 0.0245, 0.05, 3),
    (0.5, 0.1, 0.5, 20),
    (1e3, 0.5, 1e-4, 2),
]


def by_the_library(noise: float, rate: float, interval: float, images: int) -> library.PrivacyLossDistribution:
    if images == 1:
        return library.from_gaussian_mechanism(noise, sampling_prob=rate, value_discretization_interval=interval)
    probabilities = stats.binom.pmf(np.arange(images + 1), images, rate)
    return library.from_mixture_gaussian_mechanism(
        noise,
        sensitivities=list(range(images + 1)),
        sampling_probs=list(probabilities / probabilities.sum()),
        value_discretization_interval=interval,
    )


@pytest.mark.parametrize(("noise", "rate", "interval", "images"), STEPS)
def test_a_step_loses_what_the_library_says(noise: float, rate: float, interval: float, images: int):
    ours = losses_of_step(noise, rate, interval, replace_one=False, images=images)
    theirs = by_the_library(noise, rate, interval, images)
    for epsilon in (0.0, interval, 3 * interval, 1 / noise, 3 / noise):
        assert ours.get_delta_for_epsilon(epsilon) == pytest.approx(theirs.get_delta_for_epsilon(epsilon), abs=1e-12)


@pytest.mark.parametrize("steps", [1, 3, 400])
@pytest.mark.parametrize(("noise", "rate", "interval", "images"), STEPS[:3] + STEPS[6:7])
def test_steps_compose_to_what_the_library_says(noise, rate, interval, images, steps):
    ours = losses_of_step(noise, rate, interval, replace_one=False, images=images).self_compose(steps)
    theirs = by_the_library(noise, rate, interval, images).self_compose(steps)
    assert ours.get_epsilon_for_delta(1e-6) == pytest.approx(theirs.get_epsilon_for_delta(1e-6), rel=1e-8)


def test_replacement_is_the_librarys():
    ours = losses_of_step(2.0, 0.1, 0.01, replace_one=True, images=1)
    theirs = library.from_gaussian_mechanism(
        2.0,
        sampling_prob=0.1,
        value_discretization_interval=0.01,
        neighboring_relation=NeighboringRelation.REPLACE_ONE,
    )
    for epsilon in (0.0, 0.1, 0.5):
        assert ours.get_delta_for_epsilon(epsilon) == pytest.approx(theirs.get_delta_for_epsilon(epsilon), rel=1e-9)


@pytest.mark.parametrize(("noise", "rate", "interval", "images"), STEPS)
def test_the_grid_is_never_below_the_truth(noise: float, rate: float, interval: float, images: int):
    # The divergence itself, by a sum over x.
    x = np.linspace(-images - 12 * noise, images + 12 * noise, 200_001)
    both = sum(p * stats.norm.pdf(x, k, noise) for k, p in enumerate(drawn(images, rate)))
    without = stats.norm.pdf(x, 0, noise)
    losses = losses_of_step(noise, rate, interval, replace_one=False, images=images)
    for epsilon in (0.4 * interval, 2.5 * interval, 0.7 / noise):
        truth = max(
            np.trapezoid(np.maximum(0, p - math.exp(epsilon) * q), x) for p, q in ((both, without), (without, both))
        )
        assert losses.get_delta_for_epsilon(epsilon) >= truth - 1e-9


def test_probabilities_of_losses_add_up_and_of_e_to_their_minus_too():
    first, probabilities = removal_losses(1.0, 0.02, 0.01, images=1)
    losses = (first + np.arange(len(probabilities))) * 0.01
    assert probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert probabilities @ np.exp(-losses) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("images", [1, 4])
@pytest.mark.parametrize(("noise", "rate", "steps"), [(1.0, 0.025, 2000), (0.7, 0.003, 30_000), (20.0, 0.2, 5)])
def test_the_quick_look_is_near(noise: float, rate: float, steps: int, images: int):
    stretches = ((noise, rate, steps),)
    careful = pld_epsilon(stretches, delta=1e-5, replace_one=False, images=images)
    assert quick_epsilon(stretches, delta=1e-5, replace_one=False, images=images) == pytest.approx(careful, rel=0.02)


def test_several_stretches_are_looked_at_together():
    stretches = ((1.0, 0.02, 100), (2.0, 0.02, 300))
    careful = pld_epsilon(stretches, delta=1e-5, replace_one=False, images=1)
    assert quick_epsilon(stretches, delta=1e-5, replace_one=False) == pytest.approx(careful, rel=0.02)


def test_binomial_probabilities_and_logarithms():
    assert drawn(5, 0.3) == pytest.approx(stats.binom.pmf(np.arange(6), 5, 0.3), rel=1e-12)
    assert drawn(3, 1.0) == pytest.approx([0, 0, 0, 1])
    assert float(log_expm1(1.0)) == pytest.approx(math.log(math.e - 1))
    assert float(log_expm1(5000.0)) == 5000.0
