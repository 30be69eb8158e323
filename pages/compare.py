"""Compare: what does privacy cost here? The paper's Figures 3 and 4, and the frontier, over finished runs."""

from __future__ import annotations

import streamlit as st

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.results.cost import report_cost, usual_measure
from medpriv_core.results.result import Protocol
from medpriv_core.shown_text import for_markdown
from pages.parts.compare import figure3_view, figure4_view, frontier_view
from pages.parts.compare.choice import choose_runs
from pages.parts.compare.counterpart_view import draw_missing
from pages.parts.compare.differences import draw_differences
from pages.parts.compare.meaning_view import draw_meaning
from pages.parts.compare.sources import draw_sources, draw_together
from pages.parts.tabs import open_tab

LAST_EPOCH: Protocol = "last_epoch"
VIEWS = {"figure-3": "Figure 3", "figure-4": "Figure 4", "frontier": "Frontier"}


def main() -> None:
    st.title("What does privacy cost here?", anchor=False)
    choice = choose_runs()
    draw_missing(choice)
    column, protocol = usual_measure(choice.here, ordered=dataset_info(choice.dataset).ordered), LAST_EPOCH
    view, place = open_tab(VIEWS, key="compare_view", parameter="view")
    # From top to bottom as it is computed, so that nothing moves once it stands.
    with place:
        if view == "figure-3":
            shown = figure3_view.choose_methods(choice)
        elif view == "figure-4":
            protocol = figure4_view.choose_protocol()
        else:
            column = frontier_view.choose_measure(choice, column)
        report = report_cost(choice.here, column, dataset=choice.title, protocol=protocol)
        st.info(report.sentence, icon=":material/balance:")
        if view == "figure-3":
            figure3_view.draw(shown)
        elif view == "figure-4":
            figure4_view.draw(choice, protocol)
        else:
            frontier_view.draw(choice, column)
    if report.footnotes:
        with st.expander("What these figures rest on"):
            for footnote in report.footnotes:
                st.markdown(f"- {for_markdown(footnote)}")
    draw_meaning(choice)
    draw_together(choice)
    draw_sources(choice)
    if any(group.first.source == "authors" for group in choice.here):
        draw_differences()


main()
