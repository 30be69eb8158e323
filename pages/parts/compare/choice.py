"""Which runs are compared: their sources, the dataset, and among one's own those with a tag or named in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.results.groups import Group
from medpriv_core.results.labels import learned_in
from medpriv_core.results.reference import ReferenceSet
from medpriv_core.results.result import SOURCE_TITLES, SOURCES, Result, Source
from medpriv_core.results.selection import (
    Notebooks,
    compare_results,
    datasets_of,
    gather_results,
    of_notebooks,
    trained_in,
    usual_trained,
    with_tags,
)
from medpriv_core.shown_text import for_markdown
from medpriv_core.spec import Trainable
from pages.parts import cached
from pages.parts.links import from_link, to_link

NOTEBOOKS: dict[Notebooks, str] = {
    "paper": "Those behind the paper (3, 4)",
    "repetition": "Their repetition (5)",
    "both": "Both",
}
TOGETHER = "together"


@dataclass(frozen=True)
class Choice:
    """What is compared: ``groups`` of all datasets, and the one dataset of the views that show a single one."""

    dataset: str
    groups: list[Group]
    references: tuple[ReferenceSet, ...]

    @property
    def here(self) -> list[Group]:
        """The labelled groups of the chosen dataset, from no noise to most."""
        return [group for group in self.groups if group.first.dataset == self.dataset]

    @property
    def title(self) -> str:
        return dataset_info(self.dataset).title

    @property
    def synthetic(self) -> bool:
        return any(group.first.synthetic for group in self.here)


def choose_runs() -> Choice:
    """The controls above the views, and the runs that they leave."""
    chosen_ids = [run for run in st.query_params.get("runs", "").split(",") if run]
    there = gather_results(cached.home(), chosen=chosen_ids or None)
    for complaint in there.complaints:
        st.error(for_markdown(complaint), icon=":material/error:")
    by_source, mine = there.results, there.results["mine"]
    with st.container(key="compare_controls"):
        # Columns, because a row would be wrapped anew with each control that arrives.
        sources_place, dataset_place, row, learned_place = st.columns([58, 42, 38, 66], vertical_alignment="bottom")
    sources = _choose_sources(sources_place, by_source, own_only=bool(chosen_ids and mine))
    kept = {source: by_source[source] for source in sources}
    if "mine" in kept:
        kept["mine"] = _choose_tag(row, kept["mine"])
    results = [result for source in kept for result in kept[source]]
    if not results:
        results = list(by_source["authors"])
        if not results:
            st.info("No run is left to compare. Choose others above, or train one.", icon=":material/filter_alt_off:")
            st.stop()
        st.info("Nothing is chosen, so the authors' logs stay on screen.", icon=":material/filter_alt_off:")
    datasets = datasets_of(results, mine)
    dataset = dataset_place.selectbox(
        "Dataset",
        datasets,
        index=datasets.index(from_link("dataset", datasets, datasets[0])),
        format_func=lambda name: dataset_info(name).title,
        key="compare_dataset",
    )
    to_link(dataset=None if dataset == datasets[0] else dataset)
    if any(result.source == "authors" and result.dataset == dataset for result in results):
        noted = _choose_notebooks(row, [result for result in results if result.source == "authors"])
        results = [result for result in results if result.source != "authors"] + noted
    _say_chosen(chosen_ids, mine)
    groups, old = compare_results(results, dataset, trained=_choose_trained(learned_place, results, dataset))
    if old:
        st.caption(
            f"Of my runs the newest settings are shown and {old} older ones not; give runs a tag to choose them."
        )
    return Choice(dataset, groups, there.references)


def _choose_sources(row: DeltaGenerator, results: Mapping[Source, Sequence[Result]], *, own_only: bool) -> list[Source]:
    there = [source for source in SOURCES if results[source]]
    wanted = st.query_params.get("sources")
    default = ["mine"] if own_only and wanted is None else there
    if wanted is not None:
        default = [source for source in there if source in wanted.split(",")]
    chosen = row.pills(
        "Runs",
        there,
        selection_mode="multi",
        default=default,
        format_func=SOURCE_TITLES.__getitem__,
        # The runs that are there change while the page is open; a choice must not outlive its options.
        key=f"compare_sources_{'_'.join(there)}",
    )
    to_link(sources=None if chosen == there else ",".join(chosen))
    return [source for source in there if source in chosen]


def _choose_notebooks(row: DeltaGenerator, results: Sequence[Result]) -> list[Result]:
    names = list(NOTEBOOKS)
    chosen = row.selectbox(
        "The authors' notebooks",
        names,
        index=names.index(from_link("notebooks", names, names[0])),
        format_func=NOTEBOOKS.__getitem__,
        key="compare_notebooks",
        help="Each of their runs exists twice. The figures that the paper quotes without privacy are in the notebooks "
        "of versions 3 and 4; version 5 repeats all runs with other learning rates.",
    )
    to_link(notebooks=None if chosen == names[0] else chosen)
    return of_notebooks(results, chosen)


def _choose_tag(row: DeltaGenerator, results: Sequence[Result]) -> Sequence[Result]:
    tags = sorted({tag for result in results for tag in result.tags})
    if not tags:
        return results
    wanted = [tag for tag in st.query_params.get("tags", "").split(",") if tag in tags]
    chosen = row.multiselect(
        "Tags of my runs", tags, default=wanted, key=f"compare_tags_{'_'.join(tags)}", placeholder="All"
    )
    to_link(tags=",".join(chosen) or None)
    return with_tags(results, chosen)


def _choose_trained(row: DeltaGenerator, results: Sequence[Result], dataset: str) -> Sequence[Trainable]:
    """Which layers learned, asked only where runs differ in that."""
    there = trained_in(results, dataset)
    if len(there) < 2:
        return there
    here = [result for result in results if result.dataset == dataset]
    # Without the article, so that all fit a narrow window.
    titles: dict[str, str] = {
        name: learned_in(result for result in here if result.trainable == name).removeprefix("the ").capitalize()
        for name in there
    }
    titles[TOGETHER] = "Both"
    usual = usual_trained(results, dataset)
    default = usual[0] if len(usual) == 1 else TOGETHER
    chosen = row.segmented_control(
        "What learned",
        list(titles),
        default=from_link("learned", list(titles), default),
        required=True,
        format_func=titles.__getitem__,
        key=f"compare_trained_{dataset}_{'_'.join(there)}",
        help="In the reference set and in my runs. In the authors' runs all layers learned.",
    )
    to_link(learned=None if chosen == default else chosen)
    return there if chosen == TOGETHER else [name for name in there if name == chosen]


def _say_chosen(ids: list[str], mine: Sequence[Result]) -> None:
    """That only some of one's own runs are shown, and a way back to all."""
    if not ids:
        return
    missing = len(set(ids) - {result.id for result in mine})
    lost = f" {missing} of those in the address {'is' if missing == 1 else 'are'} not among the finished runs here."
    row = st.container(horizontal=True, vertical_alignment="center")
    row.caption(
        f"Of my runs only {len(mine)} chosen {'one is' if len(mine) == 1 else 'ones are'} shown."
        + (lost if missing else "")
    )
    row.button("Show all my runs", key="compare_all", on_click=lambda: to_link(runs=None), type="tertiary")
