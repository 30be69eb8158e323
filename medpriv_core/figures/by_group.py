"""One figure of a network for each group, with its interval: a dot plot."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from medpriv_core.evaluation.by_group import GroupFigure
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR
from medpriv_core.shown_text import for_chart
from medpriv_core.spec import Method


def group_dots(
    figures: Sequence[tuple[str, GroupFigure]], *, title: str, method: Method, difference: bool, share: bool
) -> go.Figure:
    """A dot and a bar of 95 % for each group that has a value.

    Args:
        figures: What each group is called, and its figure.
        title: What the figure is called.
        method: Of the network.
        difference: Whether these are differences, for which 0 means that nothing was lost.
        share: Whether these are shares, which are told in percent.
    """
    told = [(group, figure.value, figure.interval) for group, figure in figures if figure.value is not None]
    style = METHOD_STYLES[method]
    chart = go.Figure(
        go.Scatter(
            x=[value for _, value, _ in told],
            y=[for_chart(group) for group, _, _ in told],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [interval.high - value if interval else 0 for _, value, interval in told],
                "arrayminus": [value - interval.low if interval else 0 for _, value, interval in told],
                "thickness": 2,
            },
            mode="markers",
            marker={"symbol": style.marker, "size": 10, "color": style.colour},
            hovertemplate=f"%{{y}}: %{{x:{'.1%' if share else '.3f'}}}<extra></extra>",
        )
    )
    if difference:
        chart.add_vline(x=0, line={"color": REFERENCE_COLOUR, "dash": "dash", "width": 2})
    chart.update_layout(
        height=110 + 40 * len(told),
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        xaxis={"title": title, "tickformat": ".0%" if share else None, "nticks": 6},
        yaxis={"type": "category", "autorange": "reversed", "automargin": True},
        showlegend=False,
    )
    return chart


def group_dots_alt(figures: Sequence[tuple[str, GroupFigure]], *, title: str) -> str:
    """The plot in words, for those who cannot see it."""
    told = "; ".join(f"{group} {figure.value:.3f}" for group, figure in figures if figure.value is not None)
    return f"{title}, by group. {told}."
