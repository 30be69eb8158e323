"""A chart to look at and to take away: what is on screen is what is exported."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

# Plotly looks into pandas if somebody has loaded it; half loaded, by the page of another visitor, it fails there.
import pandas  # noqa: F401
import plotly.graph_objects as go
import streamlit as st

from medpriv_core.exports.charts import to_png, to_svg

_NO_FILE_NAME = re.compile(r"[^a-z0-9]+")


Caption = Sequence[str] | Callable[[], Sequence[str]]


def draw_chart(
    figure: go.Figure,
    *,
    key: str,
    name: str,
    alt: str,
    caption: Caption = (),
    shared: Callable[[], go.Figure] | None = None,
) -> None:
    """The chart, and below it a row of downloads as PNG and SVG, which are drawn when they are clicked.

    ``name`` is what the chart shows, for example "Accuracy of Chest X-rays, DP-SGD": the title of the export, if the
    figure has none, and its file's name. ``caption`` stands below the exported chart, a statement a line: settings, and
    each ε in full; a function that gives them is called at the click. ``alt`` is the chart in words.
    ``shared`` draws the chart that is exported, where that may show less than the screen.
    """
    # Plotly's own download has neither caption nor guarantee, and shows all that is on the screen.
    st.plotly_chart(
        figure,
        key=key,
        alt=alt,
        config={"displaylogo": False, "modeBarButtonsToRemove": ["toImage", "toimage"], "typesetMath": False},
    )
    file_name = file_name_of(name)

    def lines() -> Sequence[str]:
        return caption() if callable(caption) else caption

    def exported() -> go.Figure:
        return figure if shared is None else shared()

    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "PNG",
            lambda: to_png(exported(), title=name, caption=lines()),
            f"{file_name}.png",
            "image/png",
            key=f"{key}_png",
            help="This chart as an image for a slide",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
        )
        st.download_button(
            "SVG",
            lambda: to_svg(exported(), title=name, caption=lines()),
            f"{file_name}.svg",
            "image/svg+xml",
            key=f"{key}_svg",
            help="This chart as a drawing, for print and for changing",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
        )


def file_name_of(name: str) -> str:
    """A file's name without its ending, in letters and digits that every system takes.

    >>> file_name_of("Accuracy of Chest X-rays, Local-DP β = 1")
    'medpriv-accuracy-of-chest-x-rays-local-dp-beta-1'
    """
    words = name.lower().replace("ε", "epsilon").replace("β", "beta").replace("σ", "sigma").replace("δ", "delta")
    return f"medpriv-{_NO_FILE_NAME.sub('-', words).strip('-')[:80].rstrip('-')}"
