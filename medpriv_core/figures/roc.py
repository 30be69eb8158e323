"""What each threshold buys: ill people found against healthy people alarmed."""

from __future__ import annotations

import plotly.graph_objects as go

from medpriv_core.evaluation.thresholds import RocCurve, ThresholdRow
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR
from medpriv_core.shown_text import for_chart
from medpriv_core.spec import Method


def roc_figure(curve: RocCurve, chosen: ThresholdRow, *, positive: str, method: Method) -> go.Figure:
    """The ROC curve with the point of the ``chosen`` threshold; ``positive`` is the name of the second class."""
    style = METHOD_STYLES[method]
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="guessing",
        line={"color": REFERENCE_COLOUR, "dash": "dash", "width": 2},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=curve.false_alarms,
        y=curve.found,
        mode="lines",
        name="all thresholds",
        line={"color": style.colour, "width": 2, "shape": "linear"},
        customdata=curve.thresholds.clip(0, 1),
        hovertemplate="threshold %{customdata:.2f}: %{y:.1%} found, %{x:.1%} false alarms<extra></extra>",
    )
    if chosen.sensitivity is not None and chosen.specificity is not None:
        figure.add_scatter(
            x=[1 - chosen.specificity],
            y=[chosen.sensitivity],
            mode="markers",
            name=f"threshold {chosen.threshold:.2f}",
            marker={"color": style.colour, "symbol": style.marker, "size": 13, "line": {"width": 2, "color": "white"}},
            hovertemplate="%{y:.1%} found, %{x:.1%} false alarms<extra></extra>",
        )
    figure.update_layout(
        height=360,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": 1.1, "x": 0},
        xaxis={"title": "false alarms (1 − specificity)", "range": [-0.03, 1.03], "tickformat": ".0%"},
        yaxis={"title": f"{for_chart(positive)} found (sensitivity)", "range": [-0.03, 1.05], "tickformat": ".0%"},
    )
    return figure


def roc_alt(chosen: ThresholdRow, *, positive: str, auroc: float) -> str:
    """The curve in words, for those who cannot see it."""
    text = f"ROC curve: share of {positive} found against share of false alarms, area {auroc:.3f}."
    if chosen.sensitivity is None or chosen.specificity is None:
        return text
    return (
        f"{text} At threshold {chosen.threshold:.2f}, {chosen.sensitivity:.1%} are found, with "
        f"{1 - chosen.specificity:.1%} false alarms."
    )
