"""DP-SGD accounting against Opacus's accountants, closed forms and known values."""

from __future__ import annotations

import math
from typing import Any

import pytest
import scipy

from medpriv_core.errors import SettingError
from medpriv_core.privacy.dp_sgd import (
    accountant_of,
    composed_epsilon,
    composed_rdp_epsilon,
    sampling_rate,
    steps_per_epoch,
)
from medpriv_core.privacy.steps import Steps, add_steps, first_steps, merge_steps, steps_from_json, steps_to_json

# Of another program on a finer grid, delta 1e-5: training records, steps, noise multiplier; PLD, RDP and replace-one.
KNOWN = [
    (5232, 2044, 1.0, 7.159, 7.818, 12.16),
    (5232, 2044, 2.0, 2.451, 2.669, 4.932),
    (5232, 2044, 4.0, 1.064, 1.164, 2.230),
    (2930, 1145, 1.0, 10.137, 11.064, 17.27),
    (2930, 1145, 2.0, 3.422, 3.723, 6.925),
    (2930, 1145, 4.0, 1.469, 1.603, 3.092),
]


def epsilon(noise_multiplier: float, sample_rate: float, steps: int, delta: float = 1e-5, **more: Any) -> float:
    return composed_epsilon([Steps(noise_multiplier, sample_rate, steps)], delta=delta, **more)


def epsilon_rdp(noise_multiplier: float, sample_rate: float, steps: int, delta: float = 1e-5, **more: Any) -> float:
    return composed_rdp_epsilon([Steps(noise_multiplier, sample_rate, steps)], delta=delta, **more)


def exact_gaussian_epsilon(mu: float, delta: float) -> float:
    """By bisection on the trade-off curve, with no library for privacy."""

    def delta_of(eps: float) -> float:
        return scipy.stats.norm.cdf(mu / 2 - eps / mu) - math.exp(eps + scipy.stats.norm.logcdf(-mu / 2 - eps / mu))

    low, high = 0.0, 1000.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle) > delta else (low, middle)
    return high


@pytest.mark.parametrize(("size", "steps", "noise", "pld", "rdp", "replaced"), KNOWN)
def test_known_values_are_met_within_half_a_percent_and_never_undercut(
    size: Any, steps: Any, noise: Any, pld: Any, rdp: Any, replaced: Any
) -> None:
    assert pld - 0.0006 <= epsilon(noise, 128 / size, steps) <= pld * 1.005
    assert epsilon_rdp(noise, 128 / size, steps) == pytest.approx(rdp, rel=0.005)
    value = epsilon(noise, 128 / size, steps, adjacency="replace-one")
    assert replaced * 0.9995 <= value <= replaced * 1.005


@pytest.mark.parametrize(("noise", "whole_n", "rdp"), [(1.0, 5.930, 6.615), (2.0, 1.979, 2.212), (4.0, 0.836, 0.942)])
def test_known_values_at_delta_one_over_n(noise: float, whole_n: float, rdp: float) -> None:
    assert epsilon(noise, 128 / 5232, 2044, delta=1 / 5232) == pytest.approx(whole_n, rel=0.005)
    assert epsilon_rdp(noise, 128 / 5232, 2044, delta=1 / 5232) == pytest.approx(rdp, rel=0.005)


@pytest.mark.filterwarnings("ignore:Optimal order is the largest alpha")
@pytest.mark.parametrize("noise_multiplier", [0.7, 1.0, 3.0])
def test_lies_between_opacus_prv_and_rdp(noise_multiplier: float) -> None:
    from opacus.accountants import PRVAccountant, RDPAccountant

    sample_rate, steps = 0.02, 500
    value = epsilon(noise_multiplier, sample_rate, steps)
    prv, rdp = PRVAccountant(), RDPAccountant()
    for accountant in (prv, rdp):
        accountant.history = [(noise_multiplier, sample_rate, steps)]
    # PRV adds its own error of 0.01 to a tight value; RDP is a looser bound.
    assert value == pytest.approx(prv.get_epsilon(1e-5), abs=0.02)
    assert value < rdp.get_epsilon(1e-5, alphas=[1 + x / 10 for x in range(1, 100)] + list(range(12, 256)))


@pytest.mark.parametrize(("mu", "known"), [(0.5, 1.99309), (1.0, 4.37718), (2.0, 9.99726), (4.0, 24.38161)])
def test_the_full_batch_is_exact(mu: float, known: float) -> None:
    # Nine steps of noise 3/mu are one of 1/mu.
    assert epsilon(3 / mu, 1.0, 9) == pytest.approx(known, abs=1e-5)
    assert accountant_of(sample_rate=1.0, delta=1e-5, steps=9) == "gaussian"


def test_the_full_batch_is_exact_at_both_ends_of_the_noise() -> None:
    for noise, steps in ((1e4, 1), (1e4, 1000), (0.3, 5)):
        exact = exact_gaussian_epsilon(math.sqrt(steps) / noise, 1e-5)
        assert epsilon(noise, 1.0, steps) == pytest.approx(exact, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("noise", "steps", "delta"), [(30.0, 1000, 1e-5), (1e4, 1000, 1e-5), (100.0, 10, 1e-6), (0.5, 2, 1e-5)]
)
def test_sampling_nearly_everybody_is_nearly_the_full_batch(noise: float, steps: int, delta: float) -> None:
    # Reached by the grid, and compared with the closed form.
    exact = exact_gaussian_epsilon(math.sqrt(steps) / noise, delta)
    assert epsilon(noise, 1 - 1e-9, steps, delta) == pytest.approx(exact, rel=0.005)
    assert epsilon(noise, 1 - 1e-9, steps, delta) >= exact * (1 - 1e-6)


def test_large_noise_follows_the_central_limit() -> None:
    # Many tiny losses add up to a Gaussian one of mu = q sqrt(T) / sigma.
    for noise in (300.0, 1e4):
        limit = exact_gaussian_epsilon(0.02 * math.sqrt(20_000) / noise, 1e-6)
        assert epsilon(noise, 0.02, 20_000, delta=1e-6) == pytest.approx(limit, rel=0.005)


@pytest.mark.parametrize("noise", [30.0, 1000.0])
def test_a_tiny_delta_is_not_undercut_by_rounding(noise: float) -> None:
    # With so many steps floating-point numbers no longer resolve delta, and the classic bound takes over.
    steps = int(noise**2)
    exact = exact_gaussian_epsilon(1.0, 1e-12)
    assert epsilon(noise, 1 - 1e-9, steps, delta=1e-12) >= exact * (1 - 1e-6)
    assert accountant_of(sample_rate=0.5, delta=1e-12, steps=steps) == "rdp"


def test_grows_with_steps_and_rate_and_shrinks_with_noise() -> None:
    assert epsilon(1.0, 0.02, 0) == 0
    assert epsilon(1.0, 0.02, 10) < epsilon(1.0, 0.02, 20) < epsilon(1.0, 0.04, 20)
    assert epsilon(1.0, 0.02, 20) > epsilon(2.0, 0.02, 20)


def test_doubled_sensitivity_is_half_the_noise() -> None:
    taken = Steps(2.0, 0.02, 100)
    assert taken.relative_to(2.0) == Steps(1.0, 0.02, 100)
    assert composed_epsilon([taken.relative_to(math.inf)], delta=1e-5) == math.inf


@pytest.mark.parametrize(("noise", "two", "five"), [(1.0, 16.75, 57.6), (2.0, 5.43, 16.7), (4.0, 2.30, 6.60)])
def test_known_values_for_a_patient_with_several_images(noise: float, two: float, five: float) -> None:
    assert epsilon(noise, 128 / 5232, 2044, images_per_patient=2) == pytest.approx(two, rel=0.005)
    assert epsilon(noise, 128 / 5232, 2044, images_per_patient=5) == pytest.approx(five, rel=0.005)


# Rare large losses: the Rényi divergence of order 2 is a thousand times epsilon and more. dp_accounting says 990.99 and
# 617.75.
@pytest.mark.parametrize(
    ("segment", "images", "other"),
    [((1.0, 128 / 5232, 2044), 30, 990.987), ((0.2, 1e-4, 1_000_000), 1, 617.752)],
)
def test_a_large_epsilon_that_is_finite_is_told(segment: tuple[Any, ...], images: int, other: float) -> None:
    found = composed_epsilon([Steps(*segment)], delta=1e-5, images_per_patient=images)
    assert other < found < 1.003 * other


def test_several_images_in_a_full_batch_multiply_the_distance() -> None:
    assert epsilon(1.0, 1.0, 1, images_per_patient=2) == pytest.approx(9.99726, abs=1e-4)
    assert epsilon(1.0, 1.0, 1, images_per_patient=5) == pytest.approx(33.10, abs=0.01)
    assert epsilon(1.0, 1.0, 1, adjacency="replace-one") == pytest.approx(9.99726, abs=1e-4)


def test_one_image_a_patient_is_the_record() -> None:
    assert epsilon(1.0, 0.02, 100, images_per_patient=1) == epsilon(1.0, 0.02, 100)


def test_an_empty_record_in_the_place_of_another_costs_what_its_removal_costs() -> None:
    assert epsilon(1.0, 0.02, 100, adjacency="zero-out") == epsilon(1.0, 0.02, 100)


@pytest.mark.parametrize("rate", [0.01, 1.0])
def test_the_classic_accountant_is_looser_for_replacement_too(rate: float) -> None:
    tight, classic = (of(2.0, rate, 30, adjacency="replace-one") for of in (epsilon, epsilon_rdp))
    assert tight < classic < 1.5 * tight + 0.5
    assert classic > epsilon_rdp(2.0, rate, 30)


def test_stretches_of_one_mechanism_add_their_steps() -> None:
    together = composed_epsilon([Steps(1.0, 0.02, 30), Steps(1.0, 0.02, 70)], delta=1e-5)
    assert together == epsilon(1.0, 0.02, 100)


def test_a_second_mechanism_costs_more_than_either() -> None:
    both = composed_epsilon([Steps(1.0, 0.02, 100), Steps(2.0, 0.02, 100)], delta=1e-5)
    assert epsilon(1.0, 0.02, 100) < both < epsilon(1.0, 0.02, 200)


def test_full_batches_of_different_noise_compose_exactly() -> None:
    both = composed_epsilon([Steps(2.0, 1.0, 2), Steps(4.0, 1.0, 8)], delta=1e-5)
    assert both == pytest.approx(exact_gaussian_epsilon(1.0, 1e-5), abs=1e-6)


def test_a_hopeless_epsilon_is_infinite_at_once() -> None:
    assert epsilon(0.3, 1.0, 1_000_000) == math.inf
    assert epsilon(0.3, 0.5, 1_000_000) == math.inf
    assert epsilon(0.3, 0.5, 1_000_000, images_per_patient=100) == math.inf


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.01])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(SettingError, match="sample_rate"):
        epsilon(1.0, rate, 1)


def test_impossible_patients_are_refused() -> None:
    with pytest.raises(SettingError, match="between 1 and 100, but is 101"):
        epsilon(1.0, 0.02, 10, images_per_patient=101)
    with pytest.raises(SettingError, match="add-remove only"):
        epsilon(1.0, 0.02, 10, images_per_patient=2, adjacency="replace-one")
    with pytest.raises(SettingError, match="too small to be computed"):
        epsilon(1.0, 0.02, 10_000, images_per_patient=2, delta=1e-12)


def test_rate_is_exact_and_an_epoch_has_at_least_one_step() -> None:
    assert sampling_rate(batch_size=128, train_size=5216) == 128 / 5216
    assert steps_per_epoch(batch_size=128, train_size=5216) == 41
    assert steps_per_epoch(batch_size=40, train_size=40) == 1
    assert steps_per_epoch(batch_size=100, train_size=40) == 1


def test_a_shuffled_deck_is_dealt_to_the_end_and_a_full_batch_is_one_step() -> None:
    assert steps_per_epoch(batch_size=40, train_size=81, sampling="shuffled") == 3
    assert steps_per_epoch(batch_size=40, train_size=81, sampling="poisson") == 2
    assert steps_per_epoch(batch_size=40, train_size=81, sampling="full_batch") == 1


def test_steps_are_added_cut_and_merged() -> None:
    taken = add_steps(add_steps((Steps(2.0, 0.1, 3),), Steps(4.0, 0.1, 2)), Steps(4.0, 0.1, 1))
    assert taken == (Steps(2.0, 0.1, 3), Steps(4.0, 0.1, 3))
    assert first_steps(taken, 4) == (Steps(2.0, 0.1, 3), Steps(4.0, 0.1, 1))
    assert first_steps(taken, 9) == taken
    assert merge_steps([Steps(4.0, 0.1, 1), Steps(2.0, 0.1, 3), Steps(4.0, 0.1, 2), Steps(1.0, 1.0, 0)]) == taken
    with pytest.raises(SettingError, match="negative"):
        merge_steps([Steps(1.0, 0.1, -1)])


def test_steps_are_written_in_one_form_and_nothing_else_is_read() -> None:
    stored = [{"noise_multiplier": 2.0, "sample_rate": 0.25, "steps": 3}]  # as 0.1.0 wrote them
    assert steps_to_json(steps_from_json(stored)) == stored
    assert steps_from_json([stored[0] | {"of_a_later_version": 1}]) == (Steps(2.0, 0.25, 3),)
    for name, value in (("steps", -1), ("steps", 1.5), ("steps", True), ("sample_rate", 0), ("noise_multiplier", "2")):
        with pytest.raises(ValueError, match=r"segment|number"):
            steps_from_json([stored[0] | {name: value}])
    for damaged in (None, {}, [1], [[2.0, 0.25, 3]], stored * 101):  # type: ignore[var-annotated]
        with pytest.raises(ValueError, match="segment"):
            steps_from_json(damaged)
