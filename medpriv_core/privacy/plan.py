"""What a DP-SGD run would spend, known before it starts: epsilon depends on settings and sizes only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.privacy.calibration import solve_noise_multiplier
from medpriv_core.privacy.dp_sgd import (
    Accountant,
    Adjacency,
    accountant_of,
    composed_epsilon,
    composed_rdp_epsilon,
    sampling_rate,
)
from medpriv_core.privacy.private_training import private_training
from medpriv_core.privacy.steps import Steps, count_steps
from medpriv_core.privacy.subsampled_gaussian import SubsampledGaussian, mechanism_of_loop
from medpriv_core.privacy.tradeoff import NO_LIMIT, Risk, membership_risk
from medpriv_core.spec import RunSpec, Sampling, check_bound
from medpriv_core.unit import Unit

# Enough for 1,000 epochs on 100,000 records in batches of 100; the accountant takes seconds there, and minutes beyond.
MAX_STEPS = 1_000_000


@dataclass(frozen=True)
class DpSgdPlan:
    """The mechanism that will run, and what it costs at the end.

    mechanism         what is counted
    adjacency         how neighbouring training sets differ
    stretches         the counted steps, as ``composed_epsilon`` takes them
    noise_multiplier  sigma: noise standard deviation / clipping norm
    epsilon           what holds
    claimed_epsilon   what would be stated if Poisson sampling, clipping record by record and no BatchNorm were assumed;
                      the same as ``epsilon`` where they are true
    """

    mechanism: SubsampledGaussian
    adjacency: Adjacency
    stretches: tuple[Steps, ...]
    noise_multiplier: float
    epsilon: float
    claimed_epsilon: float
    delta: float

    @property
    def sample_rate(self) -> float:
        """Probability with which each record enters a counted step."""
        return self.mechanism.sample_rate

    @property
    def accountant(self) -> Accountant:
        """Which accountant ``epsilon`` comes from."""
        return accountant_of(sample_rate=self.sample_rate, delta=self.delta, steps=self.steps)

    @property
    def steps(self) -> int:
        """Counted at ``sample_rate``: those of the loop, or with a shuffled deck one an epoch."""
        return count_steps(self.stretches)

    @property
    def risk(self) -> Risk:
        """What an attacker can find out at most about one image, by the exact trade-off curve."""
        if math.isinf(self.epsilon):
            return NO_LIMIT
        return membership_risk(self.stretches, delta=self.delta, adjacency=self.adjacency)

    @property
    def epsilon_rdp(self) -> float:
        """The second line: what holds by the classic accountant, looser and computed in another way."""
        return composed_rdp_epsilon(self.stretches, delta=self.delta, adjacency=self.adjacency)

    def epsilon_patient(self, images: int) -> float:
        """What holds for a patient with several images, added or removed together.

        Args:
            images: How many the patient has in the training set, from 1 to 100.

        Returns:
            ε at ``delta``; infinite where none holds.

        Raises:
            SettingError: There are more images, neighbours differ by replacement, or ``delta`` is too small to compute
                it.
        """
        if self.mechanism.unit == "patient":
            return self.epsilon  # however many images
        return composed_epsilon(self.stretches, delta=self.delta, adjacency=self.adjacency, images_per_patient=images)


def plan_dp_sgd(
    *,
    train_size: int,
    batch_size: int,
    epochs: int,
    delta: float = DEFAULT_DELTA,
    noise_multiplier: float | None = None,
    target_epsilon: float | None = None,
    sampling: Sampling = "poisson",
    microbatch_size: int = 1,
    adjacency: Adjacency | None = None,
    unit: Unit = "image",
) -> DpSgdPlan:
    """Compute the epsilon of a DP-SGD training, or the noise that reaches an epsilon. Nothing is trained.

    Args:
        train_size: Number of training records, n; at least 1. A record is an image, or a patient: see ``unit``.
        batch_size: Records in a step, with Poisson subsampling the expected number; from 1 to ``train_size``. A full
            batch has all.
        epochs: How often, on average, each record is used.
        delta: The chance with which the promise of ε may fail altogether, from 1e-12 to 0.1. It should be below 1/n.
        noise_multiplier: Standard deviation of the noise, in clipping norms; from 0.3 to 10,000. Give this or the next
            one.
        target_epsilon: The ε that is to hold at the end, from 0.01 to 100.
        sampling: "poisson", "full_batch" or "shuffled".
        microbatch_size: Records whose mean gradient is clipped as one; at least 1. Above 1, one record can change twice
            as much.
        adjacency: How neighbouring training sets differ. Without it, as the sampling implies: by a record more or less
            ("add-remove"), in a full batch by an empty one in the place of a record ("zero-out"). "replace-one": by any
            other record in its place.
        unit: What a record is: "image", or "patient" where patients are drawn and each one's gradient is clipped once,
            whatever images they have.

    Returns:
        The plan: ``epsilon`` and ``delta`` with ``adjacency``, ``accountant`` and ``mechanism`` (which says how images
        are sampled); ``noise_multiplier``, ``sample_rate`` and ``steps``; ``epsilon_patient(images)`` for a patient
        with several images; and ``risk``, what an attacker can find out at most about one record.

    Raises:
        SettingError: Not exactly one of ``noise_multiplier`` and ``target_epsilon`` is given, a number is out of its
            bounds, there are more than ``MAX_STEPS`` steps, or no noise reaches the target.
    """
    mechanism = mechanism_of_loop(
        train_size=train_size, batch_size=batch_size, sampling=sampling, microbatch_size=microbatch_size, unit=unit
    )
    return _plan(
        mechanism,
        train_size,
        batch_size,
        epochs,
        delta,
        noise_multiplier,
        target_epsilon,
        adjacency or mechanism.adjacency,
    )


def plan_run(spec: RunSpec, *, train_size: int) -> DpSgdPlan:
    """Compute the epsilon that a DP-SGD run would have at its end. Nothing is trained.

    Args:
        spec: What would be trained. Its ``method`` is "dp_sgd".
        train_size: Number of training records, n, at least 1: as ``list_datasets`` says it, images, or patients where
            the run's ``unit`` is "patient".

    Returns:
        The plan, as ``plan_dp_sgd`` gives it.

    Raises:
        SettingError: The batch is larger than the training set, δ is not below 1/n, there are more than ``MAX_STEPS``
            steps, or no noise reaches the ``target_epsilon``. Also for a run of another method.
    """
    spec.check_dataset_size(train_size)
    mechanism = private_training(spec, train_size=train_size).mechanism
    return _plan(
        mechanism,
        train_size,
        spec.batch_size,
        spec.epochs,
        spec.delta,
        spec.noise_multiplier,
        spec.target_epsilon,
        mechanism.adjacency,
    )


def claimed_rate(*, batch_size: int, train_size: int, sampling: Sampling) -> float:
    """The sampling rate that is taken for granted where nobody looks.

    Args:
        batch_size: Records in a step, or expected in it.
        train_size: Training records, n.
        sampling: How batches are said to be drawn.

    Returns:
        That of Poisson sampling, but 1 for a full batch.
    """
    return 1.0 if sampling == "full_batch" else sampling_rate(batch_size=batch_size, train_size=train_size)


def _plan(
    mechanism: SubsampledGaussian,
    train_size: int,
    batch_size: int,
    epochs: int,
    delta: float,
    noise_multiplier: float | None,
    target_epsilon: float | None,
    adjacency: Adjacency,
) -> DpSgdPlan:
    if (noise_multiplier is None) == (target_epsilon is None):
        raise SettingError("Give either [noise_multiplier] or [target_epsilon] (one of them, not both).")
    if noise_multiplier is not None:
        check_bound("noise_multiplier", noise_multiplier)
    check_bound("delta", delta)
    loop_steps = epochs * mechanism.steps_per_epoch
    if loop_steps > MAX_STEPS:
        raise SettingError(
            f"These settings make {loop_steps:,} steps, and epsilon is computed for up to {MAX_STEPS:,}. Take a larger "
            "[batch_size] or fewer [epochs]."
        )
    if noise_multiplier is None:
        assert target_epsilon is not None
        noise_multiplier = solve_noise_multiplier(
            target_epsilon=target_epsilon,
            delta=delta,
            sample_rate=mechanism.sample_rate,
            steps=mechanism.counted_steps(loop_steps),
            sensitivity=mechanism.sensitivity,
            adjacency=adjacency,
        )
    rate = claimed_rate(batch_size=batch_size, train_size=train_size, sampling=mechanism.sampling)
    claimed = composed_epsilon([Steps(noise_multiplier, rate, loop_steps)], delta=delta, adjacency=adjacency)
    stretches = mechanism.stretches([Steps(noise_multiplier, mechanism.sample_rate, loop_steps)])
    epsilon = composed_epsilon(stretches, delta=delta, adjacency=adjacency)
    return DpSgdPlan(mechanism, adjacency, stretches, noise_multiplier, epsilon, claimed, delta)
