"""Odds: what an attacker knows after naming a record, against counting and a mechanism that reaches the bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medpriv_core.privacy.odds import PRIORS, odds_factor, posterior, posterior_at, posterior_of_any_outcome
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.tradeoff import NO_LIMIT, NO_RISK, membership_risk

INNER = st.floats(1e-6, 1 - 1e-6)
SHARES = st.floats(1e-6, 1)


@pytest.mark.parametrize("prior", PRIORS)
def test_the_posterior_is_what_counting_finds(prior: float) -> None:
    """Two million records, members by chance, each shifted by 1 standard deviation; who lies above 1.5 is named."""
    random = np.random.default_rng(7)
    member = random.random(2_000_000) < prior
    named = random.normal(size=len(member)) + member > 1.5
    hits, false_alarms = named[member].mean(), named[~member].mean()

    counted = member[named].mean()

    error = 5 * math.sqrt(counted * (1 - counted) / named.sum())
    assert posterior(prior, hits=0.30854, false_alarms=0.06681) == pytest.approx(counted, abs=error)
    here = float(member.mean())
    assert posterior(here, hits=float(hits), false_alarms=float(false_alarms)) == pytest.approx(counted, abs=1e-9)


@given(prior=INNER, hits=SHARES, false_alarms=SHARES)
def test_odds_grow_by_hits_over_false_alarms(prior: float, hits: float, false_alarms: float) -> None:
    after = posterior(prior, hits=hits, false_alarms=false_alarms)

    assert 0 <= after <= 1
    # In odds of not being a member, which do not lose digits near 1.
    assert (1 - prior) / prior * false_alarms / hits == pytest.approx((1 - after) / after, rel=1e-3, abs=1e-9)


@given(prior=INNER, share=SHARES)
def test_guessing_teaches_nothing(prior: float, share: float) -> None:
    assert posterior(prior, hits=share, false_alarms=share) == pytest.approx(prior)


def test_edges() -> None:
    assert posterior(0.1, hits=0, false_alarms=0) == 0.1
    assert posterior(0.1, hits=0, false_alarms=0.5) == 0
    assert posterior(0.1, hits=0.5, false_alarms=0) == 1
    assert posterior(0.5, hits=5e-324, false_alarms=5e-324) == 0.5


@pytest.mark.parametrize(
    ("prior", "hits", "false_alarms"),
    [(0, 0.1, 0.1), (1, 0.1, 0.1), (math.nan, 0.1, 0.1), (0.5, -0.1, 0.1), (0.5, 0.1, 1.1), (0.5, math.nan, 0.1)],
)
def test_what_is_no_share_is_refused(prior: float, hits: float, false_alarms: float) -> None:
    with pytest.raises(ValueError, match="must"):
        posterior(prior, hits=hits, false_alarms=false_alarms)


@pytest.mark.parametrize("rate", ["0.001", "0.01", "0.05"])
def test_of_a_risk(rate: str) -> None:
    risk = membership_risk([Steps(50.0, 1.0, 900)], delta=1e-5)  # a Gaussian of μ = 0.6
    from scipy.stats import norm

    hits = norm.sf(norm.isf(float(rate)) - 0.6)
    expected = hits * 0.1 / (hits * 0.1 + float(rate) * 0.9)

    assert posterior_at(0.1, risk=risk, rate=rate) == pytest.approx(expected)
    assert odds_factor(risk, rate) == pytest.approx(hits / float(rate))
    assert posterior_at(0.1, risk=NO_RISK, rate=rate) == pytest.approx(0.1)
    assert posterior_at(0.5, risk=NO_LIMIT, rate=rate) == pytest.approx(1 / (1 + float(rate)))


def test_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="rate must be one of"):
        posterior_at(0.1, risk=NO_RISK, rate="0.2")


@given(prior=INNER, epsilon=st.floats(0, 20))
def test_randomised_response_reaches_the_bound_of_any_outcome(prior: float, epsilon: float) -> None:
    tells_the_truth = math.exp(epsilon) / (1 + math.exp(epsilon))
    reached = posterior(prior, hits=tells_the_truth, false_alarms=1 / (1 + math.exp(epsilon)))

    assert posterior_of_any_outcome(prior, epsilon=epsilon) == pytest.approx(reached)


def test_without_a_guarantee_everything_may_be_known() -> None:
    assert posterior_of_any_outcome(0.01, epsilon=math.inf) == 1
    assert posterior_of_any_outcome(0.01, epsilon=0) == pytest.approx(0.01)
    with pytest.raises(ValueError, match="epsilon"):
        posterior_of_any_outcome(0.01, epsilon=-1)
    with pytest.raises(ValueError, match="epsilon"):
        posterior_of_any_outcome(0.01, epsilon=math.nan)
