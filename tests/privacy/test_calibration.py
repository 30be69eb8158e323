"""The noise that a wanted epsilon needs: enough, and hardly more."""

from __future__ import annotations

import math

import pytest

from medpriv_core.errors import SettingError
from medpriv_core.privacy.calibration import solve_noise_multiplier
from medpriv_core.privacy.dp_sgd import Adjacency, composed_epsilon
from medpriv_core.privacy.steps import Steps


@pytest.mark.parametrize("target", [0.01, 0.5, 1.0, 3.0, 8.0, 50.0])
@pytest.mark.parametrize(("sample_rate", "steps", "sensitivity"), [(128 / 5216, 2050, 1.0), (1.0, 50, 2.0)])
def test_solved_noise_reaches_the_target_and_wastes_little(
    target: float, sample_rate: float, steps: int, sensitivity: float
) -> None:
    noise = solve_noise_multiplier(
        target_epsilon=target, delta=1e-5, sample_rate=sample_rate, steps=steps, sensitivity=sensitivity
    )
    spent = composed_epsilon([Steps(noise / sensitivity, sample_rate, steps)], delta=1e-5)
    assert target * 0.99 <= spent <= target


def test_few_steps_of_small_batches_are_solved_too() -> None:
    # Tails rule here, and the start of the search is far off.
    noise = solve_noise_multiplier(target_epsilon=0.5, delta=1e-5, sample_rate=0.02, steps=20)
    assert 0.49 <= composed_epsilon([Steps(noise, 0.02, 20)], delta=1e-5) <= 0.5


@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
def test_the_target_is_one_of_the_adjacency_asked_for(adjacency: Adjacency) -> None:
    noise = solve_noise_multiplier(target_epsilon=2.0, delta=1e-5, sample_rate=0.02, steps=500, adjacency=adjacency)
    assert 1.98 <= composed_epsilon([Steps(noise, 0.02, 500)], delta=1e-5, adjacency=adjacency) <= 2.0


def test_a_delta_too_small_for_the_grid_is_solved_by_the_other_accountant() -> None:
    noise = solve_noise_multiplier(target_epsilon=1.0, delta=1e-12, sample_rate=0.02, steps=2000)
    assert 0.97 <= composed_epsilon([Steps(noise, 0.02, 2000)], delta=1e-12) <= 1.0


def test_a_target_out_of_reach_says_what_to_do() -> None:
    with pytest.raises(SettingError, match="Train fewer epochs"):
        solve_noise_multiplier(target_epsilon=0.01, delta=1e-12, sample_rate=1.0, steps=1_000_000)
    with pytest.raises(SettingError, match=r"No noise multiplier up to 10000 reaches epsilon 0\.01"):
        solve_noise_multiplier(target_epsilon=0.01, delta=1e-9, sample_rate=0.9, steps=1000)


@pytest.mark.parametrize("target", [0.0, -1.0, math.nan])
def test_a_target_of_nothing_is_refused(target: float) -> None:
    with pytest.raises(SettingError, match="target_epsilon must be between"):
        solve_noise_multiplier(target_epsilon=target, delta=1e-5, sample_rate=0.02, steps=10)


def test_no_noise_is_found_where_nothing_bounds_a_record() -> None:
    with pytest.raises(SettingError, match="BatchNorm"):
        solve_noise_multiplier(target_epsilon=1.0, delta=1e-5, sample_rate=1.0, steps=10, sensitivity=math.inf)


def test_a_generous_target_gives_the_smallest_noise_allowed() -> None:
    assert solve_noise_multiplier(target_epsilon=100, delta=1e-5, sample_rate=0.001, steps=1) == 0.3
    assert solve_noise_multiplier(target_epsilon=100, delta=1e-5, sample_rate=1.0, steps=1) == 0.3
