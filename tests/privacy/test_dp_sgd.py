"""DP-SGD accounting against Opacus's accountants, closed forms and known values."""

from __future__ import annotations

import math

import pytest
from opacus.accountants import PRVAccountant, RDPAccountant

from medpriv_core.errors import SettingError
from medpriv_core.privacy.dp_sgd import (
    DpSgdAccount,
    composed_epsilon,
    sampling_rate,
    solve_noise_multiplier,
    steps_per_epoch,
)
from medpriv_core.privacy.plan import plan_dp_sgd


def epsilon(noise_multiplier: float, sample_rate: float, steps: int, delta: float = 1e-5) -> float:
    return DpSgdAccount(noise_multiplier=noise_multiplier, sample_rate=sample_rate, delta=delta).epsilon(steps)


@pytest.mark.parametrize(
    ("size", "steps", "noise_multiplier", "expected"),
    [
        (5232, 2044, 1.0, 7.159),
        (5232, 2044, 2.0, 2.451),
        (5232, 2044, 4.0, 1.064),
        (2930, 1145, 1.0, 10.137),
        (2930, 1145, 2.0, 3.422),
        (2930, 1145, 4.0, 1.469),
    ],
)
def test_known_values_are_met_within_half_a_percent_and_never_undercut(
    size: int, steps: int, noise_multiplier: float, expected: float
):
    value = epsilon(noise_multiplier, 128 / size, steps)
    assert expected - 0.0006 <= value <= expected * 1.005


@pytest.mark.filterwarnings("ignore:Optimal order is the largest alpha")
@pytest.mark.parametrize("noise_multiplier", [0.7, 1.0, 3.0])
def test_lies_between_opacus_prv_and_rdp(noise_multiplier: float):
    sample_rate, steps = 0.02, 500
    value = epsilon(noise_multiplier, sample_rate, steps)
    prv, rdp = PRVAccountant(), RDPAccountant()
    for accountant in (prv, rdp):
        accountant.history = [(noise_multiplier, sample_rate, steps)]
    # PRV adds its own error of 0.01 to a tight value; RDP is a looser bound.
    assert value == pytest.approx(prv.get_epsilon(1e-5), abs=0.02)
    assert value < rdp.get_epsilon(1e-5, alphas=[1 + x / 10 for x in range(1, 100)] + list(range(12, 256)))


def test_full_batch_is_the_gaussian_mechanism():
    from dp_accounting import get_epsilon_gaussian

    exact = get_epsilon_gaussian(2.0 / 3, 1e-5)  # nine steps of sigma 2 are one of 2/3
    assert exact * 0.9999 <= epsilon(2.0, 1.0, 9) <= exact * 1.005


def test_grows_with_steps_and_rate_and_shrinks_with_noise():
    assert epsilon(1.0, 0.02, 0) == 0
    assert epsilon(1.0, 0.02, 10) < epsilon(1.0, 0.02, 20) < epsilon(1.0, 0.04, 20)
    assert epsilon(1.0, 0.02, 20) > epsilon(2.0, 0.02, 20)


def test_stretches_of_one_mechanism_add_their_steps():
    together = composed_epsilon([(1.0, 0.02, 30), (1.0, 0.02, 70)], delta=1e-5)
    assert together == epsilon(1.0, 0.02, 100)


def test_a_second_mechanism_costs_more_than_either():
    both = composed_epsilon([(1.0, 0.02, 100), (2.0, 0.02, 100)], delta=1e-5)
    assert epsilon(1.0, 0.02, 100) < both < epsilon(1.0, 0.02, 200)


@pytest.mark.parametrize("target", [0.5, 1.0, 3.0, 8.0])
def test_solved_noise_reaches_the_target_and_wastes_little(target: float):
    settings = {"sample_rate": 128 / 5216, "steps": 2050}
    noise = solve_noise_multiplier(target_epsilon=target, delta=1e-5, **settings)
    assert epsilon(noise, **settings) <= target
    assert epsilon(noise * 0.995, **settings) > target * 0.995


def test_a_target_out_of_reach_says_what_to_do():
    with pytest.raises(SettingError, match="Train fewer epochs"):
        solve_noise_multiplier(target_epsilon=0.01, delta=1e-12, sample_rate=1.0, steps=1_000_000)


def test_a_hopeless_epsilon_is_infinite_at_once():
    assert epsilon(0.3, 1.0, 1_000_000) == math.inf


def test_a_generous_target_gives_the_smallest_noise_allowed():
    assert solve_noise_multiplier(target_epsilon=100, delta=1e-5, sample_rate=0.001, steps=1) == 0.3


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.01])
def test_impossible_rates_are_refused(rate: float):
    with pytest.raises(SettingError, match="sample_rate"):
        DpSgdAccount(noise_multiplier=1.0, sample_rate=rate, delta=1e-5)


def test_rate_is_exact_and_an_epoch_has_at_least_one_step():
    assert sampling_rate(batch_size=128, train_size=5216) == 128 / 5216
    assert steps_per_epoch(batch_size=128, train_size=5216) == 41
    assert steps_per_epoch(batch_size=40, train_size=40) == 1


def test_the_plan_of_the_authors_run_shows_what_really_holds():
    # They claimed epsilon 1 by an older conversion of the RDP bound.
    plan = plan_dp_sgd(train_size=5218, batch_size=128, epochs=50, delta=1e-4, noise_multiplier=5.002)
    assert plan.epsilon == pytest.approx(0.687, rel=0.01)


def test_a_plan_refuses_impossible_sizes():
    with pytest.raises(SettingError, match="batch_size must be between 1 and the 10"):
        plan_dp_sgd(train_size=10, batch_size=11, epochs=1, delta=1e-5, noise_multiplier=1.0)
    with pytest.raises(SettingError, match="one of them"):
        plan_dp_sgd(train_size=10, batch_size=5, epochs=1, delta=1e-5)
