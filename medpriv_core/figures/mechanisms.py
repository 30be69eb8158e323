"""Accuracy by mechanism and strength on one dataset: Figure 4 of the paper."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import plotly.graph_objects as go

from medpriv_core.figures import keys
from medpriv_core.figures.styles import GroupStyle, styles_of
from medpriv_core.palette import REFERENCE_COLOUR
from medpriv_core.results.groups import Estimate, Group
from medpriv_core.results.result import Protocol
from medpriv_core.shown_text import for_chart

# column -> what it is called, and whether its marker is filled
SERIES = {"test_accuracy": ("test images", True), "train_accuracy": ("training images", False)}
MOST_PX = 620  # in all, so that it stands in a window with the answer above it
ABOVE_PX, BELOW_PX = 84, 50  # the key and the words at the line; the axis
LEAST_ROW_PX, MOST_ROW_PX = 19, 36
TWO_LINES_PX = 30  # of a row, from which on its label may have two lines
SHORT, LONG = 30, 64  # characters of a line of a label, where there may be two and where there is one


def mechanisms_figure(
    groups: Sequence[Group], *, protocol: Protocol, majority_rate: float | None = None, title: str = ""
) -> go.Figure:
    """A line for each labelled group with its accuracy on test images (filled) and training images (hollow).

    Intervals of the test accuracy are bars. Under ``best_on_test`` each accuracy is the largest of all epochs by
    itself, as the paper has it, and has no interval: that of a maximum is not the one of its epoch. ``title`` is the
    dataset's.
    It is as high as ``MOST_PX`` at most, unless there are more lines than can be told apart in that.
    """
    row_px = _row_px(len(groups))
    rows = [_in_lines(group.title, SHORT if row_px >= TWO_LINES_PX else LONG) for group in groups]
    figure = go.Figure()
    for group, row, style in zip(groups, rows, styles_of(groups), strict=True):
        for column, (series, filled) in SERIES.items():
            found = group.estimate(column, protocol)
            if found is not None:
                marked = protocol == "last_epoch" and filled and found.kind != "none"
                figure.add_trace(_point(group, row, style, found, series, filled=filled, bars=marked))
    low = _lowest(figure, majority_rate)
    if majority_rate is not None:
        _draw_line(figure, majority_rate, middle=(low + 1) / 2)
    for series, filled in SERIES.values():
        bars = f" (bar: {keys.INTERVAL})" if filled and protocol == "last_epoch" else ""
        symbol = "circle" if filled else "circle-open"
        figure.add_trace(keys.mark(f"{series}{bars}", symbol, at=next(iter(rows), "")))
    figure.update_layout(
        height=ABOVE_PX + row_px * len(groups) + BELOW_PX,
        margin={"l": 10, "r": 10, "t": ABOVE_PX, "b": BELOW_PX},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top", "itemclick": False},
        hovermode="closest",
        xaxis={
            "title": f"accuracy, {for_chart(title)}" if title else "accuracy",
            "tickformat": ".0%",
            "range": [low, 1.02],
        },
        # Half a row above the first and below the last.
        yaxis={
            "automargin": True,
            "categoryorder": "array",
            "categoryarray": rows[::-1],
            "range": [-0.5, len(rows) - 0.5],
            "dtick": 1,
        },
    )
    return figure


def _row_px(rows: int) -> int:
    return max(LEAST_ROW_PX, min(MOST_ROW_PX, (MOST_PX - ABOVE_PX - BELOW_PX) // max(1, rows)))


def _draw_line(figure: go.Figure, rate: float, *, middle: float) -> None:
    """What one gets without looking at the pictures, with its words above the rows, where no point can be."""
    line = {"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1}
    figure.add_shape(type="line", x0=rate, x1=rate, yref="paper", y0=0, y1=1, line=line)
    figure.add_annotation(
        x=rate,
        yref="paper",
        y=1,
        text=f"always the most frequent class: {rate:.1%}",
        showarrow=False,
        xanchor="left" if rate < middle else "right",
        yanchor="bottom",
        font={"size": 12},
    )


def _point(
    group: Group, row: str, style: GroupStyle, found: Estimate, series: str, *, filled: bool, bars: bool
) -> go.Scatter:
    interval = f" ({found.low:.1%} to {found.high:.1%}; {found.words})" if bars else ""
    return go.Scatter(
        x=[found.mean],
        y=[row],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [found.high - found.mean],
            "arrayminus": [found.mean - found.low],
            "thickness": 1.5,
        }
        if bars
        else None,
        mode="markers",
        showlegend=False,
        marker={
            "symbol": style.shape if filled else f"{style.shape}-open",
            "size": 13 if style.large else 10,
            "color": style.colour,
            "line": {"width": 2, "color": style.colour},
        },
        hovertemplate=f"{series}: %{{x:.1%}}{interval}<br>{for_chart(group.first.guarantee.statement)}"
        f"<extra>{for_chart(group.title)}</extra>",
    )


def _in_lines(label: str, width: int) -> str:
    """A label in short lines, so that it leaves room for the points on a narrow window."""
    return "<br>".join(map(for_chart, textwrap.wrap(label.replace(" = ", "\u00a0=\u00a0"), width)))


def _lowest(figure: go.Figure, rate: float | None) -> float:
    """Where the axis begins: at whole tens of percent below all points and the line."""
    values = [
        trace.x[0] - (trace.error_x.arrayminus[0] if trace.error_x.arrayminus else 0)
        for trace in figure.data
        if trace.x[0] is not None
    ]
    values += [] if rate is None else [rate]
    return max(0.0, math.floor(10 * min(values, default=0.5) - 0.2) / 10)


def mechanisms_alt(groups: Sequence[Group], *, protocol: Protocol, title: str) -> str:
    """The chart in words; ``title`` is the dataset's."""
    parts = []
    for group in groups:
        test = group.estimate("test_accuracy", protocol)
        if test:
            parts.append(f"{group.title}: {test.mean:.1%}")
    return f"Test accuracy by mechanism, {title}. {'; '.join(parts)}."
