"""A Plotly chart of ours as PNG or SVG, for a slide or a paper.

Plotly's own export needs a whole browser on the user's machine. So the figure that is on screen is read here and drawn
again by Matplotlib: the same traces, axes, lines to compare with and legend, on white, with the settings and every ε in
full below. Anything that this module cannot draw raises ``UnknownChart`` rather than being left out.

>>> import plotly.graph_objects as go
>>> to_png(go.Figure(go.Scatter(x=[1, 2], y=[0.5, 0.8], name="test")), title="Accuracy")[:4]
b'\\x89PNG'
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medpriv_core.exports.chart_axes import Panel, Scale, match_ranges
from medpriv_core.exports.chart_notes import Places, draw_annotation, draw_shape, make_room
from medpriv_core.exports.chart_styles import FAINT, INK, PAPER, UnknownChart, lettering, plain_text
from medpriv_core.exports.chart_traces import draw_traces
from medpriv_core.exports.lettering import text_width, wrap
from medpriv_core.shown_text import for_picture

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

WIDTH, HEIGHT = 1600, 900  # pixels of a slide; a long caption or legend makes the picture higher
LEAST_PLOT = 520  # pixels of the panels; more where the chart on screen is tall
DPI = 100
MARGIN = 44
TITLE_POINTS, LEGEND_POINTS, CAPTION_POINTS = 19.0, 12.0, 11.5
PIXELS = DPI / 72  # for each point
LINE = 1.4  # distance of lines, in sizes of the font

# Figures are independent of each other, but Matplotlib's caches of fonts are not made for several threads.
_drawing = threading.Lock()


def to_png(figure: go.Figure, *, title: str = "", caption: Sequence[str] = ()) -> bytes:
    """The chart as a PNG of 1600 pixels in width.

    ``title`` is used where the figure has none; ``caption`` has one statement a line (settings, ε with δ and what it
    counts), wrapped below the chart and never shortened. Raises ``UnknownChart`` for what cannot be drawn.
    """
    return _saved(figure, "png", title, caption)


def to_svg(figure: go.Figure, *, title: str = "", caption: Sequence[str] = ()) -> bytes:
    """The chart as an SVG in UTF-8, letters as outlines, so that it looks alike everywhere; else as ``to_png``."""
    return _saved(figure, "svg", title, caption)


@contextmanager
def drawing(settings: dict[Any, Any]) -> Iterator[None]:
    """While it lasts, Matplotlib is used by this thread alone, with these of its settings."""
    import matplotlib

    with _drawing, matplotlib.rc_context(settings):
        yield


def _saved(figure: go.Figure, kind: str, title: str, caption: Sequence[str]) -> bytes:
    # Names in the SVG that are the same each time, and outlines of letters, whatever the user's own settings say.
    with drawing({"svg.hashsalt": "medpriv", "svg.fonttype": "path"}):
        drawn = _draw(figure, title, caption)
        output = io.BytesIO()
        # No date: the same chart twice should be the same file.
        metadata: dict[str, Any] = {"Date": None, "Creator": "medpriv"} if kind == "svg" else {"Software": "medpriv"}
        drawn.savefig(output, format=kind, dpi=DPI, facecolor=PAPER, metadata=metadata)
    return output.getvalue()


def _draw(figure: go.Figure, title: str, caption: Sequence[str]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

    drawn = Figure(dpi=DPI)
    FigureCanvasAgg(drawn)
    paper = Affine2D()  # from the space for all panels to the whole picture; known when all is arranged
    panels = _panels(figure, drawn)
    for key, panel in panels.items():
        traces = [(place, trace) for place, trace in enumerate(figure.data) if _axes_of(trace) == key and _shown(trace)]
        draw_traces(panel, traces)
    places = Places(panels, paper + drawn.transFigure)
    for shape in figure.layout.shapes:
        make_room(places, shape)
    match_ranges(list(panels.values()))
    for panel in panels.values():
        panel.finish()
    for shape in figure.layout.shapes:
        draw_shape(places, shape)
    for annotation in figure.layout.annotations:
        draw_annotation(places, annotation)
    # Title and caption are plain text, unlike what stands in the figure itself.
    title = plain_text(figure.layout.title.text) or for_picture(title)
    entries = _legend_entries(figure, panels.values())
    room = max(LEAST_PLOT, PIXELS * float(figure.layout.height or 0))
    _arrange(drawn, list(panels.values()), paper, _Words(title, tuple(caption), entries), room)
    return drawn


def _shown(trace: Any) -> bool:
    return trace.visible is None or trace.visible is True


def _axes_of(trace: Any) -> tuple[str, str]:
    return trace.xaxis or "x", trace.yaxis or "y"


def _panels(figure: go.Figure, drawn: Figure) -> dict[tuple[str, str], Panel]:
    """The pairs of axes that traces use, by their names; at least one."""
    for trace in figure.data:
        if trace.type == "pie" or not hasattr(trace, "xaxis"):
            raise UnknownChart(f"The export cannot draw traces of type {trace.type!r}.")
    keys = list(dict.fromkeys([_axes_of(trace) for trace in figure.data] or [("x", "y")]))
    layouts = {name: figure.layout[f"{name[0]}axis{name[1:]}"] for key in keys for name in key}
    if any(layout.overlaying for layout in layouts.values()):
        raise UnknownChart("The export knows no axes laid over others.")
    scales = {name: Scale("x" if name.startswith("x") else "y", layout) for name, layout in layouts.items()}
    panels = {}
    for x, y in keys:
        # An axis of several panels is labelled on the one at whose other axis it is anchored.
        at_x, at_y = layouts[y].anchor or f"x{y[1:]}", layouts[x].anchor or f"y{x[1:]}"
        labelled = (at_y == y or (x, at_y) not in keys, at_x == x or (at_x, y) not in keys)
        panels[x, y] = Panel(drawn.add_axes((0.1, 0.1, 0.8, 0.8)), scales[x], scales[y], labelled)
    return panels


@dataclass(frozen=True)
class _Words:
    """What stands around the panels; the legend as looks and names."""

    title: str
    caption: tuple[str, ...]
    legend: list[tuple[Any, str]]


def _arrange(drawn: Figure, panels: Sequence[Panel], paper: Affine2D, words: _Words, room: float) -> None:
    """Title, legend, panels and caption from top to bottom, each in the room that it needs (panels: ``room``)."""
    inner = WIDTH - 2 * MARGIN
    title_lines = _wrapped(words.title, inner, TITLE_POINTS, bold=True)
    notes = [line for text in words.caption for line in _wrapped(for_picture(text), inner, CAPTION_POINTS)]
    handles, labels = [handle for handle, _ in words.legend], [label for _, label in words.legend]
    entry = max((text_width(label, LEGEND_POINTS * PIXELS, bold=False) for label in labels), default=0.0) + 84
    columns = max(1, min(len(labels), int(inner // entry)))
    above = MARGIN + _height(title_lines, TITLE_POINTS) + _height(range(-(-len(labels) // columns)), LEGEND_POINTS) + 24
    below = MARGIN * 0.6 + _height(notes, CAPTION_POINTS) + 10
    height = max(HEIGHT, room + above + below)
    drawn.set_size_inches(WIDTH / DPI, height / DPI)

    def write(lines: Sequence[str], top: float, size: float, paint: str, *, bold: bool = False) -> None:
        for place, line in enumerate(lines):
            y = 1 - (top + (place + 0.8) * LINE * size * PIXELS) / height
            drawn.text(MARGIN / WIDTH, y, line, color=paint, va="baseline", **lettering(size, bold=bold))

    write(title_lines, MARGIN * 0.7, TITLE_POINTS, INK, bold=True)
    write(notes, height - below + 10, CAPTION_POINTS, FAINT)
    if labels:
        top = 1 - (MARGIN * 0.7 + _height(title_lines, TITLE_POINTS) + 10) / height
        legend = drawn.legend(
            handles,
            ["" for _ in labels],  # without names, because Matplotlib hides those that begin with "_"
            loc="upper left",
            bbox_to_anchor=(MARGIN / WIDTH, top),
            ncols=columns,
            frameon=False,
            handlelength=3.2,
            borderaxespad=0,
            borderpad=0.1,
            labelspacing=0.3,
            prop=lettering(LEGEND_POINTS)["fontproperties"],
        )
        for text, label in zip(legend.get_texts(), labels, strict=True):
            text.set(color=INK, parse_math=False, text=label)
    _place_panels(drawn, panels, paper, above / height, below / height)


def _place_panels(drawn: Figure, panels: Sequence[Panel], paper: Affine2D, above: float, below: float) -> None:
    """Give each panel its share of what is left, so that ticks, titles and annotations stay inside."""
    left, right, bottom, top = MARGIN / WIDTH, 1 - MARGIN / WIDTH, below, 1 - above
    bounds = (left, bottom, right, top)
    box = list(bounds)
    colour_bars = [axes for axes in drawn.axes if axes not in [panel.axes for panel in panels]]
    share = 0.93 if colour_bars else 1.0
    for _ in range(3):
        whole, tall = box[2] - box[0], box[3] - box[1]
        paper.clear().scale(whole, tall).translate(box[0], box[1])
        for panel in panels:
            x, y, width, height = panel.domain()
            place = (box[0] + x * whole, box[1] + y * tall, width * whole * share, height * tall)
            panel.axes.set_position(place)
            for bar in colour_bars:
                bar.set_position((place[0] + place[2] + 0.01, place[1], 0.015, place[3]))
        drawn.draw_without_rendering()
        around = [axes.get_tightbbox() for axes in drawn.axes]
        extents = [extent.transformed(drawn.transFigure.inverted()) for extent in around if extent is not None]
        box[0] += max(0.0, bounds[0] - min(extent.x0 for extent in extents))
        box[1] += max(0.0, bounds[1] - min(extent.y0 for extent in extents))
        box[2] -= max(0.0, max(extent.x1 for extent in extents) - bounds[2])
        box[3] -= max(0.0, max(extent.y1 for extent in extents) - bounds[3])


def _legend_entries(figure: go.Figure, panels: Iterable[Panel]) -> list[tuple[Any, str]]:
    """Looks and names in the order of the screen, where a lone trace has no legend either."""
    wanted = figure.layout.showlegend
    if wanted is False or (wanted is None and len(figure.data) == 1 and not figure.data[0].showlegend):
        return []
    entries = sorted((entry for panel in panels for entry in panel.legend), key=lambda entry: entry[0])
    if "reversed" in (figure.layout.legend.traceorder or ""):
        entries.reverse()
    return [(handle, name) for _, name, handle in entries]


def _wrapped(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    return [line for part in text.split("\n") for line in wrap(part, width, size * PIXELS, bold=bold)]


def _height(lines: Sequence[Any], size: float) -> float:
    return len(lines) * LINE * size * PIXELS
