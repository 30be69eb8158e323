"""Utility against the epsilon that really holds: what privacy costs, all methods in one chart.

The axis is logarithmic, because Local-DP's epsilon of a picture is a thousand times that of DP-SGD. Where no finite
epsilon holds, a run stands in a strip of its own beyond the axis, which is broken off before it.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from medpriv_core.figures import keys
from medpriv_core.figures.placing import Box, Plot, around, padded
from medpriv_core.figures.styles import GroupStyle, name_at_point, styles_of
from medpriv_core.palette import REFERENCE_COLOUR
from medpriv_core.records.epoch import COMPARED
from medpriv_core.results.cost import Cost, privacy_costs
from medpriv_core.results.groups import Estimate, Group
from medpriv_core.shown_text import for_chart

PLOT_PX, LINE_PX = 420, 13  # the chart without its legend, and what an entry of that adds
USUAL_WIDTH, USUAL_HEIGHT = 1150, 330  # of the plot in a usual window, by which words are placed
GAP = 0.04  # share of the width between the axis and the strip
NARROWEST, WIDEST, EACH = 0.15, 0.4, 0.022  # of the strip, and what a point adds to it
MOST_COSTS = 4  # lines that say what privacy cost; more would be a fence
LEAST_COST_PX = 24


def floor_of(group: Group, column: str) -> tuple[float, str] | None:
    """What a figure is worth without looking at the image, and what that is called; None where not known."""
    guessing = COMPARED[column].metric.guessing
    if guessing is None:
        return None
    value = guessing.value(len(group.first.classes) or None, group.first.majority_rate)
    return None if value is None else (value, guessing.words)


def ceiling_of(groups: Sequence[Group], column: str) -> tuple[float, str] | None:
    """The best figure without privacy, and whose it is: of one's own runs on screen, else of all."""
    plain = [group for group in groups if group.first.method == "none" and group.estimate(column) is not None]
    found = [(group.estimate(column), group.label) for group in [one for one in plain if one.own] or plain]
    best = min if COMPARED[column].metric.better == "low" else max
    return best(((each.mean, label) for each, label in found if each is not None), default=None)


@dataclass(frozen=True)
class _Drawn:
    """A group on the chart: its number there, and its place in the strip if it has no finite epsilon."""

    group: Group
    style: GroupStyle
    estimate: Estimate
    number: int
    place: float | None

    @property
    def words(self) -> str:
        """What stands at its point: the name of one's own, else a number that the legend explains."""
        return name_at_point(self.group) if self.group.own else str(self.number)

    @property
    def in_legend(self) -> bool:
        """Unless all is said at the point."""
        return not self.group.own or self.words != self.group.title


def frontier_figure(groups: Sequence[Group], column: str) -> go.Figure:
    """A point for each labelled group that has measured ``column`` (of ``COMPARED``), with its interval as a bar.

    One's own have their name beside them and a line up to the run without privacy that they are held against.
    """
    figure = go.Figure()
    metric = COMPARED[column].metric
    found = [(group, style, group.estimate(column)) for group, style in zip(groups, styles_of(groups), strict=True)]
    known = [(group, style, estimate) for group, style, estimate in found if estimate is not None]
    endless = [group.label for group, _, _ in known if math.isinf(group.epsilon)]
    drawn = [
        _Drawn(
            group,
            style,
            estimate,
            number,
            (endless.index(group.label) + 1) / (len(endless) + 1) if group.label in endless else None,
        )
        for number, (group, style, estimate) in enumerate(known, start=1)
    ]
    strip = min(WIDEST, NARROWEST + EACH * len(endless)) if endless else 0.0
    across = _range(drawn)
    ceiling, floor = ceiling_of(groups, column), _floor(groups, column)
    lines = [value for value, _ in filter(None, (ceiling, floor))]
    upwards = _upwards(drawn, lines)
    plot = Plot(USUAL_WIDTH, USUAL_HEIGHT)

    def pixels(x: float, y: float, place: float | None) -> tuple[float, float]:
        left = (math.log10(max(x, 1e-9)) - across[0]) / (across[1] - across[0]) * (1 - strip - GAP * bool(endless))
        share = left if place is None else 1 - strip + strip * place
        return share * plot.width, (y - upwards[0]) / (upwards[1] - upwards[0]) * plot.height

    points = [pixels(each.group.epsilon, each.estimate.mean, each.place) for each in drawn]
    plot.take(*(around(x, y) for x, y in points))
    for value in lines:
        _, height = pixels(1.0, value, 0.0)
        plot.take(Box(0, height - 1, plot.width, height + 1))
    for reference, above in ((ceiling, True), (floor, False)):
        if reference is not None:
            value, words = reference
            said = f"{'best without privacy' if above else words}: {metric.format(value)}"
            side, _ = plot.beside_line(said, pixels(1.0, value, 0.0)[1], above=[above])
            _draw_line(figure, value, said, above=above, side=side)
    for cost in _costs([each.group for each in drawn], column):
        x, y, top = cost.private.epsilon, *_ends(cost)
        (place, low), (_, high) = pixels(x, y, None), pixels(x, top, None)
        if abs(high - low) >= LEAST_COST_PX:
            style = next(each.style for each in drawn if each.group is cost.private)
            plot.take(Box(place - 1, min(low, high), place + 1, max(low, high)))
            said = f"{'−' if cost.points > 0 else '+'}{cost.amount}"
            where = plot.place(said, place, (low + high) / 2, among=("middle right", "middle left"))
            figure.add_trace(_cost_line(x, (y, top), said, where, style))
    for each, (x, y) in sorted(zip(drawn, points, strict=True), key=lambda pair: not pair[0].group.own):
        figure.add_trace(_point(each, column, plot.place(each.words, x, y)))
    if any(each.estimate.kind != "none" for each in drawn):
        figure.add_trace(keys.interval_bars(_about(drawn)))
    if len(endless) == len(drawn):
        figure.add_trace(go.Scatter(x=[None], y=[None], xaxis="x", showlegend=False, hoverinfo="skip"))
        figure.add_annotation(
            xref="paper", yref="paper", x=0.4, y=0.5, text="no run on screen has a finite ε", showarrow=False
        )
    figure.update_layout(
        height=PLOT_PX + LINE_PX * sum(each.in_legend for each in drawn),
        margin={"l": 10, "r": 10, "t": 20, "b": 10},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0},
        hovermode="closest",
        xaxis={
            "title": "ε that holds (more privacy to the left)",
            "type": "log",
            "dtick": 1,  # whole powers of ten
            "domain": [0, 1 - strip - GAP] if endless else [0, 1],
            "range": across,
        },
        yaxis={"title": metric.word, "tickformat": metric.axis_format, "range": upwards},
    )
    if endless:
        _draw_strip(figure, strip)
    return figure


def _draw_line(figure: go.Figure, value: float, said: str, *, above: bool, side: str) -> None:
    """A line to compare with, and its words at one end."""
    line = {"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1}
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=value, y1=value, line=line)
    figure.add_annotation(
        xref="paper",
        x=0.01 if side == "left" else 0.99,
        y=value,
        text=said,
        showarrow=False,
        xanchor=side,
        yanchor="bottom" if above else "top",
        font={"size": 12},
    )


def _draw_strip(figure: go.Figure, strip: float) -> None:
    """The place of what no finite epsilon holds for, and the break of the axis before it."""
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


def _costs(groups: Sequence[Group], column: str) -> list[Cost]:
    """What privacy cost in one's own runs with a place on the axis; nothing where that would be too many lines."""
    own = [group for group in groups if group.own]
    costs = [cost for cost in privacy_costs(own, column) if math.isfinite(cost.private.epsilon)]
    return costs if len(costs) <= MOST_COSTS else []


def _ends(cost: Cost) -> tuple[float, float]:
    private, baseline = (group.estimate(cost.column) for group in (cost.private, cost.baseline))
    assert private is not None
    assert baseline is not None
    return private.mean, baseline.mean


def _cost_line(x: float, ends: tuple[float, float], said: str, where: str, style: GroupStyle) -> go.Scatter:
    low, high = ends
    return go.Scatter(
        x=[x] * 3,
        y=[low, (low + high) / 2, high],
        mode="lines+text",
        text=["", padded(said, where), ""],
        textposition=where,
        showlegend=False,
        hoverinfo="skip",
        line={"color": style.colour, "dash": "dot", "width": 1.5},
    )


def _point(each: _Drawn, column: str, where: str) -> go.Scatter:
    group, style, estimate = each.group, each.style, each.estimate
    metric, bars = COMPARED[column].metric, estimate.kind != "none"
    interval = f" ({metric.format(estimate.low)} to {metric.format(estimate.high)})" if bars else ""
    ids = ", ".join(result.id for result in group.results[:3]) + (" …" if len(group.results) > 3 else "")
    title = for_chart(group.title)
    return go.Scatter(
        x=[group.epsilon if each.place is None else each.place],
        y=[estimate.mean],
        xaxis="x" if each.place is None else "x2",
        name=title if group.own else f"{each.number}  {title}",
        # Markers and colours run out before the settings do.
        text=[padded(for_chart(each.words), where)],
        textposition=where,
        showlegend=each.in_legend,
        mode="markers+text",
        cliponaxis=False,
        marker={
            "symbol": style.shape,
            "size": (15 if style.large else 12) if group.own else 9,
            "color": style.colour,
        },
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
        f"{_wrapped(group.first.guarantee.statement)}<br>{for_chart(ids)}<extra>{title}</extra>",
    )


def _about(drawn: Sequence[_Drawn]) -> str:
    kinds = {"seeds": "over seeds", "test_images": "for other test images"}
    found = {each.estimate.kind for each in drawn}
    return " " + ", or of a single run ".join(words for kind, words in kinds.items() if kind in found)


def _floor(groups: Sequence[Group], column: str) -> tuple[float, str] | None:
    floors = [floor for floor in (floor_of(group, column) for group in groups) if floor is not None]
    return min(floors, default=None)


def _range(drawn: Sequence[_Drawn]) -> list[float]:
    """Whole powers of ten around the finite epsilons, so that the axis does not move with every run."""
    held = [each.group.epsilon for each in drawn]
    finite = [epsilon for epsilon in held if math.isfinite(epsilon) and epsilon > 0]
    low, high = min(finite, default=0.1), max(finite, default=10.0)
    return [math.floor(math.log10(low) - 0.1), math.ceil(math.log10(high) + 0.1)]


def _upwards(drawn: Sequence[_Drawn], lines: Sequence[float]) -> list[float]:
    """All figures with their intervals and all lines, with some room for words above and below."""
    values = [*lines, *(end for each in drawn for end in (each.estimate.low, each.estimate.high))]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.08 * ((high - low) or 1.0)
    return [low - room, high + room]


def _wrapped(text: str, width: int = 70) -> str:
    return "<br>".join(map(for_chart, textwrap.wrap(text, width)))


def frontier_alt(groups: Sequence[Group], column: str) -> str:
    """The chart in words."""
    said = []
    for group in groups:
        estimate = group.estimate(column)
        if estimate is not None:
            said.append(f"{group.title}: {COMPARED[column].metric.format(estimate.mean)}")
    said += [f"privacy cost {cost.private.title} {cost.amount}" for cost in _costs(groups, column) if cost.points > 0]
    return f"{COMPARED[column].metric.word} against the epsilon that holds. {'; '.join(said)}."
