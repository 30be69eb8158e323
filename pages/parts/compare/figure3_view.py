"""Figure 3: accuracy against epoch."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medpriv_core.figures.comparison import figure_3
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.results.groups import Group
from medpriv_core.spec import METHODS
from pages.parts import cached
from pages.parts.charts import draw_chart
from pages.parts.compare.choice import Choice
from pages.parts.compare.tables import draw_table, say_what_is_left_out


def choose_methods(choice: Choice) -> list[Group]:
    """The groups of the chosen methods."""
    there = [method for method in METHODS if any(group.first.method == method for group in choice.here)]
    methods = st.pills(
        "Methods",
        there,
        selection_mode="multi",
        default=there,
        format_func=lambda method: METHOD_STYLES[method].title,
        key=f"figure3_methods_{'_'.join(there)}",
        label_visibility="collapsed",
    )
    return [group for group in choice.here if group.first.method in methods]


def draw(shown: Sequence[Group]) -> None:
    """The chart with its table."""
    if not shown:
        st.info("No line is left: choose a method.", icon=":material/filter_alt_off:")
        return
    chart = cached.comparison("figure-3", shown, lambda: figure_3(shown))
    draw_chart(chart.figure, key="figure3", name=chart.name, alt=chart.alt, caption=chart.caption)
    say_what_is_left_out(chart)
    st.caption(
        "Accuracy after each epoch on clean images, for Local-DP's training curve on noised ones. A line is the mean "
        "of runs that differ in their seed alone, its band the 95% t-interval of that mean; a line without a band is "
        "one run. Click a line of the legend to hide it; double-click the chart to see all epochs."
    )
    draw_table(shown, key="figure3", name=chart.name)
