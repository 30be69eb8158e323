"""The privacy ledger of a DP-SGD run: every step taken, in this session and the ones before it.

A resumed run that forgot its earlier steps would understate epsilon, so the ledger is part of the checkpoint, and of
the record beside it (``medpriv_core.runs.spent_record``).
"""

from __future__ import annotations

from dataclasses import dataclass

from medpriv_core.errors import SettingError
from medpriv_core.privacy.calibration import solve_noise_multiplier
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.steps import Steps, add_steps, count_steps
from medpriv_core.privacy.subsampled_gaussian import SubsampledGaussian
from medpriv_core.spec import RunSpec


@dataclass
class Ledger:
    """The mechanism of the steps to come, and the steps already taken.

    ``segments`` are in the order in which they were taken: with the noise multiplier as set, the rate that the
    accountant may count on, and the steps of the loop. What they cost follows from ``mechanism``, which does not change
    on the way.
    """

    noise_multiplier: float
    mechanism: SubsampledGaussian
    delta: float
    segments: tuple[Steps, ...] = ()

    @property
    def sample_rate(self) -> float:
        """Probability of a record to be in a step, as far as it may be counted on: 1 with a shuffled deck."""
        return self.mechanism.sample_rate

    @property
    def steps(self) -> int:
        """All steps taken by the loop."""
        return count_steps(self.segments)

    def count_step(self) -> None:
        """Enter one step of the loop."""
        self.segments = self._with_steps(1)

    def epsilon(self, *, more_steps: int = 0) -> float:
        """Epsilon at ``delta`` of all steps taken, and of ``more_steps`` of the loop to come."""
        return composed_epsilon(self.mechanism.stretches(self._with_steps(more_steps)), delta=self.delta)

    def _with_steps(self, count: int) -> tuple[Steps, ...]:
        return add_steps(self.segments, Steps(self.noise_multiplier, self.sample_rate, count))


def spent_before(
    saved: tuple[Steps, ...], recorded: Spent | None, *, mechanism: SubsampledGaussian, delta: float
) -> tuple[tuple[Steps, ...], str | None]:
    """The steps that a session goes on from, and a sentence where checkpoint and record do not agree on them.

    ``saved`` is the ledger in the checkpoint, empty without one. What costs more holds: somebody may have the network
    that a record counted and an older checkpoint does not.
    """
    by_record = saved if recorded is None or recorded.segments is None else recorded.segments
    if by_record == saved:
        return saved, None

    def cost(segments: tuple[Steps, ...]) -> tuple[float, int]:
        return composed_epsilon(mechanism.stretches(segments), delta=delta), count_steps(segments)

    larger = max(saved, by_record, key=cost)
    return larger, (
        f"The checkpoint counts {count_steps(saved):,} steps and the record of what was spent "
        f"{count_steps(by_record):,}; the privacy budget goes on from {count_steps(larger):,}, which costs more."
    )


def open_ledger(spec: RunSpec, mechanism: SubsampledGaussian, *, steps_left: int, taken: tuple[Steps, ...]) -> Ledger:
    """The ledger of a run of ``mechanism`` that has taken ``taken`` and has ``steps_left`` steps of the loop to take.

    A ``target_epsilon`` is solved for the noise multiplier at the start; a resumed run keeps that noise.
    Raises ``SettingError`` if it would then end above the target, or if no noise reaches it.
    """
    noise_multiplier = spec.noise_multiplier
    if noise_multiplier is None and taken:
        noise_multiplier = taken[-1].noise_multiplier
    if noise_multiplier is None:
        assert spec.target_epsilon is not None
        noise_multiplier = solve_noise_multiplier(
            target_epsilon=spec.target_epsilon,
            delta=spec.delta,
            sample_rate=mechanism.sample_rate,
            steps=mechanism.counted_steps(steps_left),
            sensitivity=mechanism.sensitivity,
        )
    ledger = Ledger(noise_multiplier, mechanism, spec.delta, taken)
    if spec.target_epsilon is not None:
        planned = ledger.epsilon(more_steps=steps_left)
        if planned > spec.target_epsilon:
            raise SettingError(
                f"Going on to epoch {spec.epochs} would spend epsilon {planned:.4g}, more than this run's target of "
                f"{spec.target_epsilon:g}. Raise [target_epsilon], or start a new run with more epochs."
            )
    return ledger
