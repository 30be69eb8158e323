"""The traces of an exported chart, drawn as the screen shows them: curves, points and bands here, bars beside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from medpriv_core.exports.chart_axes import Panel
from medpriv_core.exports.chart_bars import BarPlaces, draw_bars, draw_heatmap
from medpriv_core.exports.chart_marks import both, draw_errors, enter, is_list, spread, texts_of
from medpriv_core.exports.chart_styles import (
    COLOURS,
    INK,
    UnknownChart,
    colour,
    dash,
    lettering,
    marker,
)

DRAWN = ("scatter", "scattergl", "bar", "heatmap")
# Plotly measures in pixels of the screen, Matplotlib in points; a slide is looked at from further away.
POINTS = 0.8
_STEPS = {None: "default", "linear": "default", "hv": "steps-post", "vh": "steps-pre", "hvh": "steps-mid"}
_TEXT_PLACES = {"top": ("bottom", 6), "middle": ("center", 0), "bottom": ("top", -6)}


def draw_traces(panel: Panel, traces: Sequence[tuple[int, Any]]) -> None:
    """All traces of one panel, each with its place in the figure; raises ``UnknownChart`` for kinds not known here."""
    for _, trace in traces:
        if trace.type not in DRAWN:
            raise UnknownChart(f"The export cannot draw traces of type {trace.type!r}.")
        panel.x.positions(trace.x)
        panel.y.positions(trace.y)
    panel.prepare()
    bars = BarPlaces([trace for _, trace in traces if trace.type == "bar"], panel)
    previous: tuple[np.ndarray, np.ndarray] | None = None
    for place, trace in traces:
        fallback = COLOURS[place % len(COLOURS)]
        if trace.type == "bar":
            draw_bars(panel, trace, fallback, bars)
        elif trace.type == "heatmap":
            draw_heatmap(panel, trace)
        else:
            previous = _draw_scatter(panel, trace, fallback, previous)


def _draw_scatter(
    panel: Panel, trace: Any, fallback: str, previous: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray]:
    x, y = both(panel, trace)
    mode = trace.mode or ("lines+markers" if len(x) < 20 else "lines")
    of_points = trace.marker.color[0] if is_list(trace.marker.color) and len(x) else trace.marker.color
    paint = colour(trace.line.color or of_points, fallback)
    strength = 1.0 if trace.opacity is None else float(trace.opacity)
    if trace.line.shape not in _STEPS:
        raise UnknownChart(f"The export knows no lines of shape {trace.line.shape!r}.")
    _fill(panel, trace, x, y, previous, paint)
    markers = "markers" in mode
    lines = "lines" in mode and trace.line.width != 0
    symbols = trace.marker.symbol
    varied = markers and any(is_list(value) for value in (symbols, trace.marker.color, trace.marker.size))
    symbol, filled = marker(None if varied or symbols is None else symbols)
    size = 6.0 if varied or trace.marker.size is None else float(trace.marker.size)
    if lines or (markers and not varied):
        most = trace.marker.maxdisplayed
        point = paint if varied else colour(trace.marker.color, paint)
        (curve,) = panel.axes.plot(
            x,
            y,
            color=paint,
            alpha=strength,
            linestyle=dash(trace.line.dash) if lines else "none",
            linewidth=POINTS * 1.2 * float(2 if trace.line.width is None else trace.line.width),
            drawstyle=_STEPS[trace.line.shape],
            marker=symbol if markers and not varied else "none",
            markersize=POINTS * 1.2 * size,
            markeredgecolor=point,
            markerfacecolor=point if filled else "none",
            markeredgewidth=1.4,
            markevery=max(1, math.ceil(len(x) / most)) if most else None,
            clip_on=trace.cliponaxis is not False,
            zorder=3,
        )
        enter(panel, trace, curve)
    if varied:
        _draw_varied_markers(panel, trace, x, y, paint, named=not lines)
    draw_errors(panel, trace, x, y, paint)
    if "text" in mode:
        _draw_texts(panel, trace, x, y)
    return x, y


def _draw_varied_markers(panel: Panel, trace: Any, x: np.ndarray, y: np.ndarray, paint: Any, *, named: bool) -> None:
    """Points that differ in colour, symbol or size; the first of them stands in the legend."""
    count = len(x)
    symbols, colours, sizes = (
        spread(value, count) for value in (trace.marker.symbol, trace.marker.color, trace.marker.size)
    )
    if any(isinstance(value, int | float) and not isinstance(value, bool) for value in colours):
        raise UnknownChart("The export knows no markers coloured by a scale.")
    for place in range(count):
        symbol, filled = marker(symbols[place])
        point = colour(colours[place], paint)
        (drawn,) = panel.axes.plot(
            x[place : place + 1],
            y[place : place + 1],
            linestyle="none",
            alpha=trace.opacity,
            marker=symbol,
            markersize=POINTS * 1.2 * float(sizes[place] or 6),
            markeredgecolor=point,
            markerfacecolor=point if filled else "none",
            markeredgewidth=1.4,
            clip_on=trace.cliponaxis is not False,
            zorder=4,
        )
        if named and place == 0:
            enter(panel, trace, drawn)


def _fill(
    panel: Panel, trace: Any, x: np.ndarray, y: np.ndarray, previous: tuple[np.ndarray, np.ndarray] | None, paint: Any
) -> None:
    if trace.fill in (None, "none"):
        return
    from matplotlib.colors import to_rgba

    fill = colour(trace.fillcolor, "") or (*to_rgba(paint)[:3], 0.25)
    if trace.fill == "tozeroy":
        x, y = np.concatenate([x, x[-1:], x[:1]]), np.concatenate([y, [0.0, 0.0]])
    elif trace.fill == "tonexty" and previous is not None:
        x, y = np.concatenate([x, previous[0][::-1]]), np.concatenate([y, previous[1][::-1]])
    elif trace.fill != "toself":
        raise UnknownChart(f"The export knows no filling {trace.fill!r} here.")
    (band,) = panel.axes.fill(x, y, color=fill, linewidth=0, alpha=trace.opacity, zorder=2)
    # A band without a line of its own may still stand in the legend.
    if trace.line.width == 0 or trace.mode == "none":
        enter(panel, trace, band)


def _draw_texts(panel: Panel, trace: Any, x: np.ndarray, y: np.ndarray) -> None:
    places = spread(trace.textposition, len(x))
    for place, text in enumerate(texts_of(trace, len(x))):
        vertical, horizontal = (places[place] or "middle center").split()
        align, shift = _TEXT_PLACES[vertical]
        aside = {"left": "right", "center": "center", "right": "left"}[horizontal]
        offset = ({"right": -6, "center": 0, "left": 6}[aside], shift)
        style = lettering(10.5)
        panel.axes.annotate(
            text,
            (x[place], y[place]),
            xytext=offset,
            textcoords="offset points",
            ha=aside,
            va=align,
            color=colour(trace.textfont.color if not is_list(trace.textfont.color) else None, INK),
            **style,
        )
