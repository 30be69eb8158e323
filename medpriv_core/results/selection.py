"""Which runs are compared: all that there are, narrowed down by where they come from and what learned in them.

The compare page and ``python -m medpriv_core compare`` choose by these functions, so that the same choice shows the
same lines. A file of medpriv's own that is damaged hides its own runs only, and is complained about in a sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from medpriv_core.errors import RunError
from medpriv_core.home import DataHome
from medpriv_core.results.authors import REPETITION, read_authors
from medpriv_core.results.groups import Group, group_results
from medpriv_core.results.labels import labelled
from medpriv_core.results.own_runs import read_own_runs
from medpriv_core.results.reference import ReferenceSet, read_references
from medpriv_core.results.result import Result, Source
from medpriv_core.spec import Trainable

Notebooks = Literal["paper", "repetition", "both"]
# Of one's own runs; more lines than this nobody can tell apart.
MOST_OWN_GROUPS = 60


@dataclass(frozen=True)
class Available:
    """All finished runs that can be compared.

    references  how the runs of the reference set were made
    complaints  a sentence for each shipped file that cannot be read
    """

    results: Mapping[Source, Sequence[Result]]
    references: tuple[ReferenceSet, ...]
    complaints: tuple[str, ...]


def gather_results(home: DataHome, *, chosen: Collection[str] | None = None) -> Available:
    """The runs of all sources; with ``chosen``, of the data home only those of these ids."""
    references, complaints = read_references()
    authors: tuple[Result, ...] = ()
    try:
        authors = read_authors()
    except RunError as error:
        complaints = (*complaints, str(error))
    results: dict[Source, Sequence[Result]] = {
        "reference": [result for reference in references for result in reference.results],
        "authors": authors,
        "mine": read_own_runs(home, chosen=chosen),
    }
    return Available(results, references, complaints)


def of_notebooks(results: Sequence[Result], notebooks: Notebooks) -> list[Result]:
    """Of the authors' runs those behind the paper (notebooks 3 and 4), their repetition (5), or both."""
    return [
        result for result in results if notebooks == "both" or (result.version == REPETITION) == (notebooks != "paper")
    ]


def with_tags(results: Sequence[Result], tags: Collection[str]) -> list[Result]:
    """Those that have one of the tags; all where none is wanted."""
    return [result for result in results if not tags or set(tags) & set(result.tags)]


def datasets_of(results: Sequence[Result], mine: Sequence[Result]) -> list[str]:
    """The datasets of ``results``, from the one to open on.

    That is where something can be compared: one's own runs (``mine``) with and without privacy, of several datasets the
    one with the newest run; then those of others, chest X-rays first, which the paper draws; then one's own alone.
    """
    newest = {result.dataset: place for place, result in enumerate(mine)}
    own, others = (_compared_in(one for one in results if (one.source == "mine") is is_own) for is_own in (True, False))

    def order(name: str) -> tuple[Any, ...]:
        if name in own:
            return 0, -newest.get(name, 0)
        return 1 if name in others else 2 if name in newest else 3, name != "chest_xray", name

    return sorted({result.dataset for result in results}, key=order)


def _compared_in(results: Iterable[Result]) -> set[str]:
    """The datasets on which one source has runs with privacy and without."""
    private: set[tuple[str, Source]] = set()
    plain: set[tuple[str, Source]] = set()
    for result in results:
        (plain if result.method == "none" else private).add((result.dataset, result.source))
    return {dataset for dataset, _ in private & plain}


def trained_in(results: Sequence[Result], dataset: str) -> list[Trainable]:
    """What learned in the runs of a dataset, the authors' apart: in these all layers did, in ways of their own."""
    there = {result.trainable for result in results if result.dataset == dataset and result.source != "authors"}
    return [name for name in get_args(Trainable) if name in there]


def usual_trained(results: Sequence[Result], dataset: str) -> list[Trainable]:
    """Of what learned the part to look at first: that of one's own runs, so that none is hidden, else the smallest.

    Last layer and all layers together make twenty bars that nobody reads.
    """
    return (
        trained_in([result for result in results if result.source == "mine"], dataset)
        or trained_in(results, dataset)[:1]
    )


def compare_results(
    results: Sequence[Result], dataset: str, *, trained: Collection[Trainable]
) -> tuple[list[Group], int]:
    """The labelled groups of all datasets, from no noise to most, and how many of one's own on this one are too many.

    Of ``dataset`` those stay in which ``trained`` learned, the authors' too; of other datasets also those in which
    something learned that ``dataset`` does not offer. Of one's own groups the newest ``MOST_OWN_GROUPS`` stay.
    """
    offered = trained_in(results, dataset)
    groups = group_results(
        result
        for result in results
        if result.source == "authors" or result.trainable in trained or result.trainable not in offered
    )
    own = [group for group in groups if group.first.source == "mine" and group.first.dataset == dataset]
    old = {id(group) for group in own[:-MOST_OWN_GROUPS]}
    return labelled([group for group in groups if id(group) not in old]), len(old)


def own_ids(groups: Sequence[Group]) -> set[str]:
    """The ids of one's own runs in these groups."""
    return {result.id for group in groups for result in group.results if result.source == "mine"}
