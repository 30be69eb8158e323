"""The exact trade-off curve, against closed forms, other libraries' curves, and published values."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy

from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.tradeoff import FALSE_ALARM_RATES, NO_LIMIT, NO_RISK, Risk, membership_risk, risk_of_point

CHEST = (128 / 5232, 2044)
RATES = np.array([float(rate) for rate in FALSE_ALARM_RATES])


def hits(risk: Risk) -> np.ndarray:
    return np.array(list(risk.tpr_at_fpr.values()))


@pytest.mark.parametrize(
    ("mu", "advantage", "at_one_in_thousand", "at_one_in_hundred"),
    [
        (0.5, 0.197413, 0.004796, 0.033899),
        (1, 0.382925, 0.018298, 0.092362),
        (2, 0.682689, 0.137805, 0.372081),
        (4, 0.954500, 0.818527, 0.952901),
    ],
)
def test_full_batches_have_the_closed_form_of_one_gaussian(
    mu: Any, advantage: Any, at_one_in_thousand: Any, at_one_in_hundred: Any
) -> None:
    risk = membership_risk([Steps(10 / mu, 1.0, 100)], delta=1e-5)
    assert risk.mu == pytest.approx(mu)
    assert risk.advantage == pytest.approx(advantage, abs=1e-6)
    assert hits(risk)[:2] == pytest.approx([at_one_in_thousand, at_one_in_hundred], abs=1e-6)
    assert hits(risk) == pytest.approx(scipy.stats.norm.cdf(mu + scipy.stats.norm.ppf(RATES)))


@pytest.mark.parametrize(("epsilon", "mu", "share"), [(0.999, 0.268, 0.020), (3, 0.719, 0.054), (7.99, 1.664, 0.254)])
def test_an_epsilon_of_full_batches_means_far_less_than_its_one_point(epsilon: float, mu: float, share: float) -> None:
    risk = membership_risk([Steps(1 / mu, 1.0, 1)], delta=1e-5)
    assert composed_epsilon([Steps(1 / mu, 1.0, 1)], delta=1e-5) == pytest.approx(epsilon, rel=0.002)
    assert risk.at_one_percent == pytest.approx(share, abs=0.0005)
    assert risk_of_point(epsilon=epsilon, delta=1e-5).at_one_percent > 1.3 * share


# By the divergences of dp_accounting on a grid of 3e-5; the advantage is δ at ε = 0.
@pytest.mark.parametrize(
    ("noise", "advantage", "at_one_in_thousand", "at_one_in_hundred"),
    [(1, 0.5136, 0.05072, 0.18569), (2, 0.2306, 0.0063, 0.0416), (4, 0.1116, 0.0025, 0.0205)],
)
def test_the_papers_chest_training(noise: Any, advantage: Any, at_one_in_thousand: Any, at_one_in_hundred: Any) -> None:
    risk = membership_risk([Steps(noise, *CHEST)], delta=1e-5)
    assert risk.advantage == pytest.approx(advantage, rel=0.003)
    assert hits(risk)[:2] == pytest.approx([at_one_in_thousand, at_one_in_hundred], rel=0.01)


# With the interval of the other library's grid.
SETTINGS = [
    (Steps(1, *CHEST), 1e-3),
    (Steps(4, *CHEST), 2e-4),
    (Steps(0.6, 0.05, 300), 2e-3),
    (Steps(0.5, 0.01, 3), 1e-3),
]


@cache
def other_distribution(setting: Steps, interval: float, **options: Any) -> Any:
    from dp_accounting.pld import privacy_loss_distribution

    noise, rate, steps = setting
    pld = privacy_loss_distribution.from_gaussian_mechanism(
        noise, sampling_prob=rate, value_discretization_interval=interval, **options
    )
    return pld.self_compose(steps)


def best_hits(distribution: Any, false_alarm_rates: np.ndarray) -> np.ndarray:
    """The smallest bound on each by any (ε, δ) of another library's distribution.

    The library takes as long for one ε as for a hundred, so that those of all rates are asked together.
    """
    highest = 1 - math.log(false_alarm_rates.min())
    coarse = np.linspace(0.0, highest, 201)
    best = coarse[bounds_by(distribution, coarse, false_alarm_rates[:, None]).argmin(axis=1)]
    step = np.linspace(-1.0, 1.0, 101) * coarse[1]  # a bound has one minimum
    near = np.clip(best[:, None] + step, 0.0, highest)
    return bounds_by(distribution, near, false_alarm_rates[:, None]).min(axis=1)


def bounds_by(distribution: Any, epsilons: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """What (ε, δ) allows at most, for each pair of ε and rate."""
    deltas = np.reshape(distribution.get_delta_for_epsilon(np.sort(epsilons, axis=None)), -1)
    deltas = deltas[np.searchsorted(np.sort(epsilons, axis=None), epsilons)]
    return np.minimum(np.exp(epsilons) * rates + deltas, 1 - np.exp(-epsilons) * (1 - deltas - rates))


@pytest.mark.parametrize(("setting", "interval"), SETTINGS, ids=str)
def test_sampled_steps_agree_with_the_divergences_of_another_library(setting: Steps, interval: float) -> None:
    other, risk = other_distribution(setting, interval), membership_risk([setting], delta=1e-5)
    assert hits(risk) == pytest.approx(best_hits(other, RATES), rel=0.004)
    assert risk.advantage == pytest.approx(other.get_delta_for_epsilon(0.0), rel=0.006)


def test_some_attacker_comes_near_what_is_told() -> None:
    # The same library, rounding to the other side: at each step by up to one interval.
    setting = Steps(4, 0.05, 200)
    reached = other_distribution(setting, 2e-4, pessimistic_estimate=False, use_connect_dots=False)
    risk = membership_risk([setting], delta=1e-5)
    below = best_hits(reached, RATES)
    assert np.all(below <= hits(risk))
    assert hits(risk) == pytest.approx(below, rel=0.05)


# Both leave out rare large losses, the more of them the finer their grid: on a grid of 3e-5 they say 8 % less at one
# false alarm in a thousand. What they say on a coarse grid is near.
@pytest.mark.parametrize(("setting", "interval"), SETTINGS[:2], ids=str)
def test_sampled_steps_agree_with_two_libraries_of_curves(setting: Steps, interval: float) -> None:
    from gdpnum import PLDConverter
    from riskcal.analysis import get_advantage_from_pld, get_beta_from_pld

    other, risk = other_distribution(setting, interval), membership_risk([setting], delta=1e-5)
    for theirs in (1 - get_beta_from_pld(other, alpha=RATES), 1 - PLDConverter(other).get_beta(RATES)):
        assert hits(risk)[1:] == pytest.approx(theirs[1:], rel=0.005)  # type: ignore[index]
        assert hits(risk)[0] == pytest.approx(theirs[0], rel=0.015)  # type: ignore[index]
    assert risk.advantage == pytest.approx(get_advantage_from_pld(other), rel=0.005)


def test_no_simulated_attacker_does_better() -> None:
    # The best attacker there is, who knows everything but the one image, on 100,000 runs of 40 steps.
    noise, rate, steps = 1.0, 0.1, 40
    numbers, runs = np.random.default_rng(1), 100_000
    losses = np.zeros(runs)
    for _ in range(steps):
        seen = noise * numbers.standard_normal(runs) + (numbers.random(runs) < rate)
        losses += np.log1p(rate * np.expm1((seen - 0.5) / noise**2))
    losses = np.sort(losses)[::-1]
    false_alarms = np.cumsum(np.exp(-losses)) / runs  # by weights, which need no second simulation
    found = np.searchsorted(false_alarms, RATES) / runs
    risk = membership_risk([Steps(noise, rate, steps)], delta=1e-5)
    assert hits(risk) == pytest.approx(found, abs=4 / math.sqrt(runs))


def test_one_sampled_step_is_its_closed_form() -> None:
    # With noise σ and rate q: the best test is a threshold on the noised sum, hits (1 - q) α + q Φ(1/σ + Φ⁻¹(α)).
    noise, rate = 0.8, 0.3
    exact = (1 - rate) * RATES + rate * scipy.stats.norm.cdf(1 / noise + scipy.stats.norm.ppf(RATES))
    risk = membership_risk([Steps(noise, rate, 1)], delta=1e-5)
    assert np.all(hits(risk) >= exact)
    assert hits(risk) == pytest.approx(exact, rel=0.005)


def test_rates_near_one_go_over_into_full_batches() -> None:
    sampled, full = (
        membership_risk([Steps(5.0, 0.99999, 40)], delta=1e-5),
        membership_risk([Steps(5.0, 1.0, 40)], delta=1e-5),
    )
    assert hits(sampled) == pytest.approx(hits(full), rel=0.005)
    assert sampled.mu == pytest.approx(full.mu, rel=0.005)


def test_replacing_an_image_doubles_the_distance() -> None:
    one = membership_risk([Steps(10.0, 1.0, 4)], delta=1e-5, adjacency="replace-one")
    assert one.mu == pytest.approx(0.4)
    sampled = [
        membership_risk([Steps(4.0, *CHEST)], delta=1e-5, adjacency=how) for how in ("add-remove", "replace-one")
    ]
    assert sampled[0].at_one_percent < sampled[1].at_one_percent < 3 * sampled[0].at_one_percent


def test_several_images_of_a_patient_are_as_many_distances() -> None:
    assert membership_risk([Steps(10.0, 1.0, 4)], delta=1e-5, images_per_patient=3).mu == pytest.approx(0.6)
    one, two = (membership_risk([Steps(4.0, *CHEST)], delta=1e-5, images_per_patient=k) for k in (1, 2))
    assert one.at_one_percent < two.at_one_percent


@pytest.mark.parametrize(("segment", "interval"), SETTINGS[:2])
def test_mu_promises_no_more_than_the_curve(segment: Steps, interval: float) -> None:
    risk = membership_risk([segment], delta=1e-5)
    assert np.all(scipy.stats.norm.cdf(risk.mu + scipy.stats.norm.ppf(RATES)) >= hits(risk) * (1 - 1e-12))
    assert 2 * scipy.stats.norm.cdf(risk.mu / 2) - 1 >= risk.advantage
    # Down to δ it is the smallest: a tenth less and some attacker does better somewhere.
    other = other_distribution(segment, interval)
    alarms = np.geomspace(1e-5, 0.5, 8)
    theirs = scipy.stats.norm.ppf(best_hits(other, alarms)) - scipy.stats.norm.ppf(alarms)
    assert risk.mu == pytest.approx(theirs.max(), rel=0.01)
    assert risk.mu >= theirs.max() * (1 - 1e-4)


def test_more_steps_and_less_noise_give_more_away() -> None:
    risks = [membership_risk([Steps(noise, 0.02, steps)], delta=1e-5) for noise, steps in ((4, 10), (2, 10), (2, 100))]
    for less, more in itertools.pairwise(risks):
        assert np.all(hits(less) < hits(more))
        assert less.advantage < more.advantage
        assert less.mu < more.mu


def test_stretches_add_up() -> None:
    together = membership_risk([Steps(2.0, 0.1, 50), Steps(2.0, 0.1, 30)], delta=1e-5)
    assert together == membership_risk([Steps(2.0, 0.1, 80)], delta=1e-5)
    mixed = membership_risk([Steps(2.0, 0.1, 50), Steps(20.0, 1.0, 30)], delta=1e-5)
    assert membership_risk([Steps(2.0, 0.1, 50)], delta=1e-5).advantage < mixed.advantage < 1


def test_the_ends() -> None:
    assert membership_risk([], delta=1e-5) == membership_risk([Steps(1.0, 0.1, 0)], delta=1e-5) == NO_RISK
    assert membership_risk([Steps(0.0, 1.0, 5)], delta=1e-5) == NO_LIMIT
    assert membership_risk([Steps(0.3, 0.5, 1_000_000)], delta=1e-5) == NO_LIMIT
    tiny = membership_risk([Steps(10_000.0, 1e-6, 1)], delta=1e-5)
    assert hits(tiny) == pytest.approx(RATES, rel=1e-6)
    assert membership_risk([Steps(0.31, 1.0, 100_000)], delta=1e-5).at_one_percent == 1
    # So small a delta that ε comes from the RDP accountant; the curve does not depend on it.
    small, usual = (membership_risk([Steps(4.0, *CHEST)], delta=delta) for delta in (1e-13, 1e-5))
    assert hits(small) == pytest.approx(hits(usual), rel=0.005)
    assert small.mu >= usual.mu


def test_one_point_alone_is_the_old_bound() -> None:
    assert risk_of_point(epsilon=0.0, delta=0.0).at_one_percent == 0.01
    assert risk_of_point(epsilon=math.inf, delta=1e-5) == NO_LIMIT
    point = risk_of_point(epsilon=1.0, delta=1e-5)
    assert point.tpr_at_fpr["0.001"] == pytest.approx(0.0027283, abs=1e-7)
    assert risk_of_point(epsilon=1.0, delta=0.0).advantage == pytest.approx(0.462117, abs=1e-6)
    assert point.mu is None
    # No Gaussian mechanism of that (ε, δ) does better.
    exact = membership_risk([Steps(3.73063, 1.0, 1)], delta=1e-5)
    assert np.all(hits(exact) <= hits(point))
    assert exact.advantage <= point.advantage
