"""How sure the network is, and how often it is right when it is that sure."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from medpriv_core.evaluation.calibration import BINS, ReliabilityBin
from medpriv_core.figures import keys
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR
from medpriv_core.spec import Method

COUNT_PANEL = (0.0, 0.24)  # of the height
ACCURACY_PANEL = (0.34, 1.0)


def reliability_figure(bins: Sequence[ReliabilityBin], *, classes: int, method: Method) -> go.Figure:
    """Share of right answers against confidence with 95 % intervals, and below how many answers that is.

    ``bins`` are those that hold an answer. On the dashed line a network knows exactly how often it is right; below it,
    it is too sure of itself.
    """
    style = METHOD_STYLES[method]
    lowest = (BINS // classes) / BINS  # the highest of several probabilities is never below 1 / classes
    figure = go.Figure()
    figure.add_scatter(
        x=[lowest, 1],
        y=[lowest, 1],
        mode="lines",
        name="as sure as right",
        line={"color": REFERENCE_COLOUR, "dash": "dash", "width": 2},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[of.confidence for of in bins],
        y=[of.accuracy for of in bins],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [of.interval.high - of.accuracy for of in bins],
            "arrayminus": [of.accuracy - of.interval.low for of in bins],
            "thickness": 1,
        },
        mode="lines+markers",
        name="this network",
        line={"color": style.colour, "width": 2},
        marker={"symbol": style.marker, "size": 8},
        customdata=[of.count for of in bins],
        hovertemplate="%{x:.1%} sure, %{y:.1%} right (%{customdata:,} answers)<extra></extra>",
    )
    figure.add_trace(keys.interval_bars())
    figure.add_bar(
        x=[(of.low + of.high) / 2 for of in bins],
        y=[of.count for of in bins],
        marker={"color": style.colour},
        showlegend=False,
        yaxis="y2",
        customdata=[[of.low, of.high] for of in bins],
        hovertemplate="%{y:,} answers from %{customdata[0]:.0%} to %{customdata[1]:.0%} sure<extra></extra>",
    )
    figure.update_layout(
        height=440,
        bargap=0.1,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": 1.1, "x": 0},
        xaxis={
            "title": "how sure the network is (confidence)",
            "range": [lowest - 0.02, 1.02],
            "tickformat": ".0%",
            "anchor": "y2",
        },
        yaxis={"title": "share right", "range": [-0.03, 1.05], "tickformat": ".0%", "domain": ACCURACY_PANEL},
        yaxis2={"title": "answers", "rangemode": "tozero", "domain": COUNT_PANEL, "nticks": 3},
    )
    return figure


def reliability_alt(bins: Sequence[ReliabilityBin]) -> str:
    """The diagram in words, for those who cannot see it."""
    answers = "; ".join(f"{of.confidence:.0%} sure, {of.accuracy:.0%} right ({of.count:,} answers)" for of in bins)
    return f"Share of right answers against confidence. {answers}."
