"""Sweep: what does the whole grid show? The paper's grid in one click, any other grid, and how sweeps are going."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from medpriv_core.errors import MedprivError
from medpriv_core.sweeps import service
from pages.parts import cached
from pages.parts.sweep import any_form, paper_form
from pages.parts.sweep.request import NEXT_VIEW, Request
from pages.parts.sweep.summary import draw_refusal, draw_summary
from pages.parts.sweep.sweep_list import REFRESH_S, draw_list
from pages.parts.tabs import open_tab

VIEWS = {"paper": "The paper's grid", "any": "Any grid", "sweeps": "Sweeps"}
STRIP = "sweep_view"


def main() -> None:
    st.title("What does the whole grid show?", anchor=False)
    if NEXT_VIEW in st.session_state:  # after a launch
        st.session_state[STRIP] = VIEWS[st.session_state.pop(NEXT_VIEW)]
    busy = any(status.under_way for status in service.list_sweeps(cached.home()).sweeps)
    view, place = open_tab(VIEWS, key=STRIP, parameter="view", first="sweeps" if busy else "paper")
    with place:
        if view == "sweeps":
            st.fragment(run_every=REFRESH_S if busy else None)(draw_list)(busy)
        else:
            draw_launcher(paper_form.draw if view == "paper" else any_form.draw)


def draw_launcher(draw_form: Callable[[], Request]) -> None:
    """A form, and beside it what the grid would take."""
    form, summary = st.columns([3, 2], gap="large")
    problem: MedprivError | None = None
    with form:
        try:
            request = draw_form()
        except MedprivError as error:
            problem = error
    with summary.container(border=True, key="summary"):
        st.header("Before you launch", anchor=False)
        if problem is not None:
            draw_refusal(problem)
        else:
            draw_summary(request)


main()
