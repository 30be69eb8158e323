"""The privacy ledger of a DP-SGD run: every step taken, in this session and the ones before it.

A resumed run that forgot its earlier steps would understate epsilon, so the ledger is part of the checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from medpriv_core.errors import RunError
from medpriv_core.privacy.dp_sgd import composed_epsilon, sampling_rate, solve_noise_multiplier
from medpriv_core.spec import RunSpec


@dataclass
class Ledger:
    """The mechanism of the steps to come, and the stretches of steps already taken.

    ``segments`` are {noise_multiplier, sample_rate, steps} in the order they were taken.
    """

    noise_multiplier: float
    sample_rate: float
    delta: float
    segments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """All steps taken."""
        return sum(segment["steps"] for segment in self.segments)

    def count_step(self) -> None:
        """Enter one step of the Poisson-subsampled Gaussian mechanism."""
        kind = {"noise_multiplier": self.noise_multiplier, "sample_rate": self.sample_rate}
        if not self.segments or self.segments[-1] != kind | {"steps": self.segments[-1]["steps"]}:
            self.segments.append(kind | {"steps": 0})
        self.segments[-1]["steps"] += 1

    def epsilon(self, *, more_steps: int = 0) -> float:
        """Epsilon at ``delta`` of all steps taken, and of ``more_steps`` to come."""
        taken = [(s["noise_multiplier"], s["sample_rate"], s["steps"]) for s in self.segments]
        return composed_epsilon([*taken, (self.noise_multiplier, self.sample_rate, more_steps)], delta=self.delta)


def open_ledger(spec: RunSpec, *, train_size: int, steps_left: int, segments: list[dict[str, Any]]) -> Ledger:
    """The ledger of a run that has taken ``segments`` and has ``steps_left`` to take.

    A ``target_epsilon`` is solved for the noise multiplier at the start; a resumed run keeps that noise.
    Raises ``RunError`` if it would then end above the target, ``SettingError`` if no noise reaches it.
    """
    sample_rate = sampling_rate(batch_size=spec.batch_size, train_size=train_size)
    noise_multiplier = spec.noise_multiplier
    if noise_multiplier is None and segments:
        noise_multiplier = float(segments[-1]["noise_multiplier"])
    if noise_multiplier is None:
        assert spec.target_epsilon is not None
        noise_multiplier = solve_noise_multiplier(
            target_epsilon=spec.target_epsilon, delta=spec.delta, sample_rate=sample_rate, steps=steps_left
        )
    ledger = Ledger(noise_multiplier, sample_rate, spec.delta, [dict(segment) for segment in segments])
    if spec.target_epsilon is not None:
        planned = ledger.epsilon(more_steps=steps_left)
        if planned > spec.target_epsilon:
            raise RunError(
                f"Going on to epoch {spec.epochs} would spend epsilon {planned:.4g}, more than this run's target of "
                f"{spec.target_epsilon:g}. Raise target_epsilon, or start a new run with more epochs."
            )
    return ledger
