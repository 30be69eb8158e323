"""Losses of one step and their composition, against the library's own, which goes point by point."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy

from medpriv_core.privacy.loss_distribution import pld_epsilon, quick_epsilon
from medpriv_core.privacy.step_loss import StepLosses, drawn, log_expm1, losses_of_step
from medpriv_core.privacy.steps import Steps

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
# the same for many steps: noise multiplier, sample rate, steps, images, delta
RUNS = [
    (1.0, 0.0245, 2044, 1, 1e-5),
    (5.5, 0.003, 100_000, 1, 1e-6),
    (0.67, 0.003, 300, 1, 1e-6),
    (0.35, 0.001, 1, 1, 1e-5),
    (60.0, 0.9, 40, 1, 1e-8),
    (0.5, 0.5, 30, 1, 1e-3),
    (1.0, 0.05, 200, 3, 1e-5),
    (3.0, 0.2, 20, 5, 1e-5),
]


def by_the_library(noise: float, rate: float, interval: float, images: int) -> Any:
    from dp_accounting.pld import privacy_loss_distribution as library

    if images == 1:
        return library.from_gaussian_mechanism(noise, sampling_prob=rate, value_discretization_interval=interval)
    probabilities = scipy.stats.binom.pmf(np.arange(images + 1), images, rate)
    return library.from_mixture_gaussian_mechanism(
        noise,
        sensitivities=list(range(images + 1)),
        sampling_probs=list(probabilities / probabilities.sum()),
        value_discretization_interval=interval,
    )


def divergence(losses: StepLosses, interval: float, epsilon: float) -> float:
    values = (losses.first + np.arange(len(losses.probabilities))) * interval
    return losses.infinite + losses.probabilities @ np.maximum(0, -np.expm1(epsilon - values))


def both_ways(noise: float, rate: float, interval: float, images: int, epsilon: float) -> float:
    return max(
        divergence(losses_of_step(noise, rate, interval, direction=direction, images=images), interval, epsilon)
        for direction in ("REMOVE", "ADD")
    )


@pytest.mark.parametrize(("noise", "rate", "interval", "images"), STEPS)
def test_a_step_loses_what_the_library_says(noise: float, rate: float, interval: float, images: int) -> None:
    theirs = by_the_library(noise, rate, interval, images)
    for epsilon in (0.0, interval, 3 * interval, 1 / noise, 3 / noise):
        ours = both_ways(noise, rate, interval, images, epsilon)
        assert ours == pytest.approx(theirs.get_delta_for_epsilon(epsilon), abs=1e-12)


def test_replacement_is_the_librarys() -> None:
    from dp_accounting import NeighboringRelation
    from dp_accounting.pld import privacy_loss_distribution as library

    ours = losses_of_step(2.0, 0.1, 0.01, direction="REPLACE", images=1)
    theirs = library.from_gaussian_mechanism(
        2.0,
        sampling_prob=0.1,
        value_discretization_interval=0.01,
        neighboring_relation=NeighboringRelation.REPLACE_ONE,
    )
    for epsilon in (0.0, 0.1, 0.5):
        assert divergence(ours, 0.01, epsilon) == pytest.approx(theirs.get_delta_for_epsilon(epsilon), rel=1e-9)


@pytest.mark.parametrize(("noise", "rate", "interval", "images"), STEPS)
def test_the_grid_is_never_below_the_truth(noise: float, rate: float, interval: float, images: int) -> None:
    # The divergence itself, by a sum over x.
    x = np.linspace(-images - 12 * noise, images + 12 * noise, 200_001)
    both = sum(p * scipy.stats.norm.pdf(x, k, noise) for k, p in enumerate(drawn(images, rate)))
    without = scipy.stats.norm.pdf(x, 0, noise)
    for epsilon in (0.4 * interval, 2.5 * interval, 0.7 / noise):
        truth = max(
            np.trapezoid(np.maximum(0, p - math.exp(epsilon) * q), x) for p, q in ((both, without), (without, both))
        )
        assert both_ways(noise, rate, interval, images, epsilon) >= truth - 1e-9


def test_probabilities_of_losses_add_up_and_of_e_to_their_minus_too() -> None:
    losses = losses_of_step(1.0, 0.02, 0.01, direction="REMOVE", images=1)
    values = (losses.first + np.arange(len(losses.probabilities))) * 0.01
    assert losses.probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert losses.probabilities @ np.exp(-values) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("noise", "rate", "steps", "images", "delta"), RUNS)
def test_composed_steps_are_the_librarys_on_a_finer_grid_and_never_less(
    noise: Any, rate: Any, steps: Any, images: Any, delta: Any
) -> None:
    ours = pld_epsilon((Steps(noise, rate, steps),), delta=delta, replace_one=False, images=images)
    # The library rounds to the safe side as well, so a grid this fine is a hair above the truth.
    spread = math.sqrt(math.log1p(rate**2 * math.expm1(min(noise**-2, 3.0))))
    theirs = by_the_library(noise, rate, 0.1 * spread, images).self_compose(steps).get_epsilon_for_delta(delta)
    assert theirs * (1 - 1e-3) <= ours <= theirs * (1 + 1e-3)


@pytest.mark.parametrize(("noise", "rate", "steps", "images", "delta"), RUNS)
def test_the_quick_look_is_near(noise: Any, rate: Any, steps: Any, images: Any, delta: Any) -> None:
    stretches = (Steps(noise, rate, steps),)
    careful = pld_epsilon(stretches, delta=delta, replace_one=False, images=images)
    quick = quick_epsilon(stretches, delta=delta, replace_one=False, images=images)
    assert quick == pytest.approx(careful, rel=0.03)


def test_several_stretches_compose_as_in_the_library() -> None:
    ours = pld_epsilon((Steps(1.0, 0.02, 100), Steps(2.0, 0.05, 300)), delta=1e-5, replace_one=False, images=1)
    first, second = by_the_library(1.0, 0.02, 1e-3, 1), by_the_library(2.0, 0.05, 1e-3, 1)
    theirs = first.self_compose(100).compose(second.self_compose(300)).get_epsilon_for_delta(1e-5)
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_binomial_probabilities_and_logarithms() -> None:
    assert drawn(5, 0.3) == pytest.approx(scipy.stats.binom.pmf(np.arange(6), 5, 0.3), rel=1e-12)
    assert drawn(3, 1.0) == pytest.approx([0, 0, 0, 1])
    assert float(log_expm1(1.0)) == pytest.approx(math.log(math.e - 1))
    assert float(log_expm1(5000.0)) == 5000.0
