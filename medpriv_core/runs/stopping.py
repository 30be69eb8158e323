"""A run that stops at an ε: how many epochs fit into it, known before the first step.

The ε of DP-SGD depends on noise, sampling and the number of steps alone, never on the images. So a run that is to stop
at an ε needs nothing that watches it: it is a run of as many whole epochs as cost no more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from medpriv_core.datasets.registry import DatasetEntry, list_datasets
from medpriv_core.errors import SettingError
from medpriv_core.home import DataHome
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.private_training import private_training
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.privacy.steps import Steps
from medpriv_core.runs.budget import budget_state, read_budget
from medpriv_core.runs.on_images import all_runs
from medpriv_core.spec import RunSpec
from medpriv_core.unit import with_unit


@dataclass(frozen=True)
class Stopped:
    """A run with as many epochs as fit, and a sentence on how many these are of those that were asked for."""

    spec: RunSpec
    sentence: str


def stop_at_epsilon(spec: RunSpec, *, records: int, epsilon: float) -> Stopped:
    """The run with at most its epochs, that ends before it costs more than ``epsilon`` (at its δ and unit).

    ``records`` are n. Raises ``SettingError`` if it is no DP-SGD run with a noise multiplier, if ``epsilon`` is no
    number above 0, or if not even one epoch fits.
    """
    _check_stoppable(spec)
    if not 0 < epsilon < math.inf:
        raise SettingError(f"A run can stop at an ε above 0, but not at {epsilon:g}.")
    mechanism = private_training(spec, train_size=records).mechanism
    plan_run(spec.changed(epochs=1), train_size=records)  # whatever else is wrong with it

    def fits(epochs: int) -> bool:
        assert spec.noise_multiplier is not None
        steps = Steps(spec.noise_multiplier, mechanism.sample_rate, epochs * mechanism.steps_per_epoch)
        spent = composed_epsilon(mechanism.stretches([steps]), delta=spec.delta, adjacency=mechanism.adjacency)
        return spent <= epsilon

    return _shortened(spec, fits, f"ε = {format_epsilon(epsilon)}")


def stop_at_budget(home: DataHome, spec: RunSpec, entry: DatasetEntry) -> Stopped:
    """The run with as many epochs as the budget of its images still allows; raises as ``stop_at_epsilon``.

    ``entry`` is its dataset, which must have a budget.
    """
    _check_stoppable(spec)
    if not entry.content or not read_budget(home, entry.content).limited:
        raise SettingError(f"No budget is set for the images of {entry.info.title}. Set one, or name an ε to stop at.")
    runs = all_runs(home)

    def fits(epochs: int) -> bool:
        return budget_state(home, entry, runs=runs, more=[spec.changed(epochs=epochs)]).holds

    return _shortened(spec, fits, "the budget of these images")


def stop_run(home: DataHome, spec: RunSpec, limit: str) -> Stopped:
    """The same for a limit as somebody types it: an ε, or "budget"."""
    entry = _entry_of(home, spec)
    spec = with_unit(spec, entry.patients)
    if limit == "budget":
        return stop_at_budget(home, spec, entry)
    try:
        epsilon = float(limit)
    except ValueError:
        raise SettingError(f"A run stops at an ε or at its budget, but not at {limit!r}.") from None
    return stop_at_epsilon(spec, records=entry.records(spec), epsilon=epsilon)


def _check_stoppable(spec: RunSpec) -> None:
    if spec.method != "dp_sgd":
        raise SettingError("Only DP-SGD spends more with each epoch. Choose it, or do not ask the run to stop at an ε.")
    if spec.noise_multiplier is None:
        raise SettingError(
            "The noise is worked out for the ε at the end of all epochs, so there is none to stop at before. Give "
            "[noise_multiplier] instead of [target_epsilon]."
        )


def _shortened(spec: RunSpec, fits: Callable[[int], bool], limit: str) -> Stopped:
    if fits(spec.epochs):
        return Stopped(spec, f"All {spec.epochs:,} epochs stay within {limit}.")
    low, high = 0, spec.epochs  # low fits, high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    if not low:
        raise SettingError(f"Not even one epoch stays within {limit}. Choose more noise or a smaller batch.")
    said = f"{low:,} of {spec.epochs:,} epochs stay within {limit}; the run stops there."
    return Stopped(spec.changed(epochs=low), said)


def _entry_of(home: DataHome, spec: RunSpec) -> DatasetEntry:
    found = next((entry for entry in list_datasets(home) if entry.info.name == spec.dataset), None)
    if found is None or not found.train:
        raise SettingError(f"The images of {spec.dataset} are not here, so nobody knows how many epochs fit.")
    return found
