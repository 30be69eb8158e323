"""Any number of runs on one chart, each told apart by colour, dash and marker.

Colour is the method's, everywhere the same. Several runs of one method share it and differ in dash and marker. Curves
of training images are thin, with open markers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import plotly.graph_objects as go

from medpriv_core.evaluation.metrics import PART_TITLES, Metric, Part
from medpriv_core.figures import keys
from medpriv_core.figures.curves import (
    MEASURES,
    Axis,
    RunCurves,
    best_epoch,
    said,
    smoothed,
    styles_of,
    thinned,
)
from medpriv_core.palette import METHOD_STYLES, NOISED_TEST_DASH, REFERENCE_COLOUR, TEST_DASH, TRAIN_DASH
from medpriv_core.shown_text import for_chart

# Five and seven have no common divisor: 35 runs of one method until a pair of dash and marker comes again.
DASHES = ("solid", "dot", "longdash", "dashdot", "dash")
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "pentagon")
PART_DASHES: dict[Part, str] = {"train": TRAIN_DASH, "test": TEST_DASH, "test_noised": NOISED_TEST_DASH}
FAINT, FAINTER = 0.25, 0.12
# Of a curve; the markers of a thousand epochs would hide their own line.
MOST_MARKERS = 25
MARKS = {"star": "best epoch on the test images", "circle-open": "last epoch"}
# A box with every curve's value at once helps with few curves and covers the chart with many.
MOST_UNIFIED = 4
MINUTES_FROM_S = 180
EARLY = 100


@dataclass(frozen=True)
class View:
    """How the chart is looked at; the address of the page holds the same.

    smoothing    weight of the running mean, 0 (none) to below 1; epsilon is never smoothed, or it would look smaller
    marks        whether best and last epoch are marked
    hidden       ids of runs that only the legend shows
    highlighted  id of the run before the others; None: all alike
    """

    measure: str = "accuracy"
    against: Axis = "epoch"
    parts: tuple[Part, ...] = ("train", "test", "test_noised")
    smoothing: float = 0.0
    log_x: bool = False
    log_y: bool = False
    marks: bool = True
    hidden: frozenset[str] = frozenset()
    highlighted: str | None = None


def dashboard_figure(runs: Sequence[RunCurves], view: View, *, within: Sequence[RunCurves] = ()) -> go.Figure:
    """One figure of these runs, epoch by epoch. Nothing in it but what was stored: no clock, so equal epochs draw an
    equal chart. ``within``: the same runs with more epochs, for which the axes have room already."""
    runs = [replace(run, name=for_chart(run.name), dataset=for_chart(run.dataset)) for run in runs]
    measure = MEASURES[view.measure]
    if measure.name == "epsilon":
        view = replace(view, smoothing=0.0)
    unit_s, time_title = _time_unit(within or runs) if view.against == "time" else (1.0, "")
    figure = go.Figure()
    styles = styles_of(runs)
    # The highlighted run last, on top of the others; the legend keeps the order of the runs.
    for place, run in sorted(enumerate(runs), key=lambda item: item[1].id == view.highlighted):
        for part in drawn_parts(view):
            _draw_curve(figure, run, part, view, style=styles[run.id], unit_s=unit_s, rank=place, alone=len(runs) == 1)
    for symbol, words in MARKS.items():
        if any(symbol in (trace.marker.symbol or ()) for trace in figure.data if trace.showlegend is False):
            figure.add_trace(keys.mark(words, symbol))
    # What is drawn decides how far the axes go; how a run looks is decided by all, and stays from figure to figure.
    reach = within or runs
    drawn = [run for run in reach if any(run.points(measure, part, view.against) for part in drawn_parts(view))] or runs
    _draw_floors(figure, drawn, view)
    curves = sum(trace.showlegend is not False for trace in figure.data)
    figure.update_layout(
        height=430 + 9 * curves,  # room for the legend
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        # Below the axis, where a long legend takes no room from the curves.
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0, "traceorder": "normal"},
        hovermode="x unified" if curves <= MOST_UNIFIED else "closest",
        xaxis=_x_axis(drawn, view, time_title),
        yaxis=_y_axis(drawn, view, measure),
    )
    if within:
        _keep_axes(figure, drawn, view, unit_s)
    return figure


def _keep_axes(figure: go.Figure, runs: Sequence[RunCurves], view: View, unit_s: float) -> None:
    """Axes that Plotly would fit to what is drawn reach as far as these runs do."""
    measure = MEASURES[view.measure]
    points = [point for run in runs for part in drawn_parts(view) for point in run.points(measure, part, view.against)]
    ends = ((figure.layout.xaxis, 0, unit_s), (figure.layout.yaxis, 1, 1.0))
    for axis, place, unit in ends:
        if axis.range is None and axis.type != "log" and points:
            axis.range = [0, 1.05 * max(point[place] for point in points) / unit]


def shared_curves(runs: Sequence[RunCurves]) -> list[RunCurves]:
    """The runs as they are handed on: of DP-SGD runs without what their epsilon does not cover."""
    return [replace(run, epochs=[row.covered_part() for row in run.epochs]) if _withheld(run) else run for run in runs]


def shared_dashboard(runs: Sequence[RunCurves], view: View) -> go.Figure:
    """The figure of the runs as they are handed on.

    How long an epoch of a DP-SGD run took is not covered, so with such runs the figure is drawn against epochs.
    """
    if view.against == "time" and any(map(_withheld, runs)):
        view = replace(view, against="epoch")
    return dashboard_figure(shared_curves(runs), view)


def _withheld(run: RunCurves) -> bool:
    return run.method == "dp_sgd"


def drawn_parts(view: View) -> list[Part]:
    """The sets of images on which the view shows its figure; epsilon is of no images, and always there."""
    parts = MEASURES[view.measure].parts
    return [part for part in parts if part in view.parts or len(parts) == 1]


def _draw_curve(
    figure: go.Figure,
    run: RunCurves,
    part: Part,
    view: View,
    *,
    style: tuple[int, bool],
    unit_s: float,
    rank: int,
    alone: bool,
) -> None:
    measure, method = MEASURES[view.measure], METHOD_STYLES[run.method]
    points = run.points(measure, part, view.against)
    if not points:
        return
    number, only_one = style
    marker = method.marker if only_one else MARKERS[(MARKERS.index(method.marker) + number) % len(MARKERS)]
    training = part == "train" and measure.name != "epsilon"
    values = smoothed([value for _, value, _ in points], view.smoothing)
    best = best_epoch(run, measure, part) if view.marks and part == "test" else None
    # A logarithmic axis gives the first epochs the most room.
    early = range(min(EARLY, len(points)) if view.log_x else 0)
    kept = thinned(len(points), [*early, *(place for place, point in enumerate(points) if point[2] == best)])
    title = PART_TITLES[part] if alone else run.name if part == "test" else f"{run.name} ({PART_TITLES[part]})"
    if measure.name == "epsilon":
        title = run.name
    strength = 1.0 if view.highlighted in (None, run.id) else FAINT
    common: dict[str, Any] = {
        "x": [points[place][0] / unit_s for place in kept],
        "visible": "legendonly" if run.id in view.hidden else True,
        "legendrank": 1000 + 10 * rank + measure.parts.index(part),
    }
    line = {
        "color": method.colour,
        "dash": PART_DASHES[part] if only_one and measure.name != "epsilon" else DASHES[number % len(DASHES)],
        "width": (1.2 if training else 2) + (view.highlighted == run.id),
    }
    group = f"{run.id} {part}"
    if view.smoothing:
        figure.add_scatter(
            **common,
            y=[points[place][1] for place in kept],
            mode="lines",
            line=line | {"width": 1},
            opacity=strength * FAINT,
            legendgroup=group,
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_scatter(
        **common,
        y=[values[place] for place in kept],
        name=title,
        legendgroup=group,
        mode="lines+markers",
        line=line,
        opacity=strength,
        marker={
            "symbol": f"{marker}-open" if training else marker,
            "size": 7,
            "maxdisplayed": MOST_MARKERS,
        },
        customdata=[(points[place][2], _said(run, measure, points[place][1])) for place in kept],
        hovertemplate=f"epoch %{{customdata[0]}}: %{{customdata[1]}}<extra>{title}</extra>",
    )
    if view.marks:
        _draw_marks(figure, common, kept, points, values, best, group=group, colour=method.colour, strength=strength)


def _draw_marks(
    figure: go.Figure,
    common: dict[str, Any],
    kept: Sequence[int],
    points: Sequence[tuple[float, float, int]],
    values: Sequence[float],
    best: int | None,
    *,
    group: str,
    colour: str,
    strength: float,
) -> None:
    """A star on the best epoch by the test images, a ring around the last one."""
    places = [place for place in kept if points[place][2] == best or place == len(points) - 1]
    figure.add_scatter(
        **common | {"x": [common["x"][kept.index(place)] for place in places]},
        y=[values[place] for place in places],
        mode="markers",
        legendgroup=group,
        showlegend=False,
        hoverinfo="skip",
        opacity=strength,
        cliponaxis=False,
        marker={
            # Of ``MARKS``.
            "symbol": ["star" if points[place][2] == best else "circle-open" for place in places],
            "size": 14,
            "color": colour,
            "line": {"width": 2, "color": colour},
        },
    )


def _said(run: RunCurves, measure: Metric, value: float) -> str:
    if measure.name == "epsilon":
        return f"ε = {said(measure, value)} ({for_chart(run.terms or '')})"
    return measure.format(value)


def _draw_floors(figure: go.Figure, runs: Sequence[RunCurves], view: View) -> None:
    """What one gets without looking at the pictures: the line to beat, one for each dataset that has its own."""
    measure = MEASURES[view.measure]
    if measure.guessing is None:
        return
    floors: dict[float, list[str]] = {}
    for run in runs:
        floor = run.floor(measure)
        if floor is not None and not (view.log_y and floor <= 0) and run.dataset not in floors.setdefault(floor, []):
            floors[floor].append(run.dataset)
    highest = max(floors, default=None)
    for floor, datasets in sorted(floors.items(), reverse=True):
        of = f" ({', '.join(datasets)})" if len(floors) > 1 else ""
        figure.add_hline(
            y=floor,
            line={"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1},
            annotation={"text": f"{measure.guessing.words}: {measure.format(floor)}{of}", "font": {"size": 12}},
            # Two that lie close together do not write over each other.
            annotation_position="top right" if len(floors) > 1 and floor == highest else "bottom right",
        )
        if view.log_y:  # where Plotly wants the logarithm of a text's place, but not of a line's
            figure.layout.annotations[-1].y = math.log10(floor)


def _time_unit(runs: Sequence[RunCurves]) -> tuple[float, str]:
    """Seconds in a unit of the axis, and its name."""
    longest = max((run.epochs[-1].elapsed_s or 0 for run in runs if run.epochs), default=0.0)
    return (60.0, "minutes of training") if longest >= MINUTES_FROM_S else (1.0, "seconds of training")


def _x_axis(runs: Sequence[RunCurves], view: View, time_title: str) -> dict[str, Any]:
    if view.against == "time":
        return {"title": time_title} | ({"type": "log"} if view.log_x else {"rangemode": "tozero"})
    one_step = bool(runs) and all(run.one_step for run in runs)
    axis: dict[str, Any] = {"title": "epoch (one step)" if one_step else "epoch"}
    if view.log_x:
        return axis | {"type": "log", "dtick": "D2"}
    longest = max((run.total_epochs for run in runs), default=2)
    # The axis spans the whole run from the start: curves grow, they do not jump.
    return axis | {"range": [0.5, max(longest, 2) + 0.5], "dtick": max(1, round(longest / 10))}


def _y_axis(runs: Sequence[RunCurves], view: View, measure: Metric) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": measure.word or measure.title}
    if view.smoothing:
        axis["title"] += f"<br>smoothed by {view.smoothing:g}, as measured: faint"
    if measure.share:
        axis["tickformat"] = ".0%"
    if view.log_y:
        return axis | {"type": "log"} | ({"tickformat": ".2~%"} if measure.share else {})
    if measure.better != "high":
        return axis | {"rangemode": "tozero"}
    lowest = [
        value
        for run in runs
        if run.id not in view.hidden
        for values in (
            *([value for _, value, _ in run.points(measure, part, view.against)] for part in drawn_parts(view)),
            [floor for floor in (run.floor(measure),) if floor is not None],
        )
        for value in values
    ]
    floor = min(lowest, default=0.5) - 0.08
    return axis | {"range": [floor if measure.bounds is None else max(measure.bounds.low, floor), 1.02]}
