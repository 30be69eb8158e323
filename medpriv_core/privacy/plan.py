"""What a DP-SGD run would spend, known before it starts: epsilon depends on settings and sizes only."""

from __future__ import annotations

from dataclasses import dataclass

from medpriv_core.errors import SettingError
from medpriv_core.privacy.dp_sgd import DpSgdAccount, sampling_rate, solve_noise_multiplier, steps_per_epoch
from medpriv_core.spec import RunSpec

# Enough for 1,000 epochs on 100,000 records in batches of 100; the accountant takes seconds there, and minutes beyond.
MAX_STEPS = 1_000_000


@dataclass(frozen=True)
class DpSgdPlan:
    """The mechanism that will run, and what it costs at the end."""

    sample_rate: float  # probability with which each record enters a step
    steps: int  # in the whole run
    noise_multiplier: float
    epsilon: float
    delta: float


def plan_dp_sgd(
    *,
    train_size: int,
    batch_size: int,
    epochs: int,
    delta: float,
    noise_multiplier: float | None = None,
    target_epsilon: float | None = None,
) -> DpSgdPlan:
    """The plan for a noise multiplier, or for the one that reaches ``target_epsilon``.

    Raises ``SettingError`` unless exactly one of the two is given, and for impossible sizes.
    """
    if train_size < 1 or not 1 <= batch_size <= train_size:
        raise SettingError(f"batch_size must be between 1 and the {train_size} training records, but is {batch_size}.")
    if (noise_multiplier is None) == (target_epsilon is None):
        raise SettingError("Give either noise_multiplier or target_epsilon (one of them, not both).")
    sample_rate = sampling_rate(batch_size=batch_size, train_size=train_size)
    steps = epochs * steps_per_epoch(batch_size=batch_size, train_size=train_size)
    if steps > MAX_STEPS:
        raise SettingError(
            f"These settings make {steps:,} steps, and epsilon is computed for up to {MAX_STEPS:,}. Take a larger "
            "batch_size or fewer epochs."
        )
    if noise_multiplier is None:
        assert target_epsilon is not None
        noise_multiplier = solve_noise_multiplier(
            target_epsilon=target_epsilon, delta=delta, sample_rate=sample_rate, steps=steps
        )
    account = DpSgdAccount(noise_multiplier=noise_multiplier, sample_rate=sample_rate, delta=delta)
    return DpSgdPlan(sample_rate, steps, noise_multiplier, account.epsilon(steps), delta)


def plan_run(spec: RunSpec, *, train_size: int) -> DpSgdPlan:
    """The plan of a DP-SGD run on ``train_size`` training records; raises as ``plan_dp_sgd`` does."""
    return plan_dp_sgd(
        train_size=train_size,
        batch_size=spec.batch_size,
        epochs=spec.epochs,
        delta=spec.delta,
        noise_multiplier=spec.noise_multiplier,
        target_epsilon=spec.target_epsilon,
    )
