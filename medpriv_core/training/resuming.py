"""Whether a checkpoint belongs to a run that is to go on from it, and is not behind what was shown."""

from __future__ import annotations

from typing import Any

from medpriv_core.errors import RunError, SettingError
from medpriv_core.privacy.steps import count_steps
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.resume_checks import older_files
from medpriv_core.spec import DEFAULTS, RunSpec
from medpriv_core.training.checkpoint import Checkpoint, Position, load_checkpoint
from medpriv_core.training.data import TrainingData

# A run may go on for more epochs, elsewhere, or to another epsilon; its ledger keeps what was spent.
CHANGEABLE = {"epochs", "device", "precision", "memory_mb", "noise_multiplier", "target_epsilon"}


def read_checkpoint(
    spec: RunSpec, data: TrainingData, directory: RunDirectory, *, steps_per_epoch: int
) -> Checkpoint | None:
    """The checkpoint that the run goes on from, if there is one and it belongs to it."""
    saved = load_checkpoint(directory.checkpoint)
    if saved is not None:
        _check_same_run(saved, spec, data)
        _check_ledger(saved, directory, private=spec.method == "dp_sgd", steps_per_epoch=steps_per_epoch)
    return saved


def _check_same_run(saved: Checkpoint, spec: RunSpec, data: TrainingData) -> None:
    now = lasting_settings(spec)
    # A setting that came with a later version had its default before.
    before = DEFAULTS | saved.settings
    changed = sorted(name for name in now if now[name] != before[name])
    if changed:
        settings = ", ".join(f"[{name}]" for name in changed)
        raise SettingError(f"This run began with another {settings}, which cannot change on the way; start a new run.")
    if saved.dataset != data.clean.key:
        raise RunError(
            f"The images of {data.clean.info.title} have changed since this run began, so it cannot go on; start a "
            "new run."
        )


def _check_ledger(saved: Checkpoint, directory: RunDirectory, *, private: bool, steps_per_epoch: int) -> None:
    """Raise ``RunError`` where a checkpoint is behind the epochs that were shown, or its ledger behind its network."""
    position, epochs = Position(**saved.position), directory.read_epochs()
    last = epochs[-1] if epochs else EpochRow()
    if position.epochs_done < last.epoch:
        why = f"they are of epoch {position.epochs_done}, and epoch {last.epoch} was shown"
        raise older_files(directory.path.name, why)
    taken = position.epochs_done * steps_per_epoch + position.step
    counted, shown = count_steps(saved.ledger), last.steps or 0
    if private and counted < max(taken, shown):
        why = f"the checkpoint counts {counted:,} steps, and {max(taken, shown):,} were taken"
        raise older_files(directory.path.name, why)


def lasting_settings(spec: RunSpec) -> dict[str, Any]:
    """What must not change when a run goes on."""
    return {name: value for name, value in spec.to_dict().items() if name not in CHANGEABLE}
