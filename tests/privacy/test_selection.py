"""The ε of the best of a random number of networks, against another library's formula and against the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from dp_accounting import dp_event
from dp_accounting.rdp import RdpAccountant
from scipy import stats

from medpriv_core.privacy.dp_sgd import composed_epsilon, composed_rdp_epsilon
from medpriv_core.privacy.selection import best_of
from medpriv_core.privacy.steps import Steps

RATE, COUNT = 128 / 5232, 2044


def by_google(noise: float, mean: float, shape: float, *, rate: float = RATE, count: int = COUNT) -> float:
    one = dp_event.SelfComposedDpEvent(dp_event.PoissonSampledDpEvent(rate, dp_event.GaussianDpEvent(noise)), count)
    accountant = RdpAccountant()
    accountant.compose(dp_event.RepeatAndSelectDpEvent(one, mean, shape))
    return float(accountant.get_epsilon(1e-5))


@pytest.mark.parametrize("noise", [1.0, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("mean", [2, 5, 12, 48])
def test_one_setting_as_google_computes_it(noise: float, mean: int) -> None:
    found = best_of([[Steps(noise, RATE, COUNT)]], mean=mean, delta=1e-5)
    known = {"poisson": by_google(noise, mean, math.inf), "geometric": by_google(noise, mean, 1.0)}
    assert found.epsilon == pytest.approx(known[found.number], rel=1e-6)
    assert found.epsilon == pytest.approx(min(known.values()), rel=1e-6)


def test_of_several_settings_the_largest_divergence_at_each_order_counts() -> None:
    quiet, loud = Steps(4.0, RATE, COUNT), Steps(2.0, RATE, COUNT)
    alone = best_of([[loud]], mean=5, delta=1e-5)
    assert best_of([[quiet], [loud]], mean=5, delta=1e-5) == alone
    # A few loud steps and many quiet ones: neither costs more at every order.
    rare = [Steps(0.7, 0.001, 40)]
    both = best_of([rare, [quiet]], mean=5, delta=1e-5).epsilon
    assert both >= max(best_of([one], mean=5, delta=1e-5).epsilon for one in (rare, [quiet])) - 1e-9


def test_never_less_than_one_network_and_for_many_less_than_all() -> None:
    one = Steps(2.0, RATE, COUNT)
    assert best_of([[one]], mean=1, delta=1e-5).epsilon >= composed_rdp_epsilon([one], delta=1e-5) * (1 - 1e-9)
    for mean in (3, 12, 48):
        assert best_of([[one]], mean=mean, delta=1e-5).epsilon < composed_epsilon([one] * mean, delta=1e-5)


@pytest.mark.parametrize(("mean", "number"), [(3.0, "poisson"), (40.0, "geometric")])
def test_the_epsilon_holds_where_the_selection_can_be_computed(mean: float, number: str) -> None:
    """One Gaussian of unit noise is the network and its own score: the largest of K is given away."""
    noise, delta = 3.0, 1e-5
    found = best_of([[Steps(noise, 1.0, 1)]], mean=mean, delta=delta)
    assert found.number == number
    grid = np.linspace(-15, 20, 200_001)

    def log_density_of_best(shift: float) -> np.ndarray:
        below, density = stats.norm.cdf(grid, shift, noise), stats.norm.pdf(grid, shift, noise)
        if number == "poisson":  # derivative of the generating function exp(m (s - 1)) at s = cdf
            return np.log(mean) + mean * (below - 1) + np.log(density)
        share = 1 / mean  # of share s / (1 - (1 - share) s)
        return np.log(share) - 2 * np.log1p(-(1 - share) * below) + np.log(density)

    for one, other in ((0.0, 1.0), (1.0, 0.0)):
        p, q = np.exp(log_density_of_best(one)), np.exp(log_density_of_best(other))
        beyond = float(np.trapezoid(np.maximum(0, p - math.exp(found.epsilon) * q), grid))
        assert beyond <= delta
        # And it is not idle: a tenth of it would not hold.
        assert float(np.trapezoid(np.maximum(0, p - math.exp(found.epsilon / 10) * q), grid)) > delta
