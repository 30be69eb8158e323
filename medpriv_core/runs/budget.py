"""What the owner of a dataset's images allows all networks together to spend on them, and what is left of it.

A budget is kept for the *content* of a dataset, ``spent/<content key>.budget.json`` in the data home: ε, its δ, whom it
is for, and which networks were given away. Other images have another content and no budget. It is for patients where it
is known whose every image is, and for images elsewhere. What counts is every DP-SGD network on these images, those that
wait or train counted to their end, and every noised copy that a run under Local-DP reads; a run that would exceed the
budget is refused before it is queued. Networks trained without privacy are not counted: they promise nothing, and must
not be given away.

Nobody here can know what was spent on copies of the images in another data home, or by another program.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from medpriv_core.checksums import read_sealed, write_sealed
from medpriv_core.datasets.files import same_images
from medpriv_core.datasets.registry import DatasetEntry, list_datasets
from medpriv_core.errors import DataHomeError, SettingError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.locks import hold_lock
from medpriv_core.privacy.composition import JointEpsilon, compose, planned_spending
from medpriv_core.privacy.statement import format_delta, format_epsilon, neighbours_in_words
from medpriv_core.private_files import make_folder
from medpriv_core.runs.on_images import all_runs, spent_by_others
from medpriv_core.runs.summary import RunSummary
from medpriv_core.spec import RunSpec, check_bound
from medpriv_core.unit import Unit

# By this share a sum may lie above the budget because it was rounded.
ROUNDING = 1e-9
_SUFFIX = ".budget.json"


@dataclass(frozen=True)
class Budget:
    """What may be spent on some images, and which networks were given away.

    epsilon, delta  that all networks together may cost; infinite where nobody set a limit
    unit            for whom
    released        ids of networks that their owner marked as given away, with the day
    """

    epsilon: float = math.inf
    delta: float = 1e-5
    unit: Unit = "image"
    released: tuple[tuple[str, str], ...] = ()

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return math.isfinite(self.epsilon)

    @property
    def statement(self) -> str:
        """The limit with what it depends on."""
        return (
            f"ε = {format_epsilon(self.epsilon)} (δ = {format_delta(self.delta)}; "
            f"{neighbours_in_words('add-remove', self.unit)})"
        )


@dataclass(frozen=True)
class BudgetState:
    """A budget and what is spent of it.

    networks  what all DP-SGD networks cost together, unfinished ones counted to their end
    copies    what the noised copies cost that runs under Local-DP read, added up; of the δ of the budget, the networks
              and each copy take an equal part
    """

    budget: Budget
    networks: JointEpsilon
    copies: float

    @property
    def spent(self) -> float:
        """Of the ε of the budget; infinite where nobody knows."""
        return self.networks.epsilon + self.copies

    @property
    def left(self) -> float:
        """ε that further networks may cost, at most; ε does not simply add up, so several may go further."""
        return max(0.0, self.budget.epsilon - self.spent)

    @property
    def holds(self) -> bool:
        """Whether what is spent is within the budget."""
        return self.spent <= self.budget.epsilon * (1 + ROUNDING)

    @property
    def sentence(self) -> str:
        """The budget and what is spent of it, for people."""
        if not self.budget.limited:
            return "No budget is set for these images."
        if math.isinf(self.spent):
            return f"Budget of these images: {self.budget.statement}. What is spent is not known, so nothing is left."
        return (
            f"Budget of these images: {self.budget.statement}. Spent, with runs that still train counted to their end: "
            f"ε = {format_epsilon(self.spent)} (δ = {format_delta(self.budget.delta)})."
        )


def usual_unit(entry: DatasetEntry) -> Unit:
    """For whom a budget of these images is: patients where it is known whose every image is."""
    return "image" if entry.patients is None else "patient"


def read_budget(home: DataHome, content: str) -> Budget:
    """The budget of the images with this content key; raises ``DataHomeError`` if its file is damaged."""
    path = _path(home, content)
    if not path.exists():
        return Budget()
    found = read_sealed(path)
    try:
        if not found.sound:
            raise ValueError
        return _from_dict(found.values)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataHomeError(
            f"The budget of these images, {path}, is damaged. Put that file back from a copy, or remove it and set the "
            "budget anew."
        ) from error


def set_budget(home: DataHome, entry: DatasetEntry, *, epsilon: float | None, delta: float = 1e-5) -> Budget:
    """Set what may be spent on a dataset's images, or take the limit off (``epsilon`` None).

    Raises ``SettingError`` for numbers that cannot be, ``DataHomeError`` where the disk refuses.
    """
    if epsilon is not None:
        if not 0 < epsilon < math.inf:
            raise SettingError(f"The ε of a budget must be a number above 0, but is {epsilon:g}.")
        check_bound("delta", delta)
        count = entry.patients.patients if entry.patients is not None else entry.train or 1
        if delta >= 1 / count:
            raise SettingError(
                f"The δ of a budget must be below 1/n = {1 / count:.2g} for n = {count:,} {usual_unit(entry)}s, but is "
                f"{delta:g}."
            )
    limit = Budget(math.inf if epsilon is None else epsilon, delta, usual_unit(entry))
    return _change(home, _content_of(entry), lambda known: replace(limit, released=known.released))


def mark_released(home: DataHome, entry: DatasetEntry, run_id: str, *, released: bool = True) -> Budget:
    """Note that a network was given away, or that it was not after all."""
    day = datetime.now(UTC).date().isoformat()

    def change(known: Budget) -> Budget:
        others = tuple(each for each in known.released if each[0] != run_id)
        return replace(known, released=(*others, (run_id, day)) if released else others)

    return _change(home, _content_of(entry), change)


def budget_state(
    home: DataHome,
    entry: DatasetEntry,
    *,
    runs: Sequence[RunSummary] | None = None,
    more: Sequence[RunSpec] = (),
    but: Collection[str] = (),
) -> BudgetState:
    """What is spent of a dataset's budget, by all its runs other than ``but`` and by ``more`` that are to come.

    ``runs`` are ``all_runs``, read now unless given. Raises ``DataHomeError`` where the disk refuses.
    """
    budget = read_budget(home, _content_of(entry))
    runs = all_runs(home) if runs is None else runs
    name = entry.info.name
    others = spent_by_others(home, name, runs, records=entry.records, but=but)
    private = [spec for spec in more if spec.method == "dp_sgd"]
    spendings = [*others.spendings, *(planned_spending(spec, train_size=entry.records(spec)) for spec in private)]
    here = [run.spec for run in runs if run.spec is not None and not run.imported and run.id not in but]
    noised = {
        (spec.picture_noise, spec.image_size)
        for spec in (*here, *more)
        if spec.dataset == name and spec.method == "local_dp"
    }
    # What is independent adds its ε and its δ: the networks together, and each noised copy.
    delta = budget.delta / max(1, len(noised) + bool(spendings))
    largest = entry.patients.largest if entry.patients is not None else None
    networks = compose(name, spendings, unknown=others.unknown, largest_patient=largest, delta=delta, unit=budget.unit)
    images = (largest or 1) if budget.unit == "patient" else 1
    copies = math.fsum(
        noise.guarantee((size, size, entry.info.channels), delta=delta, copies=images).epsilon_image
        for noise, size in noised
    )
    return BudgetState(budget, networks, copies)


def check_budget(home: DataHome, more: Sequence[RunSpec], *, but: Collection[str] = ()) -> None:
    """Raise ``SettingError`` if ``more`` runs, in the place of ``but``, would exceed the budget of their images."""
    if not any(home.spent.glob(f"*{_SUFFIX}")):
        return
    entries = {entry.info.name: entry for entry in list_datasets(home)}
    for name in dict.fromkeys(spec.dataset for spec in more if spec.method != "none"):
        entry = entries.get(name)
        if entry is None or not entry.content or not read_budget(home, entry.content).limited:
            continue
        private = [spec for spec in more if spec.dataset == name and spec.method != "none"]
        after = budget_state(home, entry, more=private, but=but)
        if not after.holds:
            raise SettingError(_exceeds(budget_state(home, entry), after, len(private)))


def _exceeds(before: BudgetState, after: BudgetState, runs: int) -> str:
    which = "This run" if runs == 1 else f"These {runs} runs"
    would = "an ε that nobody knows" if math.isinf(after.spent) else f"ε = {format_epsilon(after.spent)}"
    return (
        f"{which} would bring what is spent on these images to {would}, more than their budget allows. "
        f"{before.sentence} Choose more noise or a smaller ε; only the owner of the images should raise the budget."
    )


def _content_of(entry: DatasetEntry) -> str:
    if not entry.content:
        raise SettingError(
            f"The images of {entry.info.title} have changed since they were last read, so their budget is not known. "
            "Add the dataset again."
        )
    return entry.content


def _path(home: DataHome, content: str) -> Path:
    return home.spent / f"{same_images(content)}{_SUFFIX}"


def _change(home: DataHome, content: str, change: Callable[[Budget], Budget]) -> Budget:
    path = _path(home, content)
    with explain_disk_errors(home.root):
        make_folder(path.parent)
        with hold_lock(path.with_suffix(".lock")):
            budget = change(read_budget(home, content))
            write_sealed(path, _to_dict(budget))
    return budget


def _to_dict(budget: Budget) -> dict[str, Any]:
    return {
        "version": 1,
        "epsilon": budget.epsilon if budget.limited else None,
        "delta": budget.delta,
        "unit": budget.unit,
        "released": [list(each) for each in budget.released],
    }


def _from_dict(values: Any) -> Budget:
    if values["version"] != 1 or values["unit"] not in get_args(Unit):
        raise ValueError
    epsilon = math.inf if values["epsilon"] is None else float(values["epsilon"])
    delta = float(values["delta"])
    released = tuple((str(run), str(day)) for run, day in values["released"])
    if not epsilon > 0 or not 0 < delta < 1:
        raise ValueError
    return Budget(epsilon, delta, values["unit"], released)
