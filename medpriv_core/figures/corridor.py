"""The corridor between a privacy guarantee and a rebuilt image: the best PSNR from scratch against epsilon."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from medpriv_core.figures.identification import YOURS_COLOUR
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR
from medpriv_core.privacy.reconstruction import CorridorPoint
from medpriv_core.privacy.statement import format_epsilon

# Levels of PSNR as people see them: conventions, not theory.
LEVELS = {10: "10 dB: outlines", 20: "20 dB: recognised", 30: "30 dB: nearly the same"}


def corridor_figure(
    points: Sequence[CorridorPoint], own: CorridorPoint | None = None, *, unit_title: str = "ε"
) -> go.Figure:
    """The expected PSNR of the best image rebuilt without prior knowledge, against epsilon.

    Args:
        points: Along the curve, in any order.
        own: The reader's own setting; drawn as a star.
        unit_title: Title of the horizontal axis.

    Returns:
        The chart, with lines at 10, 20 and 30 dB.
    """
    ordered = sorted(points, key=lambda point: point.epsilon)
    style = METHOD_STYLES["dp_sgd"]
    figure = go.Figure()
    figure.add_scatter(
        x=[point.epsilon for point in ordered],
        y=[point.psnr_db for point in ordered],
        customdata=[(point.noise_multiplier, point.most_correlation) for point in ordered],
        name="best image from scratch",
        mode="lines",
        line={"color": style.colour, "width": 3},
        hovertemplate="ε = %{x:.3g}: %{y:.1f} dB<br>σ = %{customdata[0]:.3g}, correlation at most "
        "%{customdata[1]:.2g}<extra></extra>",
    )
    for level, words in LEVELS.items():
        figure.add_hline(
            y=level,
            line={"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1},
            annotation={"text": words, "font": {"size": 12}},
            annotation_position="top left",  # where ε is small, the curve lies far below
        )
    if own is not None:
        figure.add_scatter(
            x=[own.epsilon],
            y=[own.psnr_db],
            name="this setting",
            mode="markers",
            marker={"symbol": "star", "size": 15, "color": YOURS_COLOUR, "line": {"width": 1, "color": "#FFFFFF"}},
            hovertemplate="this setting, ε = %{x:.3g}: %{y:.1f} dB<extra></extra>",
        )
    figure.update_layout(
        height=360,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": 1.1, "x": 0},
        xaxis={"title": unit_title, "type": "log", "dtick": 1, "exponentformat": "power"},
        yaxis={"title": "PSNR of the best image from scratch (dB)"},
    )
    return figure


def corridor_in_words(points: Sequence[CorridorPoint], own: CorridorPoint | None = None) -> str:
    """The same as text."""
    each = [
        f"ε = {format_epsilon(point.epsilon)}: {point.psnr_db:.1f} dB"
        for point in sorted(points, key=lambda point: point.epsilon)
    ]
    yours = [] if own is None else [f"this setting, ε = {format_epsilon(own.epsilon)}: {own.psnr_db:.1f} dB"]
    return "; ".join([*each, *yours])
