"""Figure 4: accuracy by mechanism, strength and dataset."""

from __future__ import annotations

import streamlit as st

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.figures.mechanisms import mechanisms_alt, mechanisms_figure
from medpriv_core.results.groups import Group
from medpriv_core.results.result import Protocol
from pages.parts.charts import draw_chart
from pages.parts.compare.choice import Choice
from pages.parts.compare.tables import draw_table, what_holds
from pages.parts.links import from_link, to_link

PROTOCOLS: dict[Protocol, str] = {
    "last_epoch": "Last epoch",
    "best_on_test": "Best epoch on the test images (the paper's optimistic protocol)",
}


def choose_protocol() -> Protocol:
    """Which epoch counts."""
    names = list(PROTOCOLS)
    chosen = st.radio(
        "Which epoch counts",
        names,
        index=names.index(from_link("epoch", names, names[0])),
        format_func=PROTOCOLS.__getitem__,
        key="figure4_protocol",
        horizontal=True,
    )
    to_link(epoch=None if chosen == names[0] else chosen)
    return chosen


def draw(choice: Choice, protocol: Protocol) -> list[Group]:
    """The chart with its table; gives back the groups that it shows."""
    order = sorted({group.first.dataset for group in choice.groups}, key=lambda name: (name != choice.dataset, name))
    panels = {
        dataset_info(name).title: [group for group in choice.groups if group.first.dataset == name] for name in order
    }
    rates = {
        title: next((group.first.majority_rate for group in groups if group.first.majority_rate), None)
        for title, groups in panels.items()
    }
    figure = mechanisms_figure(panels, protocol=protocol, majority_rates=rates)
    shown = [group for groups in panels.values() for group in groups]
    name = f"Figure 4, accuracy by mechanism: {PROTOCOLS[protocol].lower()}"
    alt = mechanisms_alt(panels, protocol=protocol)
    draw_chart(figure, key="figure4", name=name, alt=alt, caption=what_holds(shown))
    if protocol == "last_epoch":
        st.caption(
            "Filled: test images, with the 95 % interval (over runs that differ in their seed where there are several, "
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
    draw_table(shown, key="figure4", name=name, protocol=protocol)
    return shown
