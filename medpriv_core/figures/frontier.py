"""Utility against the epsilon that really holds: what privacy costs, all methods in one chart.

The axis is logarithmic, because Local-DP's epsilon of a picture is a thousand times that of DP-SGD. Where no finite
epsilon holds, a run stands in a strip of its own beyond the axis, which is broken off before it.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import plotly.graph_objects as go

from medpriv_core.figures import keys
from medpriv_core.figures.styles import GroupStyle, styles_of
from medpriv_core.palette import REFERENCE_COLOUR
from medpriv_core.records.epoch import COMPARED
from medpriv_core.results.groups import Estimate, Group
from medpriv_core.shown_text import for_chart

PLOT_PX = 440
LINE_PX = 20  # of the legend
GAP = 0.04  # share of the width between the axis and the strip
NARROWEST, WIDEST, EACH = 0.15, 0.4, 0.022  # of the strip, and what a point adds to it


def floor_of(group: Group, column: str) -> tuple[float, str] | None:
    """What a figure is worth without looking at the image, and what that is called; None where not known."""
    guessing = COMPARED[column].metric.guessing
    if guessing is None:
        return None
    value = guessing.value(len(group.first.classes) or None, group.first.majority_rate)
    return None if value is None else (value, guessing.words)


def ceiling_of(groups: Sequence[Group], column: str) -> tuple[float, str] | None:
    """The best figure without privacy on screen, and whose it is."""
    found = [(group.estimate(column), group.label) for group in groups if group.first.method == "none"]
    best = min if COMPARED[column].metric.better == "low" else max
    return best(((each.mean, label) for each, label in found if each is not None), default=None)


def frontier_figure(groups: Sequence[Group], column: str) -> go.Figure:
    """A point for each labelled group that has measured ``column`` (of ``COMPARED``), with its interval as a bar."""
    figure = go.Figure()
    metric = COMPARED[column].metric
    found = [(group, style, group.estimate(column)) for group, style in zip(groups, styles_of(groups), strict=True)]
    drawn = [(group, style, estimate) for group, style, estimate in found if estimate is not None]
    endless = [group.label for group, _, _ in drawn if math.isinf(group.epsilon)]
    strip = min(WIDEST, NARROWEST + EACH * len(endless)) if endless else 0.0
    for number, (group, style, estimate) in enumerate(drawn, start=1):
        place = (endless.index(group.label) + 1) / (len(endless) + 1) if group.label in endless else None
        figure.add_trace(_point(group, style, estimate, place, column, number))
    if any(estimate.kind != "none" for _, _, estimate in drawn):
        figure.add_trace(keys.interval_bars(_about(drawn)))
    if len(endless) == len(drawn):
        figure.add_trace(go.Scatter(x=[None], y=[None], xaxis="x", showlegend=False, hoverinfo="skip"))
        figure.add_annotation(
            xref="paper", yref="paper", x=0.4, y=0.5, text="no run on screen has a finite ε", showarrow=False
        )
    for reference, position in ((ceiling_of(groups, column), "top left"), (_floor(groups, column), "bottom left")):
        if reference is not None:
            value, words = reference
            figure.add_shape(
                type="line",
                xref="paper",
                x0=0,
                x1=1,
                y0=value,
                y1=value,
                line={"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1},
            )
            above = position.startswith("top")
            figure.add_annotation(
                xref="paper",
                x=0.01,
                y=value,
                text=f"{'best without privacy' if above else words}: {COMPARED[column].metric.format(value)}",
                showarrow=False,
                xanchor="left",
                yanchor="bottom" if above else "top",
                font={"size": 12},
            )
    figure.update_layout(
        height=PLOT_PX + LINE_PX * len(drawn),
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": -0.25, "yanchor": "top", "x": 0},
        hovermode="closest",
        xaxis={
            "title": "ε that holds (more privacy to the left)",
            "type": "log",
            "dtick": 1,  # whole powers of ten
            "domain": [0, 1 - strip - GAP] if endless else [0, 1],
            **_range(drawn),
        },
        yaxis={"title": metric.word, "tickformat": metric.axis_format},
    )
    if endless:
        figure.update_layout(
            xaxis2={
                "domain": [1 - strip, 1],
                "anchor": "y",
                "range": [0, 1],
                "tickvals": [0.5],
                "ticktext": ["no finite ε"],
                "showgrid": False,
                "zeroline": False,
            }
        )
        figure.add_annotation(
            xref="paper",
            yref="paper",
            x=1 - strip - GAP / 2,
            y=0,
            text="//",
            showarrow=False,
            yanchor="middle",
            font={"size": 16},
        )
    return figure


def _point(
    group: Group, style: GroupStyle, estimate: Estimate, place: float | None, column: str, number: int
) -> go.Scatter:
    first, metric = group.first, COMPARED[column].metric
    bars = estimate.kind != "none"
    interval = (
        f" ({COMPARED[column].metric.format(estimate.low)} to {COMPARED[column].metric.format(estimate.high)})"
        if bars
        else ""
    )
    ids = ", ".join(result.id for result in group.results[:3]) + (" …" if len(group.results) > 3 else "")
    return go.Scatter(
        x=[group.epsilon if place is None else place],
        y=[estimate.mean],
        xaxis="x" if place is None else "x2",
        name=f"{number}  {for_chart(group.label)}",
        # A number, because markers and colours run out before the settings do.
        text=[str(number)],
        textposition="middle right",
        mode="markers+text",
        marker={"symbol": style.marker, "size": 12, "color": style.colour, "line": {"width": 2, "color": style.colour}},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [estimate.high - estimate.mean],
            "arrayminus": [estimate.mean - estimate.low],
            "thickness": 1.5,
            "color": style.colour,
        }
        if bars
        else None,
        hovertemplate=f"{metric.word} {metric.format(estimate.mean)}{interval}<br>{estimate.words}<br>"
        f"{_wrapped(first.guarantee.statement)}<br>{for_chart(ids)}<extra>{for_chart(group.label)}</extra>",
    )


def _about(drawn: Sequence[tuple[Group, GroupStyle, Estimate]]) -> str:
    kinds = {"seeds": "over seeds", "test_images": "for other test images"}
    found = {estimate.kind for _, _, estimate in drawn}
    return " " + ", or of a single run ".join(words for kind, words in kinds.items() if kind in found)


def _floor(groups: Sequence[Group], column: str) -> tuple[float, str] | None:
    floors = [floor for floor in (floor_of(group, column) for group in groups) if floor is not None]
    return min(floors, default=None)


def _range(drawn: Sequence[tuple[Group, GroupStyle, Estimate]]) -> dict[str, list[float]]:
    """Whole powers of ten around the finite epsilons, so that the axis does not move with every run."""
    finite = [group.epsilon for group, _, _ in drawn if math.isfinite(group.epsilon) and group.epsilon > 0]
    low, high = min(finite, default=0.1), max(finite, default=10.0)
    return {"range": [math.floor(math.log10(low) - 0.1), math.ceil(math.log10(high) + 0.1)]}


def _wrapped(text: str, width: int = 70) -> str:
    return "<br>".join(map(for_chart, textwrap.wrap(text, width)))


def frontier_alt(groups: Sequence[Group], column: str) -> str:
    """The chart in words."""
    said = []
    for group in groups:
        estimate = group.estimate(column)
        if estimate is not None:
            said.append(f"{group.label}: {COMPARED[column].metric.format(estimate.mean)}")
    return f"{COMPARED[column].metric.word} against the epsilon that holds. {'; '.join(said)}."
