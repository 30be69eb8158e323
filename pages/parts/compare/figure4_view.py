"""Figure 4: accuracy by mechanism, strength and dataset."""

from __future__ import annotations

import streamlit as st

from medpriv_core.figures.comparison import figure_4
from medpriv_core.results.result import PROTOCOL_TITLES, Protocol
from pages.parts.charts import draw_chart
from pages.parts.compare.choice import Choice
from pages.parts.compare.tables import draw_table, say_what_is_left_out
from pages.parts.links import from_link, to_link


def choose_protocol() -> Protocol:
    """Which epoch counts."""
    names = list(PROTOCOL_TITLES)
    chosen = st.radio(
        "Which epoch counts",
        names,
        index=names.index(from_link("epoch", names, names[0])),
        format_func=PROTOCOL_TITLES.__getitem__,
        key="figure4_protocol",
        horizontal=True,
    )
    to_link(epoch=None if chosen == names[0] else chosen)
    return chosen


def draw(choice: Choice, protocol: Protocol) -> None:
    """The chart with its table."""
    chart = figure_4(choice.groups, first=choice.dataset, protocol=protocol)
    draw_chart(chart.figure, key="figure4", name=chart.name, alt=chart.alt, caption=chart.caption)
    say_what_is_left_out(chart)
    if protocol == "last_epoch":
        st.caption(
            "Filled: test images, with the 95% interval (over runs that differ in their seed where there are several, "
            "else Wilson's for other test images). Hollow: training images. Dash-dotted: always naming the most "
            "frequent class of the test images."
        )
    else:
        st.warning(
            "Here each accuracy is the largest of all epochs, test and training apart, chosen on the test images "
            "themselves. It is too high by up to 2.7 points on 624 images, and publishing it tells about the test "
            "patients without any noise. It stands here only because the paper reports it.",
            icon=":material/warning:",
        )
    draw_table(chart.groups, key="figure4", name=chart.name, protocol=protocol)
