"""How much noise is enough: what eye, computer and comparing with other patients get out of a picture."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from medpriv_core.attacks.enough import Tried
from medpriv_core.figures import keys
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR

SEEN, UNDONE, FOUND = "seen by eye (likeness)", "undone by a computer (likeness)", "patient found (share of trials)"


def amounts_figure(tried: Sequence[Tried]) -> go.Figure:
    """Three lines against the amount of noise, with 95 % intervals.

    ``tried``: one kind of noise, in ascending order, each with its trials.
    """
    betas, found = [one.beta for one in tried], [one.success for one in tried if one.success is not None]
    lines = {
        SEEN: [one.look.seen or 0.0 for one in tried],
        UNDONE: [one.look.agreed or 0.0 for one in tried],
        FOUND: [one.rate for one in found],
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
                "array": [one.interval[1] - one.rate for one in found],
                "arrayminus": [one.rate - one.interval[0] for one in found],
                "thickness": 1,
            }
        figure.add_scatter(
            x=betas,
            y=[max(value, 0.0) for value in values],
            error_y=bars or None,
            name=name,
            mode="lines+markers",
            line={"color": style.colour, "dash": dash, "width": 3},
            marker={"symbol": style.marker, "size": 10},
            hovertemplate=f"β = %{{x:g}}: %{{y:.2f}}<extra>{name}</extra>",
        )
    if found:
        figure.add_trace(keys.interval_bars())
        chance = found[0].chance
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
        xaxis={"title": "amount of noise (β)", "type": "log", "tickvals": betas},
        yaxis={"title": "likeness, or share of trials", "range": [-0.03, 1.05]},
    )
    return figure


def amounts_in_words(tried: Sequence[Tried]) -> str:
    """The same as text."""
    return "; ".join(
        f"β = {one.beta:g}: seen by eye {max(one.look.seen or 0, 0):.2f}, undone {max(one.look.agreed or 0, 0):.2f}, "
        f"found in {one.success.found} of {one.success.draws} trials"
        for one in tried
        if one.success is not None
    )
