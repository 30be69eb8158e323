"""One chart for any number of runs, and the controls that say what is on it.

The figure is made only from stored epochs, because every change of it throws away the visitor's zoom. *Pause* keeps it
as it is while the runs go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from medpriv_core.evaluation.metrics import PART_TITLES, Metric, Part
from medpriv_core.exports.captions import describe_runs
from medpriv_core.figures.curves import (
    MEASURES,
    Axis,
    RunCurves,
    curves_of,
    describe_curves,
    last_and_best,
    parts_of,
)
from medpriv_core.figures.dashboard import View, dashboard_figure, drawn_parts, shared_curves, shared_dashboard
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.privacy.coverage import is_withheld
from medpriv_core.runs.service import Run
from medpriv_core.shown_text import for_cell, for_markdown
from pages.parts.charts import draw_chart
from pages.parts.runs.address import MOST_SMOOTHING, first_parts, view_from_link, view_to_link
from pages.parts.runs.replay import EPOCHS_A_SECOND, advance, as_replayed, draw_replay, last_epoch, play, replay_of
from pages.parts.runs.states import distinct_names

PAUSED = "runs_paused"
MOST_NAMES = 5
AGAINST: dict[Axis, str] = {"epoch": "Epoch", "time": "Time"}


def draw_chart_of(runs: Sequence[Run]) -> None:
    """Controls, chart, what it shows in words, and its numbers."""
    runs = advance(runs)
    live = any(not run.ended for run in runs)
    view = draw_controls(runs, live=live)
    draw_replay(runs)
    measure = MEASURES[view.measure]
    names = distinct_names(runs)

    def drawn_as(runs: Sequence[Run]) -> list[RunCurves]:
        with_epsilon = measure.name == "epsilon"
        return [curves_of(run, name=names[run.id], with_epsilon=with_epsilon) for run in runs if run.spec is not None]

    curves = drawn_as(held(runs))
    wanted = drawn_parts(view)
    drawn = [run for run in curves if set(parts_of([run], measure)) & set(wanted)]
    if not drawn and not (live and not any(run.epochs for run in runs)):
        st.info(nothing_drawn(runs, measure, elsewhere=bool(parts_of(curves, measure))), icon=":material/show_chart:")
        return
    shown_ids = {run.id for run in drawn} - view.hidden
    draw_chart(
        # A replay stands still but for its curves.
        dashboard_figure(curves, view, within=drawn_as(runs) if replay_of(runs) is not None else ()),
        key="runs_chart",
        name=f"{measure.title} of {runs[0].name if len(runs) == 1 else f'{len(runs)} runs'}",
        alt=describe_curves(curves, measure, view.against),
        caption=lambda: describe_runs([replace(run, name=names[run.id]) for run in runs if run.id in shown_ids]),
        shared=lambda: shared_dashboard(curves, view),
    )
    st.caption(legend_words(runs, curves, view))
    left_out = [run.name for run in curves if run not in drawn and run.epochs]
    if left_out:
        reason = "no ε that grows and holds" if measure.name == "epsilon" else "not measured"
        more = f" and {len(left_out) - MOST_NAMES} more" if len(left_out) > MOST_NAMES else ""
        st.caption(f"Not on this chart ({reason}): {for_markdown(', '.join(left_out[:MOST_NAMES]))}{more}.")
    numbers = st.expander("The same numbers as a table", key="runs_numbers", on_change="rerun")
    if numbers.open:
        numbers.dataframe(
            [line | {"run": for_cell(line["run"])} for line in last_and_best(shared_curves(curves), measure)],
            hide_index=True,
            column_config={
                title: st.column_config.NumberColumn(format="%.1f %%" if measure.share else "%.4g")
                for title in ("at the last", "at the best")
            },
        )


def draw_controls(runs: Sequence[Run], *, live: bool) -> View:
    """What the visitor wants to see, also put into the address.

    The controls start with what the address says. Setting their state instead would be lost where the first refresh
    comes before the browser has drawn them.
    """
    offered = offered_parts(runs)
    first = view_from_link(runs=len(runs), offered=offered)
    row = st.container(horizontal=True, vertical_alignment="bottom", key="runs_controls")
    # Where other images are drawn at first, or can be chosen, it is another control.
    images_key = f"runs_images_{len(first_parts(len(runs), offered))}_{len(offered)}"
    measure = row.selectbox(
        "Figure",
        list(MEASURES),
        index=list(MEASURES).index(first.measure),
        format_func=lambda name: MEASURES[name].title,
        key="runs_figure",
        width=230,
    )
    against = row.segmented_control(
        "Against",
        list(AGAINST),
        default=first.against,
        required=True,
        format_func=lambda name: AGAINST[name],
        key="runs_against",
    )
    parts = row.pills(
        "Images",
        offered,
        selection_mode="multi",
        default=first.parts,
        format_func=lambda part: PART_TITLES[part].capitalize(),
        key=images_key,
    )
    with row.popover("Smoothing, axes", icon=":material/tune:", key="runs_axes"):
        smoothing = st.slider(
            "Smoothing (%)",
            0,
            MOST_SMOOTHING,
            round(100 * first.smoothing),
            5,
            key="runs_smoothing",
            help="A running mean over the epochs: each counts this much less than the one after it.",
        )
        log_x = st.toggle("Logarithmic across", first.log_x, key="runs_log_x")
        log_y = st.toggle("Logarithmic upwards", first.log_y, key="runs_log_y")
        marks = st.toggle("Mark best and last epoch", first.marks, key="runs_marks")
    view = View(
        measure=measure,
        against=against or "epoch",
        parts=tuple(parts),
        smoothing=smoothing / 100,
        log_x=log_x,
        log_y=log_y,
        marks=marks,
    )
    if len(runs) > 1:
        with row.popover("Hide, highlight", icon=":material/visibility:", key="runs_hiding"):
            view = hide_and_highlight(runs, view, first)
    if not live and replay_of(runs) is None and last_epoch(runs) > 1:
        row.button(
            "Replay",
            icon=":material/replay:",
            key="replay",
            on_click=play,
            args=(tuple(run.id for run in runs), 1),
            help=f"The curve epoch by epoch, {EPOCHS_A_SECOND} a second.",
        )
    if live and replay_of(runs) is None:
        row.toggle(
            "Pause",
            key="runs_pause",
            on_change=pause,
            args=(runs,),
            help="Each new epoch draws the chart anew, without your zoom. Paused, it stays as it is; the runs go on.",
        )
    view_to_link(view, runs=len(runs), offered=offered)
    return view


def offered_parts(runs: Sequence[Run]) -> list[Part]:
    """The sets of images to choose from: noised test images only where a run looks at them."""
    noised = any(run.spec is not None and run.spec.method == "local_dp" for run in runs)
    return [part for part in PART_TITLES if noised or part != "test_noised"]


def hide_and_highlight(runs: Sequence[Run], view: View, first: View) -> View:
    """Which of several runs are hidden, and which one stands before the others."""
    names = distinct_names(runs)
    hidden_key, highlighted_key = (f"runs_{what}_{','.join(names)}" for what in ("hidden", "highlighted"))
    hidden = st.multiselect(
        "Hide",
        list(names),
        [run_id for run_id in names if run_id in first.hidden],
        format_func=lambda run_id: names[run_id],
        key=hidden_key,
        placeholder="All are shown",
    )
    highlighted = st.selectbox(
        "Highlight",
        list(names),
        list(names).index(first.highlighted) if first.highlighted in names else None,
        format_func=lambda run_id: names[run_id],
        key=highlighted_key,
        placeholder="None",
    )
    return replace(view, hidden=frozenset(hidden), highlighted=highlighted)


def pause(runs: Sequence[Run]) -> None:
    """Remember up to which epoch each run is drawn from now on, or let the chart go on."""
    paused = st.session_state["runs_pause"]
    st.session_state[PAUSED] = {run.id: run.epochs_done for run in runs} if paused else {}


def is_paused() -> bool:
    """Whether the chart is to stay as it is."""
    return bool(st.session_state.get("runs_pause"))


def held(runs: Sequence[Run]) -> list[Run]:
    """The runs with the epochs that are to be drawn: while paused, those that were there at the click."""
    if replay_of(runs) is not None:
        return as_replayed(runs)
    if not is_paused():
        return list(runs)
    return [replace(run, epochs=[row for row in run.epochs if row.epoch <= held_at(run)]) for run in runs]


def held_at(run: Run) -> int:
    """The last epoch that is drawn while paused; of a run chosen since then, all."""
    epoch: int = st.session_state.get(PAUSED, {}).get(run.id, run.epochs_done)
    return epoch


def nothing_drawn(runs: Sequence[Run], measure: Metric, *, elsewhere: bool) -> str:
    """Why there is no chart; ``elsewhere``: the figure is there for images that are not chosen."""
    if not any(run.epochs for run in runs):
        return "No epoch was finished, so there is no curve."
    if elsewhere:
        if any(run.imported and is_withheld(run.spec) for run in runs):
            return (
                f"{measure.title} on the images chosen above is not in an imported private run, because exports leave "
                "the figures of the training images out; choose others."
            )
        return f"{measure.title} was not measured on the images chosen above; choose others."
    these = "this run" if len(runs) == 1 else "these runs"
    if measure.name == "epsilon":
        return f"There is no ε that grows and holds in {these}; the guarantee below says what does."
    return f"{measure.title} was not measured in {these}."


def legend_words(runs: Sequence[Run], curves: Sequence[RunCurves], view: View) -> str:
    """How to read the chart, and of one run the facts about it."""
    said = []
    if len(runs) == 1 and runs[0].spec is not None:
        run = runs[0]
        said = [
            METHOD_STYLES[runs[0].spec.method].title,
            for_markdown(run.setup.device or ""),
            for_markdown((run.setup.weights or "").rstrip(".")),
        ]
    if not any(run.epochs for run in curves):
        said.append("the curve begins with the first epoch")
    if view.marks and MEASURES[view.measure].better and any(run.epochs for run in curves):
        said.append("ring: last epoch; star: best epoch on the test images, an optimistic choice")
    if is_paused():
        newer = sum(run.epochs_done - held_at(run) for run in runs)
        said.append("paused" + (f", {newer} newer epoch{'s wait' if newer > 1 else ' waits'}" if newer else ""))
    return " · ".join(fact for fact in said if fact)
