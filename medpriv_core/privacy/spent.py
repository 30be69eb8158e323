"""What the network of a run has spent and how far it is: one record, bound to the weights that lie on the disk.

The rows of ``metrics.jsonl`` speak of ends of epochs. A run can be stopped between two, and then the network that is
resumed, exported or asked has taken more steps than its last row says. So the worker writes a ``Spent`` together with
each checkpoint (``medpriv_core.runs.spent_record``), and everything that says an epsilon of a *network* reads that.

Runs of earlier versions have no such record. Of them the most that their files show is taken, and ``recorded`` is
False: nobody knows whether their checkpoint has taken more.

>>> spent = Spent(epochs=1, step=73, steps=153, steps_per_epoch=80, epsilon=3.72, delta=1e-5)
>>> spent.place
'It was stopped in epoch 2, after 153 steps; figures are of the end of epoch 1.'
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from medpriv_core.privacy.dp_sgd import Accountant, Adjacency, accountant_of, composed_epsilon
from medpriv_core.privacy.steps import MOST_STEPS, Steps, count_steps, number_within, steps_from_json, steps_to_json
from medpriv_core.privacy.subsampled_gaussian import SubsampledGaussian
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.spec import BOUNDS, RunSpec, Sampling

Bond = Literal["unknown", "holds", "broken", "older", "damaged"]


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What the network of a run has behind it.

    epochs           that it has finished
    step             steps of the epoch under way; 0 between two epochs
    steps            that count: those of the network, and those that a record had counted before work was lost
    steps_per_epoch  of the loop; None where an earlier version did not record it
    epsilon          of DP-SGD, at ``delta``; infinite where none holds, None for other methods
    adjacency, sampling, accountant   what epsilon depends on besides; None where not recorded
    segments         steps as the ledger has them; None where not recorded
    checkpoint       SHA-256 of the checkpoint that it was written for; None where not recorded
    recorded         written by the worker together with the checkpoint, not concluded from other files
    bond             whether ``checkpoint`` is the file that lies there now: broken if not; older where record and
                     checkpoint are from before an epoch that was shown; damaged where the record cannot be read
    """

    epochs: int
    step: int
    steps: int
    steps_per_epoch: int | None = None
    epsilon: float | None = None
    delta: float | None = None
    adjacency: Adjacency | None = None
    sampling: Sampling | None = None
    accountant: Accountant | None = None
    segments: tuple[Steps, ...] | None = None
    checkpoint: str | None = None
    recorded: bool = True
    bond: Bond = "unknown"

    @property
    def untold(self) -> bool:
        """Whether nobody can say what the network that lies there has spent."""
        return self.bond in ("broken", "damaged")

    @property
    def taken(self) -> int:
        """Steps that this network has taken; where that was not recorded, those that count."""
        return self.steps if self.steps_per_epoch is None else self.epochs * self.steps_per_epoch + self.step

    @property
    def beyond(self) -> int:
        """Steps that count though this network has not taken them."""
        return self.steps - self.taken

    @property
    def place(self) -> str | None:
        """Where the network was stopped, if that is not where its figures were measured: one sentence."""
        if not self.step:
            return None
        figures = f"figures are of the end of epoch {self.epochs}" if self.epochs else "no figures were measured"
        steps = f"{self.taken:,} step{'' if self.taken == 1 else 's'}"
        return f"It was stopped in epoch {self.epochs + 1}, after {steps}; {figures}."

    def to_dict(self) -> dict[str, Any]:
        """The record ready for JSON, which has no infinity: null says that no epsilon holds."""
        values = {name: value for name, value in asdict(self).items() if name not in ("recorded", "bond")}
        if self.epsilon is None:
            for name in ("epsilon", "delta", "adjacency", "sampling", "accountant", "segments"):
                del values[name]
            return values
        if math.isinf(self.epsilon):
            values["epsilon"] = None
        if self.segments is not None:
            values["segments"] = steps_to_json(self.segments)
        return values


def spent_from_dict(values: Any) -> Spent:
    """A record as ``Spent.to_dict`` made it.

    Args:
        values: What was read of a file, of whatever kind.

    Returns:
        The record, as one that its worker wrote.

    Raises:
        ValueError: It is no such record, or a number in it cannot be.
    """
    if not isinstance(values, Mapping):
        raise ValueError("a record must be an object")
    for name in ("epochs", "step", "steps", "steps_per_epoch"):
        if not _is_whole(values.get(name)) or not 0 <= values[name] <= MOST_STEPS:
            raise ValueError(f"{name} must be a whole number")
    # All steps of the epoch may be taken and its images not yet tested.
    if not values["step"] <= values["steps_per_epoch"]:
        raise ValueError("step must lie within the epoch")
    digest = values.get("checkpoint")
    if digest is not None and not isinstance(digest, str):
        raise ValueError("checkpoint must be a digest")
    spent = Spent(
        epochs=values["epochs"],
        step=values["step"],
        steps=values["steps"],
        steps_per_epoch=values["steps_per_epoch"],
        checkpoint=digest,
    )
    if spent.beyond < 0:
        raise ValueError("steps must count at least those of the network")
    if "epsilon" not in values:
        return spent
    return replace(
        spent,
        epsilon=math.inf if values["epsilon"] is None else number_within(values["epsilon"], low=0.0, high=math.inf),
        delta=number_within(values.get("delta"), low=BOUNDS["delta"][0], high=BOUNDS["delta"][1]),
        adjacency=_one_of(values.get("adjacency"), get_args(Adjacency)),
        sampling=_one_of(values.get("sampling"), get_args(Sampling)),
        accountant=_one_of(values.get("accountant"), get_args(Accountant)),
        segments=_all_segments(values.get("segments"), spent.steps),
    )


def spent_by(
    mechanism: SubsampledGaussian,
    segments: Iterable[Steps],
    *,
    delta: float,
    epochs: int,
    step: int,
    checkpoint: str | None,
) -> Spent:
    """The record of a DP-SGD network.

    Args:
        mechanism: What the accountant counts of its steps.
        segments: The steps in its ledger, as its loop took them.
        delta: The chance with which the promise of ε may fail; above 0 and below 1.
        epochs: That it has finished.
        step: Steps of the epoch under way; 0 between two epochs.
        checkpoint: SHA-256 of the file that holds it; None where there is none.

    Returns:
        The record, with the ε of these steps.
    """
    segments = tuple(segments)
    steps = count_steps(segments)
    return Spent(
        epochs=epochs,
        step=step,
        steps=steps,
        steps_per_epoch=mechanism.steps_per_epoch,
        epsilon=composed_epsilon(mechanism.stretches(segments), delta=delta),
        delta=delta,
        adjacency=mechanism.adjacency,
        sampling=mechanism.sampling,
        accountant=accountant_of(sample_rate=mechanism.sample_rate, delta=delta, steps=steps),
        segments=segments,
        checkpoint=checkpoint,
    )


def spent_at(row: EpochRow) -> Spent | None:
    """What had been spent at the end of an epoch; None before the first."""
    return _of_figures(row, step=0) if row else None


def spent_without_record(spec: RunSpec, *, setup: Setup, last: EpochRow, outcome: EpochRow) -> Spent | None:
    """The most that the files of a run of an earlier version show, which wrote no record.

    Args:
        spec: The specification of the run.
        setup: What the run recorded at its start. Among its facts is the ledger with which the last session began.
        last: Its last epoch; ``EpochRow()`` before the first.
        outcome: The figures with which it ended, which also count the steps of an epoch that was stopped;
            ``EpochRow()`` if that is not known.

    Returns:
        What was spent at least; None before the first step that is known of.
    """
    if spec.method != "dp_sgd":
        return _of_figures(last, step=0) if last else None
    facts = setup.guarantee
    per_epoch = facts.steps_per_epoch or setup.steps_per_epoch
    found = []
    for figures in (last, outcome):
        if figures.steps:
            whole = figures.epoch * per_epoch if per_epoch else figures.steps
            found.append(_of_figures(figures, step=max(0, figures.steps - whole)))
    mechanism, earlier = facts.mechanism(), facts.earlier_segments
    known = max((spent.steps for spent in found), default=0)
    if mechanism is not None and earlier and (steps := count_steps(earlier)) > known:
        epochs, step = divmod(steps, mechanism.steps_per_epoch)
        began = spent_by(mechanism, earlier, delta=spec.delta, epochs=epochs, step=step, checkpoint=None)
        found.append(replace(began, segments=None, recorded=False))
    return max(found, key=lambda spent: (spent.steps, spent.epsilon or 0.0), default=None)


def _of_figures(figures: EpochRow, *, step: int) -> Spent:
    return Spent(
        epochs=figures.epoch,
        step=step,
        steps=figures.steps or 0,
        epsilon=figures.epsilon,
        delta=None if figures.epsilon is None else figures.delta,
        recorded=False,
    )


def _all_segments(values: Any, steps: int) -> tuple[Steps, ...]:
    segments = steps_from_json(values)
    if count_steps(segments) != steps:
        raise ValueError("the segments must have all steps")
    return segments


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _one_of(value: Any, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        raise ValueError(f"{value!r} is not known")
    return value
