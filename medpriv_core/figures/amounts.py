"""How much noise is enough: what eye, computer and comparing with other patients get out of a picture."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from medpriv_core.attacks.amounts import AmountPoint
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR

SEEN, UNDONE, FOUND = "seen by eye (likeness)", "undone by a computer (likeness)", "patient found (share of trials)"


def amounts_figure(points: Sequence[AmountPoint]) -> go.Figure:
    """Three lines against the amount of noise, with 95 % intervals; ``points`` are of one kind of noise."""
    ordered = sorted(points, key=lambda point: point.beta)
    lines = {
        SEEN: [point.seen or 0.0 for point in ordered],
        UNDONE: [point.undone or 0.0 for point in ordered],
        FOUND: [point.success.rate for point in ordered],
    }
    figure = go.Figure()
    for (name, values), style, dash in zip(
        lines.items(), METHOD_STYLES.values(), ("dot", "dash", "solid"), strict=True
    ):
        bars = {}
        if name == FOUND:
            bars = {
                "type": "data",
                "symmetric": False,
                "array": [point.success.interval[1] - point.success.rate for point in ordered],
                "arrayminus": [point.success.rate - point.success.interval[0] for point in ordered],
                "thickness": 1,
            }
        figure.add_scatter(
            x=[point.beta for point in ordered],
            y=[max(value, 0.0) for value in values],
            error_y=bars or None,
            name=name,
            mode="lines+markers",
            line={"color": style.colour, "dash": dash, "width": 3},
            marker={"symbol": style.marker, "size": 10},
            hovertemplate=f"β = %{{x:g}}: %{{y:.2f}}<extra>{name}</extra>",
        )
    if ordered:
        chance = ordered[0].success.chance
        figure.add_hline(
            y=chance,
            line={"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1},
            annotation={"text": f"guessing: {chance:.1%}", "font": {"size": 12}},
            annotation_position="top left",
        )
    figure.update_layout(
        height=360,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": 1.1, "x": 0},
        xaxis={"title": "amount of noise (β)", "type": "log", "tickvals": [point.beta for point in ordered]},
        yaxis={"title": "likeness, or share of trials", "range": [-0.03, 1.05]},
    )
    return figure


def amounts_in_words(points: Sequence[AmountPoint]) -> str:
    """The same as text."""
    return "; ".join(
        f"β = {point.beta:g}: seen by eye {max(point.seen or 0, 0):.2f}, undone {max(point.undone or 0, 0):.2f}, found "
        f"in {point.success.found} of {point.success.draws} trials"
        for point in points
    )
