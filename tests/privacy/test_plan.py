"""Plans: what holds for what runs, beside what would be claimed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from medpriv_core.errors import SettingError
from medpriv_core.privacy.plan import plan_dp_sgd, plan_run
from medpriv_core.privacy.subsampled_gaussian import mechanism_of_loop
from medpriv_core.spec import RunSpec

CHEST: dict[str, Any] = {"train_size": 5218, "batch_size": 128, "epochs": 50, "delta": 1e-4}


@pytest.mark.parametrize(
    ("size", "noise", "assumed", "doubled", "unamplified", "both"),
    [
        (5218, 5.002, 0.687, 1.571, 5.77, 13.9),
        (5218, 9.7, 0.322, 0.712, 2.62, 5.99),
        (5218, 19.55, 0.146, 0.320, 1.17, 2.60),
        (2929, 6.6, 0.693, 1.559, None, None),
    ],
)
def test_the_authors_runs_as_assumed_and_as_they_were(
    size: Any, noise: Any, assumed: Any, doubled: Any, unamplified: Any, both: Any
) -> None:
    settings: dict[str, Any] = CHEST | {"train_size": size, "noise_multiplier": noise}
    assert plan_dp_sgd(**settings).epsilon == pytest.approx(assumed, rel=0.01)
    assert plan_dp_sgd(**settings, microbatch_size=4).epsilon == pytest.approx(doubled, rel=0.01)
    if unamplified:
        shuffled = plan_dp_sgd(**settings, sampling="shuffled")
        assert shuffled.epsilon == pytest.approx(unamplified, rel=0.005)
        worst = plan_dp_sgd(**settings, sampling="shuffled", microbatch_size=4)
        assert worst.epsilon == pytest.approx(both, rel=0.005)
        assert worst.claimed_epsilon == pytest.approx(assumed, rel=0.01)


def test_a_sound_plan_claims_what_holds() -> None:
    plan = plan_dp_sgd(**CHEST, noise_multiplier=2.0)
    assert plan.claimed_epsilon == plan.epsilon < plan.epsilon_rdp
    full = plan_dp_sgd(**CHEST, noise_multiplier=2.0, sampling="full_batch")
    assert full.claimed_epsilon == full.epsilon
    assert (full.sample_rate, full.steps, full.accountant) == (1.0, 50, "gaussian")


def test_a_shuffled_plan_counts_one_step_an_epoch() -> None:
    plan = plan_dp_sgd(**CHEST, noise_multiplier=5.002, sampling="shuffled")
    assert (plan.sample_rate, plan.steps, plan.adjacency) == (1.0, 50, "zero-out")


def run(**settings: Any) -> RunSpec:
    return RunSpec(dataset="synthetic_chest", method="dp_sgd", batch_size=128, epochs=50, delta=1e-4, **settings)


def test_batch_norm_has_no_epsilon_whatever_the_noise() -> None:
    spec = run(noise_multiplier=9.7, norm="batch_norm", trainable="all", engine="microbatch", sampling="shuffled")
    plan = plan_run(spec, train_size=5218)
    assert plan.epsilon == math.inf == plan.epsilon_rdp
    assert plan.claimed_epsilon == pytest.approx(0.322, rel=0.01)


def test_a_target_is_solved_for_what_holds() -> None:
    spec = run(target_epsilon=4.0, engine="microbatch", microbatch_size=4, sampling="shuffled")
    plan = plan_run(spec, train_size=5218)
    assert 3.96 <= plan.epsilon <= 4.0
    assert plan.claimed_epsilon < 1
    # Two clipping norms, once in each of 50 epochs.
    assert plan.noise_multiplier == pytest.approx(2 * math.sqrt(50) / 0.977, rel=0.1)


def test_a_target_with_batch_norm_is_refused() -> None:
    spec = run(target_epsilon=4.0, engine="microbatch", norm="batch_norm", trainable="all")
    with pytest.raises(SettingError, match="No noise gives a guarantee while BatchNorm"):
        plan_run(spec, train_size=5218)


def test_a_patient_with_more_images_is_protected_less() -> None:
    plan = plan_dp_sgd(**CHEST, noise_multiplier=5.002)
    assert plan.epsilon_patient(1) == plan.epsilon
    assert plan.epsilon_patient(2) > 2 * plan.epsilon


def test_a_plan_refuses_impossible_sizes() -> None:
    with pytest.raises(SettingError, match="batch_size must be between 1 and the 10"):
        plan_dp_sgd(train_size=10, batch_size=11, epochs=1, delta=1e-5, noise_multiplier=1.0)
    with pytest.raises(SettingError, match="one of them"):
        plan_dp_sgd(train_size=10, batch_size=5, epochs=1, delta=1e-5)
    with pytest.raises(SettingError, match="no training records"):
        plan_dp_sgd(train_size=0, batch_size=5, epochs=1, delta=1e-5, noise_multiplier=1.0)
    with pytest.raises(SettingError, match=r"up to 1,000,000"):
        plan_dp_sgd(train_size=10**8, batch_size=5, epochs=1, delta=1e-9, noise_multiplier=1.0)
    with pytest.raises(SettingError, match="must be below 1/n"):
        plan_run(run(noise_multiplier=1.0), train_size=20_000)


def test_a_full_batch_needs_no_batch_size() -> None:
    plan = plan_dp_sgd(train_size=10, batch_size=64, epochs=3, delta=1e-5, noise_multiplier=1.0, sampling="full_batch")
    assert (plan.steps, plan.sample_rate) == (3, 1.0)


def test_a_shuffled_deck_counts_every_epoch_begun() -> None:
    mechanism = mechanism_of_loop(train_size=25, batch_size=10, sampling="shuffled")
    assert mechanism.steps_per_epoch == 3
    assert [mechanism.counted_steps(steps) for steps in (0, 1, 3, 4, 6, 7)] == [0, 1, 1, 2, 2, 3]
    # Two steps that reach into the next epoch are in two of them.
    assert mechanism.counted_steps(2, first=2) == 2
    assert mechanism.counted_steps(2, first=3) == 1


def test_other_loops_count_every_step() -> None:
    for sampling in ("poisson", "full_batch"):
        mechanism = mechanism_of_loop(train_size=25, batch_size=10, sampling=sampling)
        assert mechanism.counted_steps(7, first=2) == 7


def test_who_keeps_an_empty_place() -> None:
    def adjacency(**loop: Any) -> str:
        return mechanism_of_loop(train_size=25, batch_size=10, **loop).adjacency

    assert adjacency() == adjacency(microbatch_size=5) == "add-remove"
    assert adjacency(sampling="shuffled") == adjacency(sampling="full_batch") == "zero-out"
    assert adjacency(sampling="full_batch", microbatch_size=5) == "zero-out"
