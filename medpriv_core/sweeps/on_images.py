"""What all DP-SGD networks that were ever trained here on the images of a dataset have taken from them together.

It is read from the journal of the images' content (``medpriv_core.runs.spent_journal``), so it also counts runs that
were purged long ago, and does not count what was trained on other images under the same name.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.runs import service
from medpriv_core.runs.spent_journal import Entry, Images, count_lost, enter_runs, entry_of, read_entries
from medpriv_core.runs.summary import RunSummary
from medpriv_core.sweeps.together import (
    DpSgdTogether,
    Spending,
    compose_dp_sgd,
    not_known,
    planned_spending,
    recorded_spending,
)

WITHOUT_PRIVACY = (
    "Networks trained without privacy are not counted: for each of them that is given away, no ε holds at all."
)


@dataclass(frozen=True)
class SpentOnImages:
    """Spendings of networks on the images of one dataset.

    ``uncounted`` further runs did not record theirs, or their line in the journal is damaged.
    """

    spendings: tuple[Spending, ...]
    uncounted: int


def all_runs(home: DataHome) -> list[RunSummary]:
    """Every run in the data home, deleted ones too; none if their table is damaged, which the page of runs says."""
    try:
        return service.list_runs(home) + service.list_runs(home, deleted=True)
    except MedprivError:
        return []


def epsilon_on_images(home: DataHome, dataset: str, runs: Sequence[RunSummary]) -> DpSgdTogether | None:
    """The epsilon of all networks trained here on a dataset's images so far; None where there is none to speak of.

    ``runs`` are ``all_runs``. Raises ``DataHomeError`` where the disk refuses.
    """
    if not home.spent.is_dir() and not any(_is_private(run, dataset) for run in runs):
        return None
    images = Images(home)
    entries = _entries(home, dataset, images, runs)
    lost = count_lost(home, dataset, images.content_of(dataset))
    if lost:
        return not_known(dataset, networks=len(entries), lost=lost)
    return compose_dp_sgd(dataset, [_of(entry) for entry in entries.values()]) if entries else None


def networks_together(dataset: str, runs: Sequence[RunSummary]) -> list[str]:
    """What whoever gets all these DP-SGD networks learns about one image of a dataset, in sentences; none of fewer
    than two.

    All are taken for trained on the same images: of an image that some of them have not seen, less is learned.
    Imported ones were trained elsewhere, on images that nobody here knows.
    """
    private = [run for run in runs if _is_private(run, dataset)]
    mine = [run for run in private if not run.imported]
    if len(private) < 2 or not mine:
        return []
    spendings = [spending for spending in map(_recorded, mine) if spending is not None]
    sentences = []
    if len(spendings) < len(mine):
        unknown = len(mine) - len(spendings)
        sentences.append(
            f"{unknown} of these {len(mine)} DP-SGD networks {'has' if unknown == 1 else 'have'} no record of all that "
            "was spent, so for whoever gets all of them no ε is established."
        )
    elif len(spendings) > 1:
        sentences.append(compose_dp_sgd(dataset, spendings).all_sentence)
    if imported := len(private) - len(mine):
        sentences.append(
            f"{imported} imported {'one is' if imported == 1 else 'ones are'} not counted: on which images they were "
            "trained is not known here."
        )
    return sentences


def _recorded(run: RunSummary) -> Spending | None:
    """What a network has spent, if its steps are all that it has spent."""
    assert run.spec is not None
    entry = entry_of(run)
    verdict = run_verdict(run.spec, setup=run.setup, spent=run.spent)
    if entry is None or verdict is None or (verdict.stretches is None and math.isfinite(verdict.epsilon)):
        return None
    return _of(entry)


def spent_by_others(
    home: DataHome, dataset: str, runs: Sequence[RunSummary], *, train_size: int, but: Collection[str]
) -> SpentOnImages:
    """What all networks but those of the runs ``but`` take from the images that lie under the dataset's name now.

    ``runs`` are all in this data home, deleted ones too. One that has not finished is counted to its end.
    """
    images = Images(home)
    entries, here = _entries(home, dataset, images, runs), {run.id for run in runs}
    spendings = [_of(entry) for entry in entries.values() if entry.run not in here and entry.run not in but]
    uncounted = count_lost(home, dataset, images.content_of(dataset))
    for run in runs:
        if run.id in but or not _is_private(run, dataset) or not images.have(run):
            continue
        found = [_to_its_end(run, train_size), _of(entries[run.id]) if run.id in entries else None]
        known = [spending for spending in found if spending is not None]
        if known:
            spendings.append(max(known, key=_squares))
        else:
            uncounted += 1
    return SpentOnImages(tuple(spendings), uncounted)


def _entries(home: DataHome, dataset: str, images: Images, runs: Sequence[RunSummary]) -> dict[str, Entry]:
    """The dearest entry of each run on these images, those of runs of earlier versions entered now.

    Where the images are not there any more, whatever bears their name counts.
    """
    mine = [run for run in runs if _is_private(run, dataset) and images.have(run)]
    with suppress(MedprivError):  # a disk that refuses is no reason to say less
        enter_runs(home, mine)
    entries = read_entries(home, dataset, images.content_of(dataset))
    for run in mine:
        entry = entry_of(run)
        if entry is not None and (run.id not in entries or entry.cost > entries[run.id].cost):
            entries[run.id] = entry
    return entries


def _is_private(run: RunSummary, dataset: str) -> bool:
    """Whether a DP-SGD run has taken, or will take, anything from the images."""
    if run.spec is None or run.spec.method != "dp_sgd" or run.spec.dataset != dataset:
        return False
    return not run.ended or run.epochs_done > 0 or run.has_checkpoint or run.spent is not None


def _to_its_end(run: RunSummary, train_size: int) -> Spending | None:
    if run.spent is not None:
        return recorded_spending(run)
    assert run.spec is not None
    try:
        return planned_spending(run.spec, train_size=train_size)
    except MedprivError:  # of other images under the same name, and not yet begun
        return None


def _of(entry: Entry) -> Spending:
    return Spending(entry.mechanism, tuple(entry.stretches), entry.delta)


def _squares(spending: Spending) -> float:
    return sum(steps / sigma**2 if sigma else math.inf for sigma, _, steps in spending.stretches)
