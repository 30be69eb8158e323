"""Which DP-SGD networks have taken something from the images of a dataset, and what they took together.

What was ever trained here is read from the journal of the images' content (``medpriv_core.runs.spent_journal``), so it
also counts runs that were purged long ago, and does not count what was trained on other images under the same name.
What they cost together is composed by the rules of ``medpriv_core.privacy.composition``, for all who ask.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.privacy.composition import JointEpsilon, Spending, compose, network_spending, planned_spending
from medpriv_core.privacy.steps import add_steps, count_steps
from medpriv_core.runs.spent_journal import (
    Entry,
    Images,
    count_lost,
    enter_runs,
    entry_of,
    read_entries,
    recorded_steps,
)
from medpriv_core.runs.store import RunStore
from medpriv_core.runs.summary import RunSummary, summarise
from medpriv_core.spec import RunSpec

WITHOUT_PRIVACY = (
    "Networks trained without privacy are not counted: for each of them that is given away, no ε holds at all."
)


@dataclass(frozen=True)
class SpentOnImages:
    """Spendings of networks on the images of one dataset.

    ``unknown`` further runs did not record theirs, or their line in the journal is damaged.
    """

    spendings: tuple[Spending, ...]
    unknown: int


def all_runs(home: DataHome) -> list[RunSummary]:
    """Every run in the data home, deleted ones too; none if their table is damaged, which the page of runs says."""
    try:
        store = RunStore(home)
        return summarise(home, store.all()) + summarise(home, store.all(deleted=True))
    except MedprivError:
        return []


def epsilon_on_images(home: DataHome, dataset: str, runs: Sequence[RunSummary]) -> JointEpsilon | None:
    """The epsilon of all networks trained here on a dataset's images so far; None where there is none to speak of.

    ``runs`` are ``all_runs``. Raises ``DataHomeError`` where the disk refuses.
    """
    if not home.spent.is_dir() and not any(_is_private(run, dataset) for run in runs):
        return None
    images = Images(home)
    entries = _entries(home, dataset, images, runs)
    lost = count_lost(home, dataset, images.content_of(dataset))
    others = [
        _as_it_lies(run) for run in _here(runs, dataset, images) if run.id not in entries and run.spent is not None
    ]
    spendings = [_of(entry) for entry in entries.values()]
    spendings += [other for other in others if other is not None and other.epsilon]
    if not spendings and None not in others and not lost:
        return None
    largest = images.largest_patient(dataset)
    return compose(dataset, spendings, unknown=others.count(None), lost=lost, largest_patient=largest)


def networks_together(dataset: str, runs: Sequence[RunSummary]) -> list[str]:
    """What whoever gets all these networks learns about one image of a dataset, in sentences; none of fewer than two.

    Imported ones count as trained on the same images, at their sender's word: of an image that they have not seen they
    tell less.
    """
    private = [run for run in runs if run.spec is not None and _is_private(run, dataset)]
    if len(private) < 2:
        return []
    sentences = [joint_epsilon(dataset, private).all_sentence]
    if imported := sum(run.imported for run in private):
        sentences.append(
            f"{imported} imported {'one counts' if imported == 1 else 'ones count'} as trained on the same images, "
            f"with what {'its sender says' if imported == 1 else 'their senders say'} was spent."
        )
    return sentences


def joint_epsilon(dataset: str, private: Sequence[RunSummary]) -> JointEpsilon:
    """What the networks of DP-SGD runs cost the images of a dataset together, by what each has spent until now."""
    found = [_as_it_lies(run) for run in private]
    known = [spending for spending in found if spending is not None]
    counts = [run.setup.patient_count for run in private]
    largest = max(count.largest for count in counts if count) if all(counts) else None
    return compose(dataset, known, unknown=found.count(None), largest_patient=largest)


def seeds_together(runs: Sequence[RunSummary]) -> str:
    """The same for finished runs of one setting, of any method, in a sentence."""
    spec = runs[0].spec
    assert spec is not None
    if spec.method == "none":
        return "Trained without privacy: no ε holds, for one of them or for all together."
    if spec.method == "local_dp":
        return (
            f"All {len(runs)} learned from noised images. As long as these are the same noised copies, drawn once, "
            "the networks together cost no more than one; a copy drawn anew adds its ε."
        )
    return " ".join(networks_together(spec.dataset, runs))


def _as_it_lies(run: RunSummary) -> Spending | None:
    """What the network of a run has spent; None where nobody knows."""
    assert run.spec is not None
    return network_spending(run.spec, setup=run.setup, spent=run.spent)


def _here(runs: Sequence[RunSummary], dataset: str, images: Images) -> list[RunSummary]:
    """The DP-SGD runs that were trained here on the images that lie under the dataset's name now."""
    return [run for run in runs if _is_private(run, dataset) and not run.imported and images.have(run)]


def spent_by_others(
    home: DataHome, dataset: str, runs: Sequence[RunSummary], *, records: Callable[[RunSpec], int], but: Collection[str]
) -> SpentOnImages:
    """What all networks but those of the runs ``but`` take from the images that lie under the dataset's name now.

    ``runs`` are all in this data home, deleted ones too. One that has not finished is counted to its end. ``records``
    says how many records a run draws from.
    """
    images = Images(home)
    found = spendings_by_run(home, dataset, runs, records=records, images=images)
    spendings = [spending for run, spending in found.items() if run not in but]
    known = tuple(spending for spending in spendings if spending is not None)
    return SpentOnImages(known, spendings.count(None) + count_lost(home, dataset, images.content_of(dataset)))


def spendings_by_run(
    home: DataHome,
    dataset: str,
    runs: Sequence[RunSummary],
    *,
    records: Callable[[RunSpec], int],
    images: Images | None = None,
) -> dict[str, Spending | None]:
    """The same run by run, by their ids; None for a run of which nobody knows what it takes."""
    images = images or Images(home)
    entries, here = _entries(home, dataset, images, runs), _here(runs, dataset, images)
    # Also of runs that are listed and whose settings cannot be read any more.
    spendings: dict[str, Spending | None] = {entry.run: _of(entry) for entry in entries.values()}
    for run in here:
        found = [_to_its_end(run, records), _of(entries[run.id]) if run.id in entries else None]
        known = [spending for spending in found if spending is not None]
        spendings[run.id] = max(known, key=lambda spending: spending.weight) if known else None
    return spendings


def _entries(home: DataHome, dataset: str, images: Images, runs: Sequence[RunSummary]) -> dict[str, Entry]:
    """The dearest entry of each run on these images, those of runs of earlier versions entered now.

    Where the images are not there any more, whatever bears their name counts.
    """
    mine = _here(runs, dataset, images)
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


def recorded_spending(run: RunSummary) -> Spending | None:
    """Of a DP-SGD run by the steps that it recorded; None where it did not.

    One that has not finished is counted to its end: it may get there.
    """
    segments, mechanism = recorded_steps(run), run.setup.guarantee.mechanism()
    if run.spec is None or segments is None or mechanism is None:
        return None
    if run.state != "finished":
        left = max(0, run.spec.epochs * mechanism.steps_per_epoch - count_steps(segments))
        segments = add_steps(segments, segments[-1]._replace(count=left))
    return Spending(mechanism, mechanism.stretches(segments), run.spec.delta)


def _to_its_end(run: RunSummary, records: Callable[[RunSpec], int]) -> Spending | None:
    if run.spent is not None:
        return recorded_spending(run)
    assert run.spec is not None
    try:
        return planned_spending(run.spec, train_size=records(run.spec))
    except MedprivError:  # of other images under the same name, and not yet begun
        return None


def _of(entry: Entry) -> Spending:
    return Spending(entry.mechanism, entry.stretches, entry.delta)
