"""All sweeps: how far each of them is, what can be done with it, and where its runs are."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import streamlit as st

from medpriv_core.home import DataHome
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.progress import format_duration
from medpriv_core.records.epoch import COMPARED, EpochRow
from medpriv_core.results.guarantee import picture_guarantee
from medpriv_core.runs.summary import RunSummary
from medpriv_core.shown_text import for_cell, for_markdown
from medpriv_core.sweeps import service
from medpriv_core.sweeps.files import SweepRun
from medpriv_core.sweeps.service import MemberState, SweepState, SweepStatus
from pages.parts import cached
from pages.parts.messages import explain_errors
from pages.parts.metric_columns import column_formats, numbers_of
from pages.parts.words import in_form_words, why_failed, why_failed_plainly

REFRESH_S = 2.0
MOST_SHOWN = 20
SWEEP_STATES: dict[SweepState, tuple[str, str]] = {
    "waiting": ("waiting", "gray"),
    "running": ("running", "blue"),
    "stopping": ("stopping", "blue"),
    "finished": ("finished", "green"),
    "stopped": ("stopped", "orange"),
}
RUN_STATES: dict[MemberState, str] = {
    "queued": "waiting",
    "running": "running",
    "finished": "finished",
    "failed": "failed",
    "cancelled": "stopped",
    "missing": "not there",
}


def draw_list(was_busy: bool) -> None:
    """Every sweep, the newest first."""
    with explain_errors():
        found = service.list_sweeps(cached.home())
        if was_busy != any(status.under_way for status in found.sweeps):
            st.rerun()  # the whole page, so that the refreshing ends or begins
        if not found.sweeps and not found.complaints:
            st.info(
                "No sweeps yet. The paper's grid on synthetic images takes a few minutes.",
                icon=":material/hourglass_empty:",
            )
        for complaint in found.complaints:
            st.warning(for_markdown(complaint), icon=":material/broken_image:")
        for status in found.sweeps[:MOST_SHOWN]:
            draw_sweep(status)
        if len(found.sweeps) > MOST_SHOWN:
            st.caption(f"{len(found.sweeps) - MOST_SHOWN} older ones: python -m medpriv_core sweep list")


def draw_sweep(status: SweepStatus) -> None:
    """One sweep: title, progress, buttons, runs."""
    sweep = status.sweep
    label, colour = SWEEP_STATES[status.state]
    with st.container(border=True, key=f"sweep_card_{sweep.id}"):
        st.markdown(f"#### {for_markdown(sweep.title)} :{colour}-badge[{label}]")
        st.progress(status.share, progress_words(status))
        draw_buttons(status)
        draw_failure(status)
        with st.expander(f"{status.total} runs", key=f"sweep_runs_{sweep.id}", on_change="rerun") as runs:
            if runs.open:
                draw_runs(status)


def progress_words(status: SweepStatus) -> str:
    """ "12 of 30 runs finished · 2 failed · about 5 min left"."""
    counts = Counter(status.states)
    begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.sweep.created_at))
    parts = [f"{status.done} of {status.total} runs finished"]
    parts += [f"{counts[state]} {RUN_STATES[state]}" for state in ("failed", "cancelled", "missing") if counts[state]]
    if status.seconds_left:
        parts.append(f"about {format_duration(status.seconds_left)} left")
    reused = sum(entry.reused for entry in status.sweep.runs)
    if reused:
        parts.append(f"{reused} {'was' if reused == 1 else 'were'} there before")
    return " · ".join([*parts, f"begun {begun}"])


def draw_buttons(status: SweepStatus) -> None:
    """Stop, resume, forget; and the ways to its runs."""
    sweep_id = status.sweep.id
    row = st.container(horizontal=True, vertical_alignment="center")
    if status.under_way:
        row.button(
            "Stop all",
            icon=":material/stop:",
            key=f"sweep_stop_{sweep_id}",
            disabled=status.state == "stopping",
            on_click=act,
            args=(service.stop, sweep_id),
            help="Checkpoints are kept; you can resume later.",
        )
    if status.to_resume and status.state != "stopping":
        row.button(
            f"Resume {status.to_resume}",
            icon=":material/resume:",
            key=f"sweep_resume_{sweep_id}",
            type="primary",
            on_click=act,
            args=(service.resume, sweep_id),
            help="Stopped and failed runs go on, removed ones come back, those never queued are queued.",
        )
    if status.run_ids:
        ids = ",".join(status.run_ids)
        row.page_link("compare.py", label="Compare", icon=":material/compare_arrows:", query_params={"runs": ids})
        row.page_link("runs.py", label="Runs", icon=":material/monitoring:", query_params={"runs": ids})
    with row.popover("Remove", icon=":material/delete:", key=f"sweep_forget_{sweep_id}"):
        st.markdown("Its runs stay in the list of runs, with its title as a tag.")
        st.button("Remove this sweep", key=f"sweep_delete_{sweep_id}", on_click=act, args=(service.delete, sweep_id))


def act(action: Callable[[DataHome, str], Any], sweep_id: str) -> None:
    """Do something to a sweep and say so if that is not possible."""
    with explain_errors():
        action(cached.home(), sweep_id)


def draw_failure(status: SweepStatus) -> None:
    """Why the first of its failed runs failed; the others are in the table."""
    failed = [run for run in status.members if run is not None and run.state == "failed"]
    if failed:
        more = f" ({len(failed)} runs failed; the table says why.)" if len(failed) > 1 else ""
        st.error(f"{why_failed(failed[0]) or 'A run failed without a word.'}{more}", icon=":material/error:")


def draw_runs(status: SweepStatus) -> None:
    """The runs in the order of the grid, and what was left out of it."""
    st.dataframe(
        [
            describe(entry, run, state)
            for entry, run, state in zip(status.sweep.runs, status.members, status.states, strict=True)
        ],
        hide_index=True,
        placeholder="",
        key=f"sweep_table_{status.sweep.id}",
        column_config=column_formats(COMPARED.values()),
    )
    for name, reason in status.sweep.impossible:
        st.caption(f"Left out: {for_markdown(name)}. {in_form_words(reason)}")


def describe(entry: SweepRun, run: RunSummary | None, state: MemberState) -> dict[str, object]:
    """One line of the table."""
    last = run.last if run is not None else EpochRow()
    spent = run.spent if run is not None else None
    epsilon = spent.epsilon if spent is not None else None
    delta = entry.spec.delta if spent is None or spent.delta is None else spent.delta
    if entry.spec.method == "local_dp":
        guarantee = picture_guarantee(entry.spec)
        epsilon, delta = guarantee.epsilon_image, guarantee.delta
    return {
        "run": for_cell(entry.name),
        "state": ("stopping" if run and run.stopping else RUN_STATES[state]) + (", reused" if entry.reused else ""),
        "epoch": f"{run.epochs_done if run else 0} of {entry.spec.epochs}",
        **numbers_of(last, COMPARED.values()),
        "ε": "" if epsilon is None else f"{format_epsilon(epsilon)} (δ = {format_delta(delta)})",
        "message": why_failed_plainly(run) if run else "",
    }
