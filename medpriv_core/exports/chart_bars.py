"""Bars and heat maps of an exported chart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from medpriv_core.exports.chart_axes import Panel, Scale
from medpriv_core.exports.chart_marks import both, draw_errors, enter, extent_of, fill_template, spread, texts_of
from medpriv_core.exports.chart_styles import (
    COLOURS,
    INK,
    PAPER,
    UnknownChart,
    colour,
    format_number,
    lettering,
    plain_text,
)


class BarPlaces:
    """Where bars that share a place stand: beside each other, or on top of each other."""

    def __init__(self, traces: Sequence[Any], panel: Panel) -> None:
        layout = traces[0].parent.layout if traces else None
        self.mode = (layout.barmode or "group") if layout else "group"
        groups = [trace.offsetgroup or str(place) for place, trace in enumerate(traces)]
        names = list(dict.fromkeys(groups)) if self.mode == "group" else [""]
        places = [
            place
            for trace in traces
            for place in (panel.y.positions(trace.y) if trace.orientation == "h" else panel.x.positions(trace.x))
        ]
        gaps = np.diff(np.unique(np.array(places, dtype=float)))
        unit = float(gaps.min()) if len(gaps) else 1.0
        gap = 0.2 if layout is None or layout.bargap is None else float(layout.bargap)
        inner = 0.0 if layout is None or layout.bargroupgap is None else float(layout.bargroupgap)
        slot = unit * (1 - gap) / max(1, len(names))
        self.width = slot * (1 - inner)
        self._shift = {
            id(trace): (names.index(group) - (len(names) - 1) / 2) * slot if self.mode == "group" else 0.0
            for trace, group in zip(traces, groups, strict=True)
        }
        self._heights: dict[float, float] = {}

    def shift(self, trace: Any) -> float:
        """How far the bars of a trace stand beside their place."""
        return self._shift[id(trace)]

    def bottoms(self, places: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Where bars of these lengths begin: at 0, or on top of those before them."""
        if self.mode not in ("stack", "relative"):
            return np.zeros(len(places))
        bottoms = np.array([self._heights.get(place, 0.0) for place in places])
        for place, bottom, length in zip(places, bottoms, lengths, strict=True):
            self._heights[place] = bottom + (0.0 if math.isnan(length) else length)
        return bottoms


_HATCHES = {"": "", "/": "//", "\\": "\\\\", "x": "xx", "-": "--", "|": "||", "+": "++", ".": ".."}


def draw_bars(panel: Panel, trace: Any, fallback: str, places: BarPlaces) -> None:
    """The bars of one trace, upright or lying, with error bars, patterns and texts beyond their ends."""
    flat = trace.orientation == "h"
    x, y = both(panel, trace)
    where, lengths = (y, x) if flat else (x, y)
    bottoms = places.bottoms(where, lengths)
    if trace.base is not None:
        bottoms = bottoms + np.array(spread(trace.base, len(where)), dtype=float)
    centres = where + places.shift(trace)
    shapes = spread(trace.marker.pattern.shape, len(where))
    colours = [colour(value, fallback) for value in spread(trace.marker.color, len(where))]
    draw: Callable[..., Any] = panel.axes.barh if flat else panel.axes.bar
    drawn = draw(
        centres,
        lengths,
        places.width,
        **({"left": bottoms} if flat else {"bottom": bottoms}),
        color=colours,
        edgecolor=PAPER,
        linewidth=0.6,
        alpha=trace.opacity,
        zorder=2,
    )
    if drawn:
        enter(panel, trace, drawn)
    for bar, shape in zip(drawn, shapes, strict=True):
        if (shape or "") not in _HATCHES:
            raise UnknownChart(f"The export knows no pattern {shape!r}.")
        bar.set_hatch(_HATCHES[shape or ""])
    ends = bottoms + lengths
    draw_errors(panel, trace, ends if flat else centres, centres if flat else ends, INK)
    if (trace.text is None and trace.texttemplate is None) or trace.textposition == "none":
        return
    error = extent_of(trace.error_x if flat else trace.error_y, len(where))
    ends = ends if error is None else ends + error[1]
    for centre, end, text in zip(centres, ends, texts_of(trace, len(where)), strict=True):
        place, offset = ((end, centre), (4, 0)) if flat else ((centre, end), (0, 3))
        align: dict[str, Any] = {"ha": "left", "va": "center"} if flat else {"ha": "center", "va": "bottom"}
        panel.axes.annotate(
            text, place, xytext=offset, textcoords="offset points", color=INK, **align, **lettering(10.5)
        )


def draw_heatmap(panel: Panel, trace: Any) -> None:
    """Cells coloured by value, with their texts, and a bar that says which colour means what."""
    from matplotlib.colors import LinearSegmentedColormap

    z = np.array([[math.nan if value is None else float(value) for value in row] for row in trace.z])
    x, y = _cells(panel.x, trace.x, z.shape[1]), _cells(panel.y, trace.y, z.shape[0])
    scale = trace.colorscale or ((0.0, "#FFFFFF"), (1.0, COLOURS[2]))
    stops = [(float(place), colour(paint, INK)) for place, paint in scale]
    if trace.reversescale:
        stops = [(1 - place, paint) for place, paint in reversed(stops)]
    colours = LinearSegmentedColormap.from_list("chart", stops)
    low = float(np.nanmin(z)) if trace.zmin is None else float(trace.zmin)
    high = float(np.nanmax(z)) if trace.zmax is None else float(trace.zmax)
    mesh = panel.axes.pcolormesh(x, y, z, cmap=colours, vmin=low, vmax=high, shading="nearest")
    if trace.text is not None or trace.texttemplate is not None:
        for row, column in np.ndindex(z.shape):
            red, green, blue, _ = colours(mesh.norm(z[row, column]))
            dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.45
            text = fill_template(trace, (row, column), {"z": z[row, column]})
            style: dict[str, Any] = {"ha": "center", "va": "center", "color": PAPER if dark else INK}
            panel.axes.annotate(text, (x[column], y[row]), **style, **lettering(11))
    if trace.showscale is not False:
        drawn: Any = panel.axes.get_figure()
        bar = drawn.colorbar(mesh, ax=panel.axes, pad=0.02, fraction=0.05)
        ticks = [tick for tick in bar.get_ticks() if low <= tick <= high]
        labels = [format_number(tick, trace.colorbar.tickformat) for tick in ticks]
        bar.set_ticks(ticks, labels=labels, color=INK, **lettering(11))
        bar.outline.set_visible(False)
        if title := plain_text(trace.colorbar.title.text):
            bar.set_label(title, color=INK, **lettering(12))


def _cells(scale: Scale, values: Any, count: int) -> np.ndarray:
    return np.arange(count, dtype=float) if values is None else scale.positions(values)
