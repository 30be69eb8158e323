"""ε in people at one ε and at others, against closed forms, the plan of a run at that ε, and the bound by one point."""

from __future__ import annotations

import itertools
import math

import pytest
import scipy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.exposure import ALARMS, EPSILONS, NAMED, Exposure, exposure_of, exposures
from medpriv_core.privacy.plan import plan_dp_sgd
from medpriv_core.privacy.statement import found_statement, recognised_statement
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.tradeoff import NO_LIMIT, membership_risk, risk_of_point

CHEST = (128 / 5232, 2044)


def gaussian_mu(epsilon: float, delta: float) -> float:
    """That of the Gaussian mechanism of this ε and δ (Balle and Wang 2018)."""

    def excess(mu: float) -> float:
        below, above = scipy.stats.norm.cdf([mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu])
        return float(below - math.exp(epsilon) * above - delta)

    return float(scipy.optimize.brentq(excess, 1e-3, 20))


def test_the_slider_goes_from_a_tenth_to_ten_and_has_what_people_argue_about() -> None:
    assert (EPSILONS[0], EPSILONS[-1]) == (0.1, 10)
    assert NAMED == (0.5, 1, 3, 8)
    assert set(NAMED) <= set(EPSILONS)
    assert list(EPSILONS) == sorted(EPSILONS)


@pytest.mark.parametrize("noise", [3.0, 50.0])
def test_full_batches_have_the_closed_form_at_every_epsilon(noise: float) -> None:
    for one in exposures([Steps(noise, 1.0, 900)], delta=1e-5):
        mu = gaussian_mu(one.epsilon, 1e-5)
        for rate in ALARMS:
            exact = scipy.stats.norm.cdf(mu + scipy.stats.norm.ppf(float(rate)))
            assert exact <= one.found[rate] * (1 + 1e-9)
            assert one.found[rate] == pytest.approx(exact, rel=0.01)


def test_sampled_steps_are_those_of_a_run_that_is_planned_for_that_epsilon() -> None:
    alike = {one.epsilon: one for one in exposures([Steps(2.0, *CHEST)], delta=1e-5)}
    for epsilon in NAMED:
        plan = plan_dp_sgd(train_size=5232, batch_size=128, epochs=50, target_epsilon=epsilon)
        steps = [Steps(plan.noise_multiplier, CHEST[0], plan.steps)]
        told = exposures(steps, delta=1e-5, epsilons=(epsilon,))[0]
        planned = plan.risk.tpr_at_fpr
        for rate in ALARMS:
            assert planned[rate] <= told.found[rate]
            assert told.found[rate] == pytest.approx(planned[rate], rel=0.015)
            # How much noise one begins with makes no difference.
            assert told.found[rate] == pytest.approx(alike[epsilon].found[rate], rel=0.01)


@settings(max_examples=12, deadline=None)
@given(
    noise=st.floats(0.4, 60),
    rate=st.sampled_from([0.001, 0.02, 0.3, 1.0]),
    steps=st.integers(1, 1500),
    epsilon=st.sampled_from([0.1, 1.0, 10.0]),
)
@example(noise=0.5, rate=0.01, steps=3, epsilon=10.0)
@example(noise=5000.0, rate=0.3, steps=1, epsilon=10.0)
def test_what_is_told_is_never_below_and_never_beyond_what_epsilon_and_delta_allow(
    noise: float, rate: float, steps: int, epsilon: float
) -> None:
    counted = [Steps(noise, rate, steps)]
    spent = composed_epsilon(counted, delta=1e-5)
    exact = membership_risk(counted, delta=1e-5).tpr_at_fpr
    if math.isfinite(spent) and 0.05 < spent < 50:
        told = exposures(counted, delta=1e-5, epsilons=(spent,))[0]
        assert all(exact[alarm] <= told.found[alarm] * (1 + 1e-9) for alarm in ALARMS)
    one = exposures(counted, delta=1e-5, epsilons=(epsilon,))[0]
    point = risk_of_point(epsilon=epsilon * 1.005, delta=1e-5).tpr_at_fpr
    assert all(float(alarm) <= one.found[alarm] <= point[alarm] * 1.001 for alarm in ALARMS)


@pytest.mark.parametrize(
    "counted",
    [[Steps(2.0, *CHEST)], [Steps(1.0, 0.1, 50), Steps(20.0, 1.0, 30)], [Steps(0.5, 0.01, 3)], None],
    ids=["sampled", "two stretches", "three steps", "point"],
)
def test_more_epsilon_never_gives_less_away(counted: list[Steps] | None) -> None:
    for less, more in itertools.pairwise(exposures(counted, delta=1e-5)):
        for rate in ALARMS:
            assert float(rate) <= less.found[rate] <= more.found[rate] * 1.0001


def test_without_steps_it_is_the_bound_by_epsilon_and_delta() -> None:
    # min(e^ε α + δ, 1 − e^−ε (1 − δ − α))
    one, eight = exposures(None, delta=1e-5, epsilons=(1.0, 8.0))
    assert one.found["0.05"] == pytest.approx(math.e * 0.05 + 1e-5)
    assert eight.found["0.01"] == pytest.approx(1 - math.exp(-8) * (1 - 1e-5 - 0.01))


def test_it_is_said_in_people_and_rounded_up() -> None:
    told = Exposure(3.0, {"0.01": 0.0526, "0.05": 0.33401})
    assert found_statement(told, "0.05") == (
        "Of 100 patients whose image was used, at most 33.5 are found, while 5 of 100 others are falsely accused."
    )
    assert "at most 5.3 are found, while 1 of 100 others is falsely accused" in found_statement(told, "0.01")
    assert "at most 5.3 are recognised" in recognised_statement(told, "0.01")
    sure = Exposure(2000.0, {"0.01": 1.0, "0.05": 1.0})
    assert "all may be found" in found_statement(sure, "0.01")
    nothing = exposure_of(NO_LIMIT, epsilon=math.inf)
    assert found_statement(nothing, "0.01").startswith("No ε holds: all")
    assert recognised_statement(nothing, "0.05").startswith("No ε holds: all")
