"""All runs in one table: filtered, sorted by a click on a column, chosen for the chart, deleted together.

Of thousands of runs the table shows a part at a time, which is said; search and filters look at all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medpriv_core.datasets.registry import dataset_title
from medpriv_core.errors import MedprivError
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.privacy.dp_sgd import accountant_of
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.statement import dp_sgd_statement, format_epsilon, image_epsilon_statement
from medpriv_core.privacy.subsampled_gaussian import SubsampledGaussian
from medpriv_core.privacy.verdict import mechanism_of_run
from medpriv_core.records.epoch import COMPARED
from medpriv_core.results.guarantee import picture_guarantee
from medpriv_core.runs import service
from medpriv_core.runs.service import RunLine, RunSummary
from medpriv_core.shown_text import for_cell
from medpriv_core.spec import RunSpec
from pages.parts import cached
from pages.parts.messages import explain_errors, log
from pages.parts.metric_columns import numbers_of
from pages.parts.runs.actions import begin_fragment, count, delete, restore, touched
from pages.parts.runs.address import choose
from pages.parts.runs.removal import draw_removal
from pages.parts.runs.states import STATE_LABELS, begun, distinct_names, outcome_word, state_word
from pages.parts.runs.table import (
    dataset_words,
    draw_view,
    formats,
    grouped,
    in_columns,
    same_dataset,
    short_names,
    usual_columns,
    with_settings,
)
from pages.parts.take_away_runs import draw_import, draw_take_away
from pages.parts.words import why_failed_plainly

TABLE_HEIGHT = 420
SELECTION = "runs_table"
MOST_ROWS = 200  # in one part of the table
MOST_DELETED = 200  # offered at once


def draw_list(read: Callable[[], list[RunLine]], chosen: Sequence[str]) -> None:
    """Filters, table, and what can be done to the chosen runs.

    ``read`` gives the list, ``chosen`` are the ids on the chart.
    """
    with explain_errors():
        begin_fragment()
        runs = read()
        row = st.container(horizontal=True, vertical_alignment="bottom", key="runs_filters")
        part = draw_parts(draw_filters(row, runs), all_runs=len(runs))
        draw_table(row, service.load_runs(cached.home(), [run.id for run in part]), chosen)
        here = set(chosen)
        on_chart = service.load_runs(cached.home(), [run.id for run in runs if run.id in here])
        draw_bulk(on_chart)
        if len(on_chart) > 1:
            take = st.expander(
                "Take the chosen runs away", key="runs_take", icon=":material/download:", on_change="rerun"
            )
            if take.open:
                with take:
                    draw_take_away(on_chart, key="take_chosen")
        draw_bringing()
        draw_deleted()


def draw_bringing() -> None:
    """Runs from another machine."""
    bring = st.expander("Bring runs in", key="runs_bring", icon=":material/upload:", on_change="rerun")
    if bring.open:
        with bring:
            draw_import()


def draw_filters(row: DeltaGenerator, runs: Sequence[RunLine]) -> list[RunLine]:
    """Controls that narrow the list, and the runs that are left."""
    text = row.text_input("Search", key="runs_search", icon=":material/search:", placeholder="Name or notes", width=220)
    datasets = {run.dataset for run in runs if run.dataset}
    methods = {run.method for run in runs if run.method}
    tags = sorted({tag for run in runs for tag in run.tags})
    wanted_datasets = narrow(row, "Dataset", {name: dataset_title(name) for name in sorted(datasets)})
    wanted_methods = narrow(
        row, "Method", {name: style.title for name, style in METHOD_STYLES.items() if name in methods}
    )
    wanted_states = narrow(row, "State", {state: word for state, (word, _) in STATE_LABELS.items()})
    wanted_tags = narrow(row, "Tag", {tag: tag for tag in tags}) if tags else []
    words = text.casefold().split()
    return [
        run
        for run in runs
        if all(word in f"{run.name} {run.notes}".casefold() for word in words)
        and (not wanted_datasets or run.dataset in wanted_datasets)
        and (not wanted_methods or run.method in wanted_methods)
        and (not wanted_states or run.state in wanted_states)
        and (not wanted_tags or set(wanted_tags) & set(run.tags))
    ]


def narrow(row: DeltaGenerator, label: str, titles: dict[str, str]) -> list[str]:
    """Which of these are wanted; none means all."""
    return row.multiselect(
        label,
        list(titles),
        format_func=lambda name: titles.get(name, name),
        key=f"runs_filter_{label.lower()}",
        placeholder="All",
        width=190,
    )


def draw_parts(runs: Sequence[RunLine], *, all_runs: int) -> Sequence[RunLine]:
    """Of many runs, the part that the table shows, and which that is."""
    if len(runs) <= MOST_ROWS:
        return runs
    firsts = list(range(0, len(runs), MOST_ROWS))
    row = st.container(horizontal=True, vertical_alignment="bottom", key="runs_parts")
    first = row.selectbox(
        "Shown",
        firsts,
        format_func=lambda first: f"{first + 1:,} to {min(first + MOST_ROWS, len(runs)):,}",
        key="runs_part",
        width=190,
    )
    matching = "" if len(runs) == all_runs else " that match"
    row.caption(
        f"of {len(runs):,} runs{matching}, the newest first. Search and filters look at all of them; a click on a "
        "column sorts the part that is shown."
    )
    return runs[first : first + MOST_ROWS]


def draw_table(row: DeltaGenerator, runs: Sequence[RunSummary], chosen: Sequence[str]) -> None:
    """One line a run, or a group of them; the marked ones are on the chart. How it looks is chosen in ``row``."""
    if not runs:
        st.info("No run matches these filters.", icon=":material/filter_alt_off:")
        return
    lines = [describe_any(run) for run in runs]
    # Of grades alone, and no run here has graded images.
    graded = [column.title for column in COMPARED.values() if column.metric.graded]
    empty = {title for title in graded if all(line.get(title) is None for line in lines)}
    lines = [{title: value for title, value in line.items() if title not in empty} for line in lines]
    usual = usual_columns(lines, runs)
    view = draw_view(row, runs, usual)
    columns = usual if view.columns is None else view.columns
    dataset = same_dataset(runs)
    lines = short_names(with_settings(lines, runs, columns), dataset)
    lines, groups = grouped(lines, runs, view)
    ids = [tuple(run.id for run in group) for group in groups]
    if dataset is not None:
        st.caption(dataset_words(dataset))
    rows = [place for place, group in enumerate(ids) if set(group) <= set(chosen)]
    # A selection is made of row numbers: it must not outlive the list that it was made in.
    key = f"{SELECTION}_{hash(tuple(ids))}"
    if key in st.session_state and sorted(st.session_state[key]["selection"]["rows"]) != rows:
        st.session_state[key] = {"selection": {"rows": rows}}  # chosen elsewhere
    st.dataframe(
        in_columns(lines, columns),
        hide_index=True,
        height=TABLE_HEIGHT if len(lines) > 10 else "auto",
        key=key,
        on_select=lambda: select(key, ids, chosen),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": rows}},
        placeholder="",
        column_config={
            "run": st.column_config.TextColumn(width="large"),
            **formats(),
            "ε": st.column_config.NumberColumn(
                format="%.3g",
                help="DP-SGD: by the run's own ledger. Local-DP: of each training image. Rounded up; the next "
                "column says with what it holds.",
            ),
            "begun": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
    )


def select(key: str, ids: Sequence[Sequence[str]], chosen: Sequence[str]) -> None:
    """Put the runs of the marked rows on the chart; chosen runs that the filters hide stay on it."""
    marked = [run_id for row in st.session_state[key]["selection"]["rows"] for run_id in ids[row]]
    # Of a row with several runs of which some are on the chart, these stay.
    here = {run_id for row in ids for run_id in row if len(row) == 1 or set(row) <= set(chosen)}
    if set(marked) == set(chosen) & here:
        return  # the table only repeats what it was told; a page that follows what trains goes on doing so
    stay = [run_id for run_id in chosen if run_id not in here or run_id in marked]
    choose([*stay, *(run_id for run_id in marked if run_id not in stay)])
    touched()


def draw_bulk(chosen: Sequence[RunSummary]) -> None:
    """What can be done to several runs at once."""
    ended = [run.id for run in chosen if run.ended]
    row = st.container(horizontal=True, vertical_alignment="center", key="runs_bulk")
    row.caption("Mark rows to put them on the chart." if len(chosen) < 2 else f"{len(chosen)} runs are on the chart.")
    if len(chosen) > 1:
        row.button("Clear the choice", key="clear", icon=":material/deselect:", on_click=choose_none)
        row.button(
            f"Remove {count(ended)}",
            key="delete_chosen",
            icon=":material/delete:",
            disabled=not ended,
            on_click=delete,
            args=(ended,),
            help=None if len(ended) == len(chosen) else "Those that still wait or run stay.",
        )


def choose_none() -> None:
    """Back to the run that the page shows by itself."""
    choose([])
    touched()


def draw_deleted() -> None:
    """The runs that were put away, to be brought back."""
    place = st.expander("Removed runs", key="runs_deleted", icon=":material/delete:", on_change="rerun")
    if not place.open:
        return
    with place:
        gone = service.list_lines(cached.home(), deleted=True)
        if not gone:
            st.caption("None. A removed run is kept for at least 30 days.")
            return
        if len(gone) > MOST_DELETED:
            words = (
                st.text_input("Search the removed runs", key="runs_deleted_search", placeholder="Name")
                .casefold()
                .split()
            )
            found = [run for run in gone if all(word in run.name.casefold() for word in words)]
            st.caption(
                f"{min(len(found), MOST_DELETED):,} of {len(gone):,} removed runs are offered here, the newest first; "
                "search for others."
            )
            gone = found[:MOST_DELETED]
        names = distinct_names(service.load_runs(cached.home(), [run.id for run in gone]))
        chosen = st.multiselect(
            "Removed runs, kept for at least 30 days",
            list(names),
            format_func=lambda run_id: names.get(run_id, run_id),
            key="runs_restore",
            placeholder="Choose which to bring back, or to remove for good",
        )
        row = st.container(horizontal=True, vertical_alignment="center", key="runs_deleted_acts")
        row.button(
            "Restore",
            key="restore",
            icon=":material/undo:",
            disabled=not chosen,
            on_click=restore,
            args=(chosen, chosen),
        )
        draw_removal(row, chosen, key="purge")


def describe_any(run: RunSummary) -> dict[str, object]:
    """One line of the table, whatever is wrong with the run: the others are to be seen too."""
    try:
        return describe(run)
    except Exception:
        log.exception("Run %s cannot be put in the table", run.id)
        bare: dict[str, object] = {"run": for_cell(run.name), "state": state_word(run)}
        return bare | {"begun": begun(run), "message": "The figures of this run cannot be shown."}


def describe(run: RunSummary) -> dict[str, object]:
    """One line of the table."""
    spec = run.spec
    of_picture = _of_picture(spec)
    epsilon = run.spent.epsilon if run.spent is not None else None
    full = "" if epsilon is None or spec is None else full_epsilon(spec, run)
    if of_picture is not None:
        epsilon, full = of_picture.epsilon_image, f"{image_epsilon_statement(of_picture)}: each training image"
    return {
        "run": for_cell(run.name),
        "state": outcome_word(run),
        "dataset": for_cell(dataset_title(spec.dataset)) if spec else None,
        "method": METHOD_STYLES[spec.method].title if spec else None,
        "epochs": run.epochs_done,
        "of": spec.epochs if spec else None,
        **numbers_of(run.last, COMPARED.values()),
        "β": spec.beta if spec else None,
        "ε": None if epsilon is None or math.isinf(epsilon) else float(format_epsilon(epsilon).replace(",", "")),
        "ε in full": full,
        "tags": [for_cell(tag) for tag in run.tags],
        "begun": begun(run),
        "message": why_failed_plainly(run),
    }


def _of_picture(spec: RunSpec | None) -> ImageGuarantee | None:
    """What a Local-DP run guarantees for each training picture; None for another, or a dataset that nobody knows."""
    if spec is None or spec.method != "local_dp":
        return None
    with suppress(MedprivError):
        return picture_guarantee(spec)
    return None


def full_epsilon(spec: RunSpec, run: RunSummary) -> str:
    """The ledger's epsilon with delta, adjacency, sampling and accountant, and where the run was stopped."""
    mechanism, spent = mechanism_of_run(spec, run.setup), run.spent
    if mechanism is None or spent is None or not spent.steps or spent.epsilon is None:
        return "not enough was recorded to say what holds"
    delta = spec.delta if spent.delta is None else spent.delta
    full = _full_epsilon(mechanism, spent.steps, delta, spent.epsilon)
    return f"{full}. {spent.place}" if run.ended and spent.place is not None else full


@lru_cache(maxsize=5000)
def _full_epsilon(mechanism: SubsampledGaussian, steps: int, delta: float, epsilon: float) -> str:
    return dp_sgd_statement(
        epsilon=epsilon,
        delta=delta,
        adjacency=mechanism.adjacency,
        sampling=mechanism.sampling,
        accountant=accountant_of(sample_rate=mechanism.sample_rate, delta=delta, steps=steps),
        unit=mechanism.unit,
    )
