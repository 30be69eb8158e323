"""The run in progress: how far it is, how fast, how long it will take, and the button that stops it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from medpriv_core.errors import MedprivError
from medpriv_core.extras import why_missing
from medpriv_core.progress import format_duration
from medpriv_core.runs import service
from medpriv_core.runs.service import Run, RunLine
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.messages import explain_errors
from pages.parts.runs.actions import act, begin_fragment
from pages.parts.runs.address import choose
from pages.parts.runs.states import state_badge
from pages.parts.runs.watchers import refresh_s


def draw_running(
    read: Callable[[], list[RunLine]], was_busy: int, shown: tuple[str, ...], every_s: float | None
) -> None:
    """A card for each running run and a line on those that wait, drawn again ``every_s`` seconds.

    ``read`` gives the list, ``was_busy`` is as ``busy_signature`` had it.
    """
    with explain_errors():
        begin_fragment()
        runs = read()
        if busy_signature(runs) != was_busy or (every_s and refresh_s() != every_s):
            st.rerun()  # the whole page, so that the refreshing ends, begins or takes another pace
        running = [run for run in runs if run.state == "running"]
        for run in running:
            try:
                loaded = service.load_run(cached.home(), run.id)
            except MedprivError:
                continue  # deleted in between; the next look at the list says so
            draw_card(loaded, shown=run.id in shown)
        waiting = sorted((run for run in runs if run.place), key=lambda run: run.place or 0)
        if waiting:
            count = "1 run waits" if len(waiting) == 1 else f"{len(waiting)} runs wait"
            st.caption(f"{count}; next is {for_markdown(waiting[0].name)}.")
            if untrainable := why_missing("train"):
                st.warning(for_markdown(untrainable), icon=":material/extension_off:")


def busy_signature(runs: list[RunLine]) -> int:
    """Tells apart whatever the page must show at once: which runs there are, their states, and the first epoch."""
    return hash(tuple([(run.id, run.state, run.state == "running" and run.epochs_done > 0) for run in runs]))


def draw_card(run: Run, *, shown: bool) -> None:
    """One running run."""
    with st.container(border=True, key=f"running_{run.id}"):
        row = st.container(horizontal=True, vertical_alignment="center")
        row.markdown(f"**{for_markdown(run.name)}** {state_badge(run)}", width="stretch")
        if not shown:
            row.button("Show", key=f"show_{run.id}", icon=":material/show_chart:", on_click=choose, args=([run.id],))
        row.button(
            "Stop",
            icon=":material/stop:",
            key=f"stop_{run.id}",
            disabled=run.stopping,
            on_click=act,
            args=("Stopping; the checkpoint is kept.", lambda: service.cancel(cached.home(), run.id)),
            help="The checkpoint is kept; you can resume later.",
        )
        st.progress(*progress_of(run))


def progress_of(run: Run) -> tuple[float, str]:
    """How full the bar is, and what it says: phase, epoch, speed, time left."""
    progress = run.progress
    if not progress:
        return 0.0, "Starting the worker…"
    share = min(1.0, progress["done"] / progress["total"]) if progress["total"] else 0.0
    parts = [str(progress["phase"])]
    if run.spec and run.epochs_done and not str(progress["phase"]).startswith("Epoch"):
        parts.append(f"{run.epochs_done} of {run.spec.epochs} epochs done")
    if speed := run.last.images_per_s:
        parts.append(f"{speed:,.0f} images a second")
    if progress["seconds_left"]:
        parts.append(f"{format_duration(progress['seconds_left'])} left")
    return share, for_markdown(" · ".join(parts))
