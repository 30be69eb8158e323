"""Sweep: what does the whole grid show? The paper's grid in one click, any other grid, and how sweeps are going."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from medpriv_core.errors import MedprivError
from medpriv_core.sweeps import service
from pages.parts import cached
from pages.parts.links import from_link, to_link
from pages.parts.sweep import any_form, paper_form
from pages.parts.sweep.request import NEXT_VIEW, Request
from pages.parts.sweep.summary import draw_refusal, draw_summary
from pages.parts.sweep.sweep_list import REFRESH_S, draw_list

PAPER, ANY, SWEEPS = VIEWS = ("The paper's grid", "Any grid", "Sweeps")
NAMES = dict(zip(("paper", "any", "sweeps"), VIEWS, strict=True))


def main() -> None:
    st.title("What does the whole grid show?", anchor=False)
    if NEXT_VIEW in st.session_state:  # after a launch
        st.session_state["sweep_view"] = NAMES[st.session_state.pop(NEXT_VIEW)]
    busy = any(status.under_way for status in service.list_sweeps(cached.home()).sweeps)
    default = NAMES[from_link("view", list(NAMES), "sweeps" if busy else "paper")]
    tabs = dict(zip(VIEWS, st.tabs(VIEWS, default=default, key="sweep_view", on_change="rerun"), strict=True))
    for name, title in NAMES.items():
        if tabs[title].open:
            to_link(view=name)
    with tabs[PAPER]:
        if tabs[PAPER].open:
            draw_launcher(paper_form.draw)
    with tabs[ANY]:
        if tabs[ANY].open:
            draw_launcher(any_form.draw)
    with tabs[SWEEPS]:
        if tabs[SWEEPS].open:
            st.fragment(run_every=REFRESH_S if busy else None)(draw_list)(busy)


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
        st.subheader("Before you launch", anchor=False)
        if problem is not None:
            draw_refusal(problem)
        else:
            draw_summary(request)


main()
