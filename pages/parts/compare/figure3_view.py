"""Figure 3: accuracy against epoch."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medpriv_core.figures.epochs import epochs_alt, epochs_figure
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.results.groups import Group
from medpriv_core.spec import METHODS, Method, Trainable
from pages.parts.charts import draw_chart
from pages.parts.compare.choice import Choice
from pages.parts.compare.tables import draw_table, what_holds

# The paper draws no privacy and Local-DP; DP-SGD is one click away.
PAPER_METHODS: tuple[Method, ...] = ("none", "local_dp")
TRAINED: dict[Trainable, str] = {
    "head": "The last layer",
    "norms": "The last layer and normalisation",
    "all": "All layers",
}


def draw(choice: Choice) -> list[Group]:
    """The chart with its table; gives back the groups that it shows."""
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
    trained = _choose_trained(choice.here)
    shown = [
        group
        for group in choice.here
        if group.first.method in methods and (group.first.source == "authors" or group.first.trainable in trained)
    ]
    if not shown:
        st.info("No line is left: choose more methods, or other layers.", icon=":material/filter_alt_off:")
        return []
    rate = next((group.first.majority_rate for group in shown if group.first.majority_rate), None)
    figure = epochs_figure(shown, majority_rate=rate)
    name = f"Figure 3, accuracy against epoch: {choice.title}"
    draw_chart(figure, key="figure3", name=name, alt=epochs_alt(shown), caption=what_holds(shown))
    st.caption(
        "Accuracy after each epoch on clean images, for Local-DP's training curve on noised ones. A line is the mean "
        "of runs that differ in their seed alone, its band the 95 % t-interval of that mean; a line without a band is "
        "one run. Click a line of the legend to hide it; double-click the chart to see all epochs."
    )
    draw_table(shown, key="figure3", name=name)
    return shown


def _choose_trained(groups: Sequence[Group]) -> Sequence[Trainable]:
    """Which layers learned, of all runs but the authors'; asked only where they differ."""
    there = [name for name in TRAINED if any(g.first.trainable == name and g.first.source != "authors" for g in groups)]
    if len(there) < 2:
        return there
    chosen = st.pills(
        "What learned",
        there,
        selection_mode="multi",
        default=there[:1],
        format_func=TRAINED.__getitem__,
        key=f"figure3_trained_{'_'.join(there)}",
        help="In the authors' runs all layers learned.",
    )
    return list(chosen)
