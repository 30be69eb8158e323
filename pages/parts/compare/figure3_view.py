"""Figure 3: accuracy against epoch."""

from __future__ import annotations

import streamlit as st

from medpriv_core.figures.comparison import figure_3
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.spec import METHODS, Method
from pages.parts.charts import draw_chart
from pages.parts.compare.choice import Choice
from pages.parts.compare.tables import draw_table, say_what_is_left_out

# The paper draws no privacy and Local-DP; DP-SGD is one click away.
PAPER_METHODS: tuple[Method, ...] = ("none", "local_dp")


def draw(choice: Choice) -> None:
    """The chart with its table."""
    there = [method for method in METHODS if any(group.first.method == method for group in choice.here)]
    usual = [method for method in there if method in PAPER_METHODS] or there
    methods = st.pills(
        "Methods",
        there,
        selection_mode="multi",
        default=usual,
        format_func=lambda method: METHOD_STYLES[method].title,
        key=f"figure3_methods_{'_'.join(there)}",
    )
    shown = [group for group in choice.here if group.first.method in methods]
    if not shown:
        st.info("No line is left: choose a method.", icon=":material/filter_alt_off:")
        return
    chart = figure_3(shown)
    draw_chart(chart.figure, key="figure3", name=chart.name, alt=chart.alt, caption=chart.caption)
    say_what_is_left_out(chart)
    st.caption(
        "Accuracy after each epoch on clean images, for Local-DP's training curve on noised ones. A line is the mean "
        "of runs that differ in their seed alone, its band the 95% t-interval of that mean; a line without a band is "
        "one run. Click a line of the legend to hide it; double-click the chart to see all epochs."
    )
    draw_table(shown, key="figure3", name=chart.name)
