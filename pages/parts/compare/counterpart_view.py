"""What one's own private runs lack to say what privacy costs, and the button that trains it."""

from __future__ import annotations

import streamlit as st

from medpriv_core.datasets.registry import dataset_title
from medpriv_core.errors import MedprivError
from medpriv_core.extras import why_missing
from medpriv_core.progress import format_duration
from medpriv_core.results.missing import Missing, missing_counterparts
from medpriv_core.runs import service
from medpriv_core.runs.estimate import estimate_time
from medpriv_core.runs.service import RunSummary
from medpriv_core.shown_text import for_markdown
from medpriv_core.spec import SETTINGS, RunSpec
from pages.parts import cached
from pages.parts.compare.choice import Choice
from pages.parts.messages import explain_errors
from pages.parts.runs.progress_view import progress_of
from pages.parts.runs.watchers import refresh_s
from pages.parts.words import sentence

MOST = 2
MOST_NAMES = 3
FAILED = "compare_counterpart_failed"


def draw_missing(choice: Choice) -> None:
    """A line for each run without privacy that own runs are to be held against and that is not there.

    On the shown dataset; of others, only where the shown one has no own runs to compare.
    """
    here = [group for group in choice.groups if group.own and group.first.dataset == choice.dataset]
    groups = here or [group for group in choice.groups if group.own]
    if not any(group.first.method != "none" for group in groups):
        return
    missing = missing_counterparts(groups, service.list_runs(cached.home()))
    under_way = [each.under_way.id for each in missing if each.under_way is not None]
    for number, each in enumerate(missing[:MOST]):
        if each.under_way is None:
            _offer(each, number)
    if under_way:
        st.fragment(run_every=refresh_s())(_watch)(tuple(under_way[:MOST]))
    if failed := st.session_state.pop(FAILED, None):
        st.error(failed, icon=":material/error:")


def _offer(missing: Missing, number: int) -> None:
    row = st.container(horizontal=True, vertical_alignment="center", key=f"counterpart_{number}")
    row.markdown(f":material/balance: {_lacks(missing)}", width="stretch")
    entry = cached.available_datasets().get(missing.spec.dataset)
    if entry is None or entry.train is None or entry.test is None:
        row.caption("Its dataset is not on this machine.")
        return
    if untrainable := why_missing("train"):
        row.caption(for_markdown(untrainable))
        return
    time = estimate_time(
        cached.home(), missing.spec, train_size=entry.train, test_size=entry.test, patients=entry.patients
    )
    row.button(
        f"Train it, about {format_duration(time.seconds)}",
        key=f"train_counterpart_{number}",
        icon=":material/play_arrow:",
        type="primary",
        on_click=_train,
        args=(missing.spec,),
        help="The same dataset and settings without privacy. "
        + ("The time goes by like runs on this machine." if time.measured else "The time is a rough guess."),
    )


def _lacks(missing: Missing) -> str:
    names = [for_markdown(group.title) for group in missing.groups[:MOST_NAMES]]
    more = len(missing.groups) - len(names)
    who = f"**{'**, **'.join(names)}**{f' and {more} more' if more else ''}"
    one = len(missing.groups) == 1
    place = for_markdown(dataset_title(missing.spec.dataset))
    if not missing.differs:
        return f"{who} on {place} {'has' if one else 'have'} no counterpart without privacy."
    settings = ", ".join(SETTINGS[name].label.lower() for name in missing.differs)
    return f"{who} on {place}: the nearest run without privacy differs in more than privacy ({settings})."


def _train(spec: RunSpec) -> None:
    try:
        service.submit(cached.home(), spec)
    except MedprivError as error:
        st.session_state[FAILED] = sentence(error)


def _watch(ids: tuple[str, ...]) -> None:
    """Runs without privacy that wait or train; the page is made anew when one has ended."""
    with explain_errors():
        runs: list[RunSummary] = service.load_runs(cached.home(), list(ids))
        if len(runs) < len(ids) or any(run.ended for run in runs):
            st.rerun()
        for run in runs:
            row = st.container(horizontal=True, vertical_alignment="center", key=f"counterpart_{run.id}")
            share, said = progress_of(service.load_run(cached.home(), run.id)) if run.place is None else (0.0, "Waits")
            row.progress(share, f"**{for_markdown(run.name)}** · {said}")
            row.page_link("runs.py", label="Follow it", icon=":material/monitoring:", query_params={"run": run.id})
