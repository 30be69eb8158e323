"""Entries of a legend for what no curve is named after: bars, bands, stars, hollow marks.

A caption on the page is not enough, because a chart is taken away as a picture without its page. An entry is a trace
without a point, so screen and export show it alike.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from medpriv_core.palette import REFERENCE_COLOUR

RANK = 5000  # after all curves; Plotly's usual one is 1000
INTERVAL = "95% interval"
BAND_COLOUR = "rgba(138,143,148,0.4)"


def mark(
    name: str, symbol: str, *, colour: str = REFERENCE_COLOUR, size: float = 11, at: str | None = None
) -> go.Scatter:
    """A mark in grey, which is no method's colour; ``at`` is any category of the y axis, where it has such."""
    return _entry(
        name,
        at,
        mode="markers",
        marker={"symbol": symbol, "size": size, "color": colour, "line": {"width": 2, "color": colour}},
    )


def line(name: str, dash: str, *, at: str | None = None) -> go.Scatter:
    """A line to compare with."""
    return _entry(name, at, mode="lines", line={"color": REFERENCE_COLOUR, "dash": dash, "width": 1})


def interval_bars(about: str = "") -> go.Scatter:
    """Upright error bars; ``about`` says what they are about, where they are not all of one kind."""
    return mark(f"bar: {INTERVAL}{about}", "line-ns-open", size=14)


def interval_bands(about: str) -> go.Scatter:
    """Bands around curves."""
    return mark(f"band: {INTERVAL} {about}", "square", colour=BAND_COLOUR, size=14)


def _entry(name: str, at: str | None, **looks: Any) -> go.Scatter:
    return go.Scatter(x=[None], y=[at], name=name, legendrank=RANK, showlegend=True, hoverinfo="skip", **looks)
