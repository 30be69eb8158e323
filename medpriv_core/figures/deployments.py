"""Where an ε stands among those that others have published: one line, logarithmic, with a point for each."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR
from medpriv_core.privacy.deployments import DEPLOYMENTS
from medpriv_core.privacy.statement import format_delta, format_epsilon

FIRST, LAST = 0.1, 1e6
HERE = "here"


def deployments_figure(epsilon: float) -> go.Figure:
    """The published ones, and below them the own ``epsilon``; an infinite one stands at the end."""
    own = min(max(epsilon, FIRST), LAST)
    style = METHOD_STYLES["dp_sgd"]
    figure = go.Figure()
    figure.add_scatter(
        x=[one.epsilon for one in DEPLOYMENTS],
        y=[one.name for one in DEPLOYMENTS],
        name="published",
        mode="markers+text",
        text=[f"   {one.epsilon:g}" for one in DEPLOYMENTS],
        textposition="middle right",
        marker={"color": REFERENCE_COLOUR, "symbol": "circle", "size": 11},
        customdata=[[one.unit, format_delta(one.delta), one.model, one.year] for one in DEPLOYMENTS],
        hovertemplate="ε = %{x:g} (δ = %{customdata[1]}) for %{customdata[0]}; %{customdata[2]}, %{customdata[3]}"
        "<extra></extra>",
    )
    figure.add_scatter(
        x=[own],
        y=[HERE],
        name="here",
        mode="markers+text",
        text=[f"   {format_epsilon(epsilon)}"],
        textposition="middle right" if own < LAST / 100 else "middle left",
        marker={"color": style.colour, "symbol": style.marker, "size": 14},
        hovertemplate=f"ε = {format_epsilon(epsilon)}<extra></extra>",
    )
    figure.update_layout(
        height=330,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        xaxis={
            "title": "ε (smaller is more private)",
            "type": "log",
            "range": [math.log10(FIRST), math.log10(LAST)],
            "tickvals": [0.1, 1, 10, 100, 10_000, 1e6],
            "ticktext": ["0.1", "1", "10", "100", "10,000", "1,000,000"],
        },
        yaxis={"autorange": "reversed", "automargin": True},
    )
    return figure


def deployments_alt(epsilon: float) -> str:
    """The chart in words."""
    smaller = sum(one.epsilon < epsilon for one in DEPLOYMENTS)
    return (
        f"ε = {format_epsilon(epsilon)} beside {len(DEPLOYMENTS)} published uses of differential privacy, of which "
        f"{smaller} promise a smaller ε."
    )
