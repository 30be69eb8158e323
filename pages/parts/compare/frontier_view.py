"""The frontier: utility against the epsilon that really holds."""

from __future__ import annotations

import streamlit as st

from medpriv_core.figures.comparison import frontier
from medpriv_core.records.epoch import COMPARED
from medpriv_core.shown_text import for_markdown
from pages.parts.charts import draw_chart
from pages.parts.compare.choice import Choice
from pages.parts.compare.tables import draw_table
from pages.parts.links import from_link, to_link


def choose_measure(choice: Choice, usual: str) -> str:
    """What utility is measured by: of grades the ``usual`` one, else the first that something on screen has."""
    there = [column for column in COMPARED if any(group.estimate(column) for group in choice.here)]
    # Accuracy says little where one class is rare.
    default = usual if usual == "test_kappa" else "test_auroc" if "test_auroc" in there else there[0]
    chosen = st.radio(
        "Measured by",
        there,
        index=there.index(from_link("measure", there, default)),
        format_func=lambda column: COMPARED[column].metric.word,
        key=f"frontier_measure_{'_'.join(there)}",
        horizontal=True,
    )
    to_link(measure=None if chosen == default else chosen)
    return chosen


def draw(choice: Choice, column: str) -> None:
    """The chart with its table."""
    chart = frontier(choice.here, column)
    draw_chart(chart.figure, key="frontier", name=chart.name, alt=chart.alt, caption=chart.caption)
    st.caption(
        "Two kinds of ε share this axis, and they protect different things: DP-SGD's is about whether an image was in "
        "the training set, against anyone who gets the model; Local-DP's is about what an image shows, against "
        "anyone who gets the noised image, the one who trains included. Bars: 95% intervals, over runs that differ "
        "in their seed where there are several, else over the test images of one run. A point "
        "without a bar is one run without its predictions on the test images: the "
        "reference set and the authors' logs come without theirs."
    )
    hidden, word = len(choice.here) - len(chart.groups), COMPARED[column].metric.word
    if hidden:
        st.caption(
            f"{hidden} {'line has' if hidden == 1 else 'lines have'} not measured {for_markdown(word)} and "
            "cannot be shown; the authors logged accuracies only."
        )
    draw_table(chart.groups, key="frontier", name=chart.name)
