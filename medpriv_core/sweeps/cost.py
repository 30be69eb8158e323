"""What a grid would take and give away, before anything is queued.

Which of its runs are there already, how long the others take one after the other, the memory of the largest, the disk
of all together, and the epsilon of all networks on the same images (``privacy/composition.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from medpriv_core.datasets.registry import DatasetEntry, list_datasets, open_dataset
from medpriv_core.errors import MedprivError, SettingError
from medpriv_core.home import DataHome
from medpriv_core.privacy.composition import JointEpsilon, Spending, compose, planned_spending
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.selection import NUMBER_WORDS, BestOf, best_of
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.runs import service
from medpriv_core.runs.budget import BudgetState, budget_state, read_budget
from medpriv_core.runs.estimate import DiskEstimate, Sizes, estimate_disk_of_all, estimate_memory, estimate_times
from medpriv_core.runs.on_images import recorded_spending, spent_by_others
from medpriv_core.runs.summary import RunSummary
from medpriv_core.spec import RunSpec
from medpriv_core.sweeps.grid import Grid, GridRun, Impossible
from medpriv_core.sweeps.identity import identity, reusable_runs
from medpriv_core.sweeps.noised_copies import NoisedCopies, compose_local_dp
from medpriv_core.sweeps.preset_notes import PresetNotes, preset_notes
from medpriv_core.unit import with_unit
from medpriv_core.weights_source import resolve_weights


@dataclass(frozen=True)
class PlannedRun:
    """One run of a grid; ``reused`` is the run that stands in for it, ``seconds`` what training it would take."""

    name: str
    spec: RunSpec
    reused: RunSummary | None
    seconds: float


@dataclass(frozen=True)
class DpSgdCost:
    """Epsilon of all networks of the grid on one dataset; and with all others ever trained here on its images.

    others       how many those are
    with_others  None without any; of one that nobody knows the spending of, no ε is established
    budget       what is spent of the images' budget with these runs; None where none is set
    best_only    what giving away the best alone would cost if so many were trained on average; None of one network,
                 where not all steps are known, and where all together cost no more
    """

    together: JointEpsilon
    others: int
    with_others: JointEpsilon | None
    budget: BudgetState | None = None
    best_only: BestOf | None = None

    @property
    def sentences(self) -> list[str]:
        """What it means, for people."""
        count = self.together.networks
        if count == 1:
            lines = [f"The DP-SGD network: {self.together.statement}."]
        else:
            lines = [
                f"All {count} DP-SGD networks together: {self.together.statement}. The one that spends most has "
                f"ε = {format_epsilon(self.together.largest)} by itself, and anyone who sees them all learns from each."
            ]
        if self.with_others is not None:
            lines.append(
                f"With {_counted_noun(self.others, 'other DP-SGD network')} trained here on these images, removed ones "
                f"included: {self.with_others.statement}."
            )
        if self.best_only is not None:
            lines.append(
                "For giving away only the best of them no smaller ε is known, because their number is fixed. If it "
                f"were drawn at random ({NUMBER_WORDS[self.best_only.number]}, {count} on average) and each drew its "
                "settings from these, the best one, chosen by images of other people, would have "
                f"ε = {format_epsilon(self.best_only.epsilon)} at the same δ (RDP accountant)."
            )
        if self.budget is not None:
            over = "" if self.budget.holds else " These runs exceed it and cannot be queued together."
            lines.append(f"With these runs. {self.budget.sentence}{over}")
        return lines


@dataclass(frozen=True)
class SweepPlan:
    """A grid as it would be queued now.

    runs        all possible ones in order
    impossible  combinations that are left out, and why
    seconds     of those to be trained, one after the other; ``measured`` if like runs here stand behind all of it
    memory_mb   of the largest
    disk        of those to be trained, what they share counted once
    preset      what the runs have from the grid's preset, and what otherwise; None without one
    """

    runs: tuple[PlannedRun, ...]
    impossible: tuple[Impossible, ...]
    seconds: float
    measured: bool
    memory_mb: float
    disk: DiskEstimate
    dp_sgd: tuple[DpSgdCost, ...]
    local_dp: tuple[NoisedCopies, ...]
    preset: PresetNotes | None

    @property
    def to_train(self) -> int:
        """Runs that would be queued."""
        return sum(run.reused is None for run in self.runs)

    @property
    def reused(self) -> int:
        """Runs that are there already."""
        return len(self.runs) - self.to_train

    @property
    def unprotected(self) -> int:
        """Networks trained without privacy, whose publication no epsilon covers."""
        return sum(run.spec.method == "none" for run in self.runs)


def plan_sweep(home: DataHome, grid: Grid) -> SweepPlan:
    """What ``grid`` would take; nothing is queued.

    Raises ``SettingError`` for more runs than a sweep may have, or if none is possible (with the first reason).
    """
    expansion = grid.expand()
    entries = {entry.info.name: entry for entry in list_datasets(home)}
    check = _checker(home, entries)
    possible: dict[RunSpec, GridRun] = {}
    impossible = list(expansion.impossible)
    for given in expansion.runs:
        entry = entries.get(given.spec.dataset)
        run = replace(given, spec=with_unit(given.spec, entry.patients if entry else None))
        try:
            check(run.spec)
            twin = possible.setdefault(identity(run.spec), run)
            if twin is not run:
                raise SettingError(f"This is the same run as {twin.name}: what tells them apart is not used in it.")
        except MedprivError as reason:
            impossible.append(Impossible(run.name, reason))
    if not possible:
        raise impossible[0].reason
    listed = service.list_runs(home)
    found = reusable_runs(listed, entries)
    everything = listed + service.list_runs(home, deleted=True)
    return _cost(home, grid.preset, list(possible.values()), impossible, entries, found, everything)


def _cost(
    home: DataHome,
    preset: str | None,
    possible: Sequence[GridRun],
    impossible: Sequence[Impossible],
    entries: Mapping[str, DatasetEntry],
    found: Mapping[RunSpec, RunSummary],
    runs: Sequence[RunSummary],
) -> SweepPlan:
    sizes: Sizes = {name: (entry.train or 0, entry.test or 0) for name, entry in entries.items()}
    reused = [found.get(identity(run.spec)) for run in possible]
    new = [run.spec for run, there in zip(possible, reused, strict=True) if there is None]
    patients = {name: entry.patients for name, entry in entries.items()}
    estimates = estimate_times(home, new, sizes=sizes, patients=patients)
    left = iter(estimates)
    planned = tuple(
        PlannedRun(run.name, run.spec, there, 0.0 if there else next(left).seconds)
        for run, there in zip(possible, reused, strict=True)
    )
    memory = [
        estimate_memory(spec, train_size=sizes[spec.dataset][0], test_size=sizes[spec.dataset][1]) for spec in new
    ]
    return SweepPlan(
        runs=planned,
        impossible=tuple(impossible),
        seconds=sum(estimate.seconds for estimate in estimates),
        measured=all(estimate.measured for estimate in estimates),
        memory_mb=max(memory, default=0.0),
        disk=estimate_disk_of_all(new, sizes=sizes),
        dp_sgd=_dp_sgd_costs(home, planned, entries, runs),
        local_dp=compose_local_dp(run.spec for run in possible),
        preset=preset_notes(preset, possible),
    )


def _checker(home: DataHome, entries: Mapping[str, DatasetEntry]) -> Callable[[RunSpec], None]:
    """What raises the sentence that queueing a run would, without reading any dataset's files."""

    def check(spec: RunSpec) -> None:
        entry = entries.get(spec.dataset)
        if entry is None or not entry.available:
            open_dataset(home, spec.dataset)  # it says what is wrong
        assert entry is not None
        if not entry.info.trainable:
            raise SettingError(f"{entry.info.title} is a single image to look at; choose a dataset to train on.")
        records = entry.records(spec)
        spec.check_dataset_size(records)
        resolve_weights(spec.weights)
        if spec.method == "dp_sgd":
            plan_run(spec, train_size=records)

    return check


def _dp_sgd_costs(
    home: DataHome,
    planned: Sequence[PlannedRun],
    entries: Mapping[str, DatasetEntry],
    runs: Sequence[RunSummary],
) -> tuple[DpSgdCost, ...]:
    costs = []
    for dataset in dict.fromkeys(run.spec.dataset for run in planned if run.spec.method == "dp_sgd"):
        records = entries[dataset].records
        members = [run for run in planned if run.spec.method == "dp_sgd" and run.spec.dataset == dataset]
        reused = {run.reused.id: run.reused for run in members if run.reused is not None}
        spendings = [planned_spending(run.spec, train_size=records(run.spec)) for run in members if run.reused is None]
        spendings += [_spending(run, records) for run in reused.values()]
        others = spent_by_others(home, dataset, runs, records=records, but=reused)
        together = compose(dataset, spendings)
        costs.append(
            DpSgdCost(
                together,
                others=len(others.spendings) + others.unknown,
                with_others=compose(dataset, [*spendings, *others.spendings], unknown=others.unknown)
                if others.spendings or others.unknown
                else None,
                budget=_budget_with(home, entries[dataset], runs, [run.spec for run in members if run.reused is None]),
                best_only=_best_only(together, spendings),
            )
        )
    return tuple(costs)


def _best_only(together: JointEpsilon, spendings: Sequence[Spending]) -> BestOf | None:
    if len(spendings) < 2 or math.isinf(together.epsilon) or any(each.beyond is not None for each in spendings):
        return None
    best = best_of([each.stretches for each in spendings], mean=len(spendings), delta=together.delta)
    # The accountant of the best is the looser one: for few or quiet networks all of them cost less by the tighter.
    return best if best.epsilon < together.epsilon else None


def _budget_with(
    home: DataHome, entry: DatasetEntry, runs: Sequence[RunSummary], more: Sequence[RunSpec]
) -> BudgetState | None:
    if not entry.content or not read_budget(home, entry.content).limited:
        return None
    return budget_state(home, entry, runs=runs, more=more)


def _counted_noun(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _spending(run: RunSummary, records: Callable[[RunSpec], int]) -> Spending:
    assert run.spec is not None
    return recorded_spending(run) or planned_spending(run.spec, train_size=records(run.spec))
