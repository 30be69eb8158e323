"""Compare: what does privacy cost here? The paper's Figures 3 and 4, and the frontier, over finished runs."""

from __future__ import annotations

import streamlit as st

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.results.cost import report_cost, usual_measure
from medpriv_core.results.result import Protocol
from medpriv_core.shown_text import for_markdown
from pages.parts.compare import figure3_view, figure4_view, frontier_view
from pages.parts.compare.choice import choose_runs
from pages.parts.compare.differences import draw_differences
from pages.parts.compare.sources import draw_sources, draw_together
from pages.parts.links import from_link, to_link

LAST_EPOCH: Protocol = "last_epoch"
FIGURE_3, FIGURE_4, FRONTIER = VIEWS = ("Figure 3", "Figure 4", "Frontier")


def main() -> None:
    st.title("What does privacy cost here?", anchor=False)
    sentence, together = st.container(), st.container()
    choice = choose_runs()
    view = from_link("view", VIEWS, FIGURE_3)
    # The same at every run of this page: tabs whose default changes spring back to it.
    opened_on = st.session_state.setdefault("compare_opened_on", view)
    tabs = dict(zip(VIEWS, st.tabs(VIEWS, default=opened_on, key="compare_view", on_change="rerun"), strict=True))
    column, protocol = usual_measure(choice.here, ordered=dataset_info(choice.dataset).ordered), LAST_EPOCH
    with tabs[FIGURE_3]:
        if tabs[FIGURE_3].open:
            view = FIGURE_3
            figure3_view.draw(choice)
    with tabs[FIGURE_4]:
        if tabs[FIGURE_4].open:
            view = FIGURE_4
            protocol = figure4_view.choose_protocol()
            figure4_view.draw(choice, protocol)
    with tabs[FRONTIER]:
        if tabs[FRONTIER].open:
            view = FRONTIER
            column = frontier_view.choose_measure(choice, column)
            frontier_view.draw(choice, column)
    to_link(view=None if view == FIGURE_3 else view)
    report = report_cost(choice.here, column, dataset=choice.title, protocol=protocol)
    sentence.info(report.sentence, icon=":material/balance:")
    if report.footnotes:
        with sentence.expander("What these figures rest on"):
            for footnote in report.footnotes:
                st.markdown(f"- {for_markdown(footnote)}")
    draw_sources(choice)
    with together:
        draw_together(choice)
    if any(group.first.source == "authors" for group in choice.groups):
        draw_differences()


main()
