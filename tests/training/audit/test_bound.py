"""The bound against mechanisms whose epsilon is known, and against sums written out."""

from __future__ import annotations

import doctest
import math
from typing import Any

import numpy as np
import pytest

from medpriv_core.training.audit import bound
from medpriv_core.training.audit.bound import epsilon_lower_bound, mu_lower_bound, p_value


def test_the_examples_are_true() -> None:
    result = doctest.testmod(bound)
    assert (result.attempted, result.failed) == (3, 0)


def test_without_delta_it_is_a_binomial_test() -> None:
    chance = math.e / (1 + math.e)
    expected = sum(math.comb(20, k) * chance**k * (1 - chance) ** (20 - k) for k in range(17, 21))
    assert p_value(epsilon=1.0, canaries=50, guesses=20, right=17, delta=0) == pytest.approx(expected)


def test_delta_adds_the_worst_case_of_corollary_5_4() -> None:
    guesses, right, canaries, delta, epsilon = 30, 25, 100, 1e-4, 0.7
    chance = 1 / (1 + math.exp(-epsilon))

    def probability(k: int) -> float:
        return math.comb(guesses, k) * chance**k * (1 - chance) ** (guesses - k)

    beta = sum(probability(k) for k in range(right, guesses + 1))
    alpha = max(sum(probability(right - j) for j in range(1, i + 1)) / i for i in range(1, right + 1))
    found = p_value(epsilon=epsilon, canaries=canaries, guesses=guesses, right=right, delta=delta)
    assert found == pytest.approx(beta + 2 * canaries * delta * alpha)


def test_it_is_rarely_above_an_epsilon_that_is_true() -> None:
    """Randomised response on each coin: epsilon is exactly 1, so at 90 % confidence at most 10 % may say more."""
    rng = np.random.default_rng(0)
    right, times = np.unique(rng.binomial(400, math.e / (1 + math.e), size=100_000), return_counts=True)
    bounds = [epsilon_lower_bound(canaries=400, guesses=400, right=int(k), delta=0, confidence=0.9) for k in right]
    too_high = times[np.array(bounds) >= 1.0].sum() / 100_000
    assert 0.05 < too_high < 0.105
    # And it is not empty: half of the time it says more than 0.7.
    assert epsilon_lower_bound(canaries=400, guesses=400, right=292, delta=0, confidence=0.9) > 0.7


def test_the_bound_on_mu_is_rarely_above_a_mu_that_is_true_and_comes_near_to_it() -> None:
    """At 90 % confidence; errors of a test at the middle between N(0, 1) and N(mu, 1), drawn by numpy."""
    rng, mu, trials = np.random.default_rng(0), 0.5, 4000
    seen = []
    for outs, ins in zip(rng.normal(size=(1000, trials)), rng.normal(mu, size=(1000, trials)), strict=True):
        errors = {"false_alarms": int((outs > mu / 2).sum()), "misses": int((ins <= mu / 2).sum())}
        seen.append(mu_lower_bound(outs=trials, ins=trials, confidence=0.9, **errors))
    assert np.mean(np.array(seen) >= mu) < 0.1
    assert np.median(seen) > 0.4


@pytest.mark.parametrize(("false_alarms", "misses"), [(100, 0), (50, 50), (0, 100), (100, 100)])
def test_a_test_that_tells_nothing_refutes_no_mu(false_alarms: Any, misses: Any) -> None:
    assert mu_lower_bound(false_alarms=false_alarms, outs=100, misses=misses, ins=100, confidence=0.999) == 0


def test_just_refuted_is_refuted_and_the_next_thousandth_is_not() -> None:
    facts: dict[str, Any] = {"canaries": 500, "guesses": 200, "right": 180, "delta": 1e-7}
    found = epsilon_lower_bound(confidence=0.999, **facts)
    assert p_value(epsilon=found, **facts) < 1e-3 <= p_value(epsilon=found + 0.001, **facts)


@pytest.mark.parametrize("right", [0, 50, 100])
def test_guessing_as_well_as_a_coin_refutes_nothing(right: Any) -> None:
    assert epsilon_lower_bound(canaries=300, guesses=200, right=right, delta=1e-6, confidence=0.999) == 0


def test_more_right_guesses_refute_more_and_more_confidence_or_delta_less() -> None:
    def found(right: int, confidence: float = 0.99, delta: float = 1e-8) -> float:
        return epsilon_lower_bound(canaries=300, guesses=200, right=right, delta=delta, confidence=confidence)

    assert 0 < found(150) < found(180) < found(200)
    assert found(180, confidence=0.999) < found(180)
    assert found(180, delta=1e-4) < found(180)
