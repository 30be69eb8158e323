"""Runs: how is it going? What trains now, any number of runs on one chart, all about one of them, and the list."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from medpriv_core.errors import RunTableError
from medpriv_core.runs import service
from medpriv_core.runs.health import run_health
from medpriv_core.runs.service import Run, RunLine
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.messages import explain_errors
from pages.parts.multiplicity_view import draw_seeds
from pages.parts.runs.actions import act, begin_fragment, begin_page, draw_said
from pages.parts.runs.address import chosen_ids
from pages.parts.runs.chart import draw_chart_of, is_paused
from pages.parts.runs.control import draw_control
from pages.parts.runs.details import draw_details
from pages.parts.runs.progress_view import busy_signature, draw_running
from pages.parts.runs.removal import draw_full_disk
from pages.parts.runs.replay import every_s as replay_every_s
from pages.parts.runs.run_list import draw_bringing, draw_deleted, draw_list
from pages.parts.runs.states import distinct_names, state_badge
from pages.parts.runs.watchers import refresh_s
from pages.parts.words import in_form_words, why_failed

# At least so long between two looks; a run that begins or ends makes the whole page anew.
CHART_S = 2.0
LIST_S = 10.0
NOT_READ, MOST_NOT_READ = "runs_not_read", 10


def main() -> None:
    begin_page()
    st.title("How is it going?", anchor=False)
    draw_said()
    draw_not_read()
    try:
        runs = service.list_lines(cached.home())
    except RunTableError as error:
        draw_damage(str(error))
        return
    if (missing := service.unlisted(cached.home())) is not None:
        draw_damage(missing)
    if not runs:
        if missing is None:
            st.info("No runs yet. A quick one takes less than a minute.", icon=":material/hourglass_empty:")
        if st.button("Set up a run", key="set_up", type="primary", icon=":material/tune:"):
            st.switch_page("train.py")
        draw_bringing()
        draw_deleted()
        return
    shown = shown_runs(runs)
    draw_full_disk(runs)
    busy = any(not run.ended for run in runs)
    every_s = refresh_s() if busy else None
    st.fragment(run_every=every_s)(draw_running)(read_already(runs), busy_signature(runs), shown, every_s)
    watching = any(not run.ended for run in runs if run.id in shown) and not is_paused()
    st.fragment(run_every=max(CHART_S, every_s) if every_s and watching else None)(draw_runs)(shown, tags_of(runs))
    st.subheader("All runs", anchor=False)
    st.fragment(run_every=LIST_S if busy and not is_paused() else None)(draw_list)(read_already(runs), shown)


def read_already(runs: list[RunLine]) -> Callable[[], list[RunLine]]:
    """The list for a part of the page: at first as the page has just read it, each time later read anew.

    Of ten thousand runs each reading takes a quarter of a second.
    """
    first = [runs]
    return lambda: first.pop() if first else service.list_lines(cached.home())


def draw_damage(what: str) -> None:
    """The table of runs is damaged or lost, or lacks some: how to make it again."""
    st.error(for_markdown(what), icon=":material/database_off:")
    st.button(
        "Rebuild the list from the run folders",
        key="rebuild",
        type="primary",
        icon=":material/build:",
        on_click=act,
        args=("The list of runs was made again from their folders.", rebuild),
    )


def rebuild() -> None:
    """Make the table again; what could not be read is said on the page that follows."""
    said: list[str] = []
    service.rebuild(cached.home(), say=said.append)
    st.session_state[NOT_READ] = said


def draw_not_read() -> None:
    """What the last rebuilding could not read."""
    said = st.session_state.pop(NOT_READ, [])
    for words in said[:MOST_NOT_READ]:
        st.warning(for_markdown(words), icon=":material/rule:")
    if len(said) > MOST_NOT_READ:
        st.warning(
            f"{len(said) - MOST_NOT_READ:,} more runs could not be read whole; each says so in the list.",
            icon=":material/rule:",
        )


def shown_runs(runs: Sequence[RunLine]) -> tuple[str, ...]:
    """The runs that the address names, else those that train, else the newest."""
    known = {run.id for run in runs}
    wanted = chosen_ids()
    gone = [run_id for run_id in wanted if run_id not in known]
    if gone:
        # Not which: an address comes from anybody, and names only what exists.
        what = "a run that is" if len(gone) == 1 else f"{len(gone):,} runs that are"
        st.warning(
            f"The address asks for {what} not in the list of this machine: removed, or never here.",
            icon=":material/search_off:",
        )
    found = tuple(run_id for run_id in wanted if run_id in known)
    return found or tuple(run.id for run in runs if run.state == "running") or (runs[0].id,)


def draw_runs(shown: tuple[str, ...], known_tags: list[str]) -> None:
    """The chart of these runs, and all about one of them."""
    with explain_errors():
        begin_fragment()
        runs = load(shown)
        if runs is None:
            return
        if len(runs) > 1:
            st.subheader(f"{len(runs)} runs", anchor=False)
        elif runs[0].state != "running":
            draw_head(runs[0])
        if any(run.spec is not None and (not run.ended or run.epochs) for run in runs):
            st.fragment(run_every=replay_every_s(runs))(draw_curves)(runs)
        draw_seeds(cached.home(), runs)
        run = choose_one(runs)
        draw_control(run)
        draw_details(run, known_tags)


def draw_curves(runs: Sequence[Run]) -> None:
    """The chart, by itself, so that a replay draws nothing else."""
    with explain_errors():
        draw_chart_of(runs)


def load(shown: Sequence[str]) -> list[Run] | None:
    """These runs; None where one of them was deleted since the page was made, and the page is made anew."""
    runs = [service.load_run(cached.home(), run_id) for run_id in shown]
    if any(run.deleted_at is not None for run in runs):
        st.rerun()
    return runs


def choose_one(runs: Sequence[Run]) -> Run:
    """Of several runs, the one whose details are wanted."""
    if len(runs) == 1:
        return runs[0]
    names, known = distinct_names(runs), {run.id: run for run in runs}
    chosen = st.selectbox(
        "Details of",
        list(names),
        format_func=lambda run_id: names[run_id],
        key=f"runs_details_of_{','.join(names)}",
    )
    draw_head(known[chosen])
    return known[chosen]


def draw_head(run: Run) -> None:
    """Name, state, and why it failed."""
    st.subheader(f"{for_markdown(run.name)} {state_badge(run)}", anchor=False)
    if run.message:
        st.error(why_failed(run), icon=":material/error:")
    if run.setup.weights_doubt:
        st.warning(
            f"{for_markdown(run.setup.weights or '')} Choose another file of weights, or ImageNet's.",
            icon=":material/warning:",
        )
    if (finding := run_health(run)) is not None:
        show = {"blown_up": st.error, "guessing": st.info}.get(finding.kind, st.warning)
        show(in_form_words(finding.words), icon=":material/monitor_heart:")


def tags_of(runs: Sequence[RunLine]) -> list[str]:
    """Every tag in use."""
    return sorted({tag for run in runs for tag in run.tags})


main()
