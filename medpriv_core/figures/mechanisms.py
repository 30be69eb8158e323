"""Accuracy by mechanism, strength and dataset: Figure 4 of the paper."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from medpriv_core.figures import keys
from medpriv_core.figures.styles import GroupStyle, styles_of
from medpriv_core.palette import REFERENCE_COLOUR
from medpriv_core.results.groups import Estimate, Group
from medpriv_core.results.result import Protocol
from medpriv_core.shown_text import for_chart

# column -> what it is called, and whether its marker is filled
SERIES = {"test_accuracy": ("test images", True), "train_accuracy": ("training images", False)}
ROW_PX, LINE_PX = 8, 14  # of a row: the space around its label, and each line of the longest label
KEY_PX = 50  # above the first panel
GAP_PX = 90  # between two panels: numbers of the upper axis, title of the lower one
LABEL_WIDTH = 30  # characters in a line


def mechanisms_figure(
    groups: Mapping[str, Sequence[Group]], *, protocol: Protocol, majority_rates: Mapping[str, float | None]
) -> go.Figure:
    """A line for each labelled group with its accuracy on test images (filled) and training images (hollow).

    ``groups`` by the title of their dataset, a panel each, with intervals of the test accuracy as bars. Under
    ``best_on_test`` each accuracy is the largest of all epochs by itself, as the paper has it, and has no interval:
    that of a maximum is not the one of its epoch. ``majority_rates`` by the same titles.
    """
    counts = [len(members) for members in groups.values()]
    lines = max((_lines(group.label).count("<br>") + 1 for members in groups.values() for group in members), default=1)
    height = (ROW_PX + LINE_PX * max(2, lines)) * (sum(counts) + len(groups)) + GAP_PX * (len(groups) - 1)
    figure = make_subplots(
        rows=len(groups),
        cols=1,
        subplot_titles=list(map(for_chart, groups)),
        row_heights=[count + 1 for count in counts],
        vertical_spacing=GAP_PX / height if len(groups) > 1 else 0,
    )
    for row, (title, members) in enumerate(groups.items(), start=1):
        for group, style in zip(members, styles_of(members), strict=True):
            for column, (series, filled) in SERIES.items():
                found = group.estimate(column, protocol)
                if found is not None:
                    marked = protocol == "last_epoch" and filled and found.kind != "none"
                    figure.add_trace(_point(group, style, found, series, filled=filled, bars=marked), row=row, col=1)
        rate = majority_rates.get(title)
        if rate is not None:
            figure.add_vline(
                x=rate, row=row, col=1, line={"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1}
            )
        figure.update_yaxes(
            categoryorder="array", categoryarray=[_lines(group.label) for group in reversed(members)], row=row, col=1
        )
    for entry in _key(groups, majority_rates, bars=protocol == "last_epoch"):
        figure.add_trace(entry, row=1, col=1)
    figure.update_yaxes(automargin=True)
    figure.update_xaxes(tickformat=".0%", range=[_lowest(figure), 1.02])
    figure.update_xaxes(title="accuracy", row=len(groups), col=1)
    figure.update_layout(
        height=height + GAP_PX + KEY_PX,
        margin={"l": 10, "r": 10, "t": 54 + KEY_PX, "b": 10},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top", "itemclick": False},
        hovermode="closest",
    )
    return figure


def _key(
    groups: Mapping[str, Sequence[Group]], majority_rates: Mapping[str, float | None], *, bars: bool
) -> list[go.Scatter]:
    """What filled, hollow and dash-dotted mean."""
    anywhere = next((_lines(group.label) for members in groups.values() for group in members), "")
    entries = [
        keys.mark(
            f"{series}{f' (bar: {keys.INTERVAL})' if filled and bars else ''}",
            "circle" if filled else "circle-open",
            at=anywhere,
        )
        for series, filled in SERIES.values()
    ]
    if any(rate is not None for rate in majority_rates.values()):
        entries.append(keys.line("always the most frequent class", "longdashdot", at=anywhere))
    return entries


def _point(group: Group, style: GroupStyle, found: Estimate, series: str, *, filled: bool, bars: bool) -> go.Scatter:
    interval = f" ({found.low:.1%} to {found.high:.1%}; {found.words})" if bars else ""
    return go.Scatter(
        x=[found.mean],
        y=[_lines(group.label)],
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
            "size": 11,
            "color": style.colour,
            "line": {"width": 2, "color": style.colour},
        },
        hovertemplate=f"{series}: %{{x:.1%}}{interval}<br>{for_chart(group.first.guarantee.statement)}"
        f"<extra>{for_chart(group.label)}</extra>",
    )


def _lines(label: str) -> str:
    """A label in short lines, so that it leaves room for the points on a narrow window."""
    return "<br>".join(map(for_chart, textwrap.wrap(label.replace(" = ", "\u00a0=\u00a0"), LABEL_WIDTH)))


def _lowest(figure: go.Figure) -> float:
    """Where the axis begins: at whole tens of percent below all points."""
    values = [
        trace.x[0] - (trace.error_x.arrayminus[0] if trace.error_x.arrayminus else 0)
        for trace in figure.data
        if trace.x[0] is not None
    ]
    return max(0.0, math.floor(10 * min(values, default=0.5) - 0.2) / 10)


def mechanisms_alt(groups: Mapping[str, Sequence[Group]], *, protocol: Protocol) -> str:
    """The chart in words."""
    parts = []
    for title, members in groups.items():
        for group in members:
            test = group.estimate("test_accuracy", protocol)
            if test:
                parts.append(f"{title}, {group.label}: {test.mean:.1%}")
    return f"Test accuracy by mechanism. {'; '.join(parts)}."
