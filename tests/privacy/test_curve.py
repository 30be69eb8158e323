"""Trade-off curves: against closed forms, published values, brute force and another library."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from medpriv_core.privacy.curve import (
    EVERYTHING,
    NOTHING,
    BoundedCurve,
    Curve,
    GaussianCurve,
    regret,
    smallest_mu,
)
from medpriv_core.privacy.relaxed import relaxed_hits
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.tradeoff import curve_of_point, membership_curve, membership_risk

CHEST = (128 / 5232, 2044)
RATES = np.concatenate([[0.0], np.geomspace(1e-8, 1.0, 97), [0.3, 0.7, 0.999]])


def laplace(theta: float) -> BoundedCurve:
    return BoundedCurve.of(lambda epsilon: max(0.0, -math.expm1((epsilon - theta) / 2)), largest=theta)


def laplace_closed_form(theta: float, rate: float) -> float:
    """Of one Laplace draw (science of reconstruction robustness: Balle, Cherubin and Hayes 2022)."""
    if rate < math.exp(-theta) / 2:
        return math.exp(theta) * rate
    return 1 - math.exp(-theta) / (4 * rate) if rate < 1 / 2 else 1 - math.exp(-theta) * (1 - rate)


def test_one_laplace_draw_is_its_closed_form() -> None:
    assert laplace(1.0).hits([0.01, 0.1, 0.3, 0.7]) == pytest.approx(
        [0.0271828, 0.271828, 0.693434, 0.889636], rel=1e-5
    )


@given(st.floats(0.01, 12.0), st.floats(1e-9, 1.0))
def test_any_laplace_draw_is_hardly_above_its_closed_form_and_never_below(theta: float, rate: float) -> None:
    told, true = float(laplace(theta).hits(rate)), laplace_closed_form(theta, rate)
    assert true * (1 - 1e-9) <= told <= true * (1 + 1e-4)


@pytest.mark.parametrize(
    ("mu", "advantage", "area", "at_one_in_thousand", "at_one_in_hundred"),
    [
        (0.5, 0.197413, 0.638163, 0.004796, 0.033899),
        (1, 0.382925, 0.760250, 0.018298, 0.092362),
        (2, 0.682689, 0.921350, 0.137805, 0.372081),
        (4, 0.954500, 0.997661, 0.818527, 0.952901),
    ],
)
def test_gaussian_noise_has_the_published_values(
    mu: Any, advantage: Any, area: Any, at_one_in_thousand: Any, at_one_in_hundred: Any
) -> None:
    curve = GaussianCurve(mu)
    assert curve.advantage == pytest.approx(advantage, abs=1e-6)
    assert curve.area == pytest.approx(area, abs=1e-6)
    assert curve.hits([0.001, 0.01]) == pytest.approx([at_one_in_thousand, at_one_in_hundred], abs=1e-6)


def test_gaussian_noise_known_by_its_deltas_is_the_same_curve() -> None:
    mu = 1.3

    def delta(epsilon: float) -> float:
        norm = scipy.stats.norm
        return float(norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu))

    bounded, exact = BoundedCurve.of(delta, largest=30.0, points=3_000), GaussianCurve(mu)
    assert bounded.hits(RATES[1:-3]) == pytest.approx(exact.hits(RATES[1:-3]), rel=1e-4)
    assert np.all(bounded.hits(RATES) >= exact.hits(RATES) - 1e-12)
    assert bounded.area == pytest.approx(exact.area, abs=1e-3)
    assert bounded.advantage == pytest.approx(exact.advantage)
    assert smallest_mu(bounded, rates=(1e-5, 0.01)) == pytest.approx(mu, rel=1e-3)
    assert regret(bounded, mu) < 1e-4


@pytest.mark.parametrize(
    "curve",
    [
        GaussianCurve(0.3),
        GaussianCurve(8.0),
        laplace(0.5),
        laplace(9.0),
        curve_of_point(epsilon=1.0, delta=1e-5),
        curve_of_point(epsilon=1e9, delta=1e-5),
        membership_curve([Steps(1.0, *CHEST)], delta=1e-5),
        membership_curve([Steps(0.4, 0.01, 30)], delta=1e-5),
        NOTHING,
        EVERYTHING,
    ],
    ids=lambda curve: type(curve).__name__,
)
def test_every_curve_rises_is_concave_and_never_below_guessing(curve: Curve) -> None:
    hits = curve.hits(RATES)
    order = np.argsort(RATES)
    rates, hits = RATES[order], hits[order]
    assert np.all((rates <= hits) & (hits <= 1))
    assert hits[-1] == 1
    assert np.all(np.diff(hits) >= -1e-12)
    slopes = np.diff(hits) / np.maximum(np.diff(rates), 1e-300)
    assert np.all(slopes[1:] <= slopes[:-1] * (1 + 1e-6) + 1e-9)
    assert curve.advantage == pytest.approx((hits - rates).max(), abs=0.02)
    assert 0.5 <= curve.area <= 1


def test_the_quick_way_finds_the_lowest_line() -> None:
    curve = membership_curve([Steps(1.0, *CHEST)], delta=1e-5)
    assert isinstance(curve, BoundedCurve)
    steep, flat = np.exp(curve.epsilons), np.exp(-curve.epsilons)
    for rate in (1e-6, 1e-4, 0.01, 0.2, 0.5, 0.9, 0.999):
        lowest = min(
            float((steep * rate + curve.deltas).min()), float((1 - flat * (1 - curve.deltas - rate)).min()), 1.0
        )
        assert float(curve.hits(rate)) == pytest.approx(max(lowest, rate), rel=1e-12)


@pytest.mark.parametrize(("noise", "rate", "steps"), [(1, *CHEST), (2, *CHEST), (4, *CHEST)])
def test_mu_and_its_misfit_agree_with_another_library(noise: Any, rate: Any, steps: Any) -> None:
    from dp_accounting.pld import privacy_loss_distribution
    from gdpnum import PLDConverter

    pld = privacy_loss_distribution.from_gaussian_mechanism(
        noise, sampling_prob=rate, value_discretization_interval=1e-3
    ).self_compose(steps)
    mu, misfit = PLDConverter(pld).get_mu_and_regret(1e-5)
    risk = membership_risk([Steps(noise, rate, steps)], delta=1e-5)
    assert risk.mu == pytest.approx(mu, rel=0.005)
    curve = membership_curve([Steps(noise, rate, steps)], delta=1e-5)
    assert regret(curve, risk.mu) == pytest.approx(misfit, rel=0.05, abs=5e-5)


def test_a_mu_that_is_too_small_for_the_curve_has_a_misfit_of_its_own_and_gaussian_noise_has_none() -> None:
    assert regret(GaussianCurve(1.0), 1.0) == 0
    assert regret(GaussianCurve(1.0), 2.0) == pytest.approx((math.erf(2 / 8**0.5) - math.erf(1 / 8**0.5)) / 2, abs=0.01)


def test_reconstruction_robustness_of_the_papers_training_is_the_same_curve() -> None:
    # The probability of being right after the release, by that before: 1/10, 1/100 and one of all 5,232 images. By the
    # smallest of all bounds e^ε · κ + δ(ε) of dp_accounting; libraries that read the curve off its grid leave out rare
    # large losses, and say 4 % less for one of 5,232 at a noise of 1.
    for noise, expected in (
        (1, (0.5497, 0.1857, 0.01843)),
        (2, (0.2445, 0.0416, 0.00157)),
        (4, (0.1586, 0.0205, 0.00054)),
    ):
        curve = membership_curve([Steps(noise, *CHEST)], delta=1e-5)
        assert curve.hits([0.1, 0.01, 1 / 5232]) == pytest.approx(expected, rel=0.02)
    strong = membership_curve([Steps(0.6, 0.1, 100)], delta=1e-5)
    assert strong.hits([0.1, 0.01, 1 / 5232]) == pytest.approx([0.841, 0.561, 0.202], rel=0.02)
    assert GaussianCurve(1.0).hits([0.001, 0.01, 0.1]) == pytest.approx([0.0182985, 0.0923622, 0.389144], rel=1e-5)


def test_at_the_ends_nobody_is_found_for_nothing_and_everybody_for_everything() -> None:
    assert GaussianCurve(2.0).hits([0.0, 1.0]).tolist() == [0.0, 1.0]
    assert EVERYTHING.hits([0.0, 0.5]).tolist() == [1.0, 1.0]
    assert NOTHING.hits([0.0, 0.25, 1.0]) == pytest.approx([0, 0.25, 1])
    assert curve_of_point(epsilon=1.0, delta=1e-3).hits([0.0]) == pytest.approx([1e-3])
    assert curve_of_point(epsilon=0.0, delta=1e-3).hits([0.5]) == pytest.approx([0.501])


@pytest.mark.parametrize(
    ("mu", "dimensions", "hits"),
    [(1, 1, 0.170075), (1, 10, 0.081980), (1, 100, 0.058284), (2, 1, 0.516005), (2, 10, 0.214895), (2, 100, 0.088609)],
)
def test_an_attacker_who_does_not_know_the_record_has_the_published_power(mu: Any, dimensions: Any, hits: Any) -> None:
    assert relaxed_hits(0.05, mu=mu, dimensions=dimensions) == pytest.approx(hits, abs=2e-6)


def test_in_one_dimension_he_is_the_two_sided_test_and_never_better_than_who_knows_it() -> None:
    norm = scipy.stats.norm
    for mu in (0.1, 1.0, 5.0):
        told = relaxed_hits(RATES, mu=mu, dimensions=1)
        threshold = norm.isf(RATES[1:-3] / 2)
        assert told[1:-3] == pytest.approx(norm.sf(threshold - mu) + norm.cdf(-threshold - mu), rel=1e-6, abs=1e-12)
        for dimensions in (1, 50, 11_000_000):
            assert np.all(relaxed_hits(RATES, mu=mu, dimensions=dimensions) <= GaussianCurve(mu).hits(RATES) + 1e-9)
    assert relaxed_hits([0.3], mu=0.0, dimensions=4).tolist() == [0.3]
