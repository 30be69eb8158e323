"""What stands on an exported chart besides its traces: lines to compare with, areas, and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medpriv_core.exports.chart_axes import Panel
from medpriv_core.exports.chart_styles import FAINT, INK, UnknownChart, colour, dash, lettering, plain_text
from medpriv_core.exports.chart_traces import POINTS

if TYPE_CHECKING:
    from matplotlib.transforms import Transform


class Places:
    """Where shapes and annotations are, by the names of the axes that they refer to."""

    def __init__(self, panels: dict[tuple[str, str], Panel], paper: Transform) -> None:
        self._panels, self._paper = panels, paper

    def find(self, x_ref: str, y_ref: str) -> tuple[Panel, Transform]:
        """The panel to draw on, and the way from the references' coordinates to the picture."""
        from matplotlib.transforms import blended_transform_factory

        names = [reference.split()[0] for reference in (x_ref, y_ref)]
        panel = next(
            (
                one
                for key, one in self._panels.items()
                if all(n in (k, "paper") for n, k in zip(names, key, strict=True))
            ),
            next(iter(self._panels.values())),
        )
        parts = [
            self._paper if ref == "paper" else panel.axes.transAxes if _is_share(ref) else panel.axes.transData
            for ref in (x_ref, y_ref)
        ]
        return panel, blended_transform_factory(*parts)


def make_room(places: Places, shape: Any) -> None:
    """Let ranges that follow the data take in the shape too, as on screen; before ranges are matched."""
    panel, _ = places.find(shape.xref or "x", shape.yref or "y")
    by_x, by_y = (not _is_share(reference or "") for reference in (shape.xref, shape.yref))
    corners = [
        (panel.x.position(x) if by_x else 0.0, panel.y.position(y) if by_y else 0.0)
        for x, y in ((shape.x0, shape.y0), (shape.x1, shape.y1))
    ]
    panel.axes.update_datalim(corners, updatex=by_x, updatey=by_y)
    panel.axes.autoscale_view()


def draw_shape(places: Places, shape: Any) -> None:
    """A line or a rectangle; raises ``UnknownChart`` for other shapes."""
    from matplotlib.patches import Rectangle

    panel, transform = places.find(shape.xref or "x", shape.yref or "y")
    x = [panel.x.position(value) for value in (shape.x0, shape.x1)]
    y = [panel.y.position(value) for value in (shape.y0, shape.y1)]
    style: dict[str, Any] = {
        "linestyle": dash(shape.line.dash),
        "linewidth": POINTS * 1.2 * float(2 if shape.line.width is None else shape.line.width),
        "alpha": shape.opacity,
        "transform": transform,
        "clip_on": "paper" not in (shape.xref, shape.yref),  # which reaches beyond a panel
    }
    limits = panel.axes.get_xlim(), panel.axes.get_ylim()
    if shape.type == "line":
        panel.axes.plot(x, y, color=colour(shape.line.color, INK), zorder=1.8, **style)
    elif shape.type == "rect":
        face = colour(shape.fillcolor, "none")
        edge = colour(shape.line.color, "none")
        corner = min(x), min(y)
        panel.axes.add_patch(
            Rectangle(corner, abs(x[1] - x[0]), abs(y[1] - y[0]), facecolor=face, edgecolor=edge, zorder=0.5, **style)
        )
    else:
        raise UnknownChart(f"The export cannot draw shapes of type {shape.type!r}.")
    panel.axes.set(xlim=limits[0], ylim=limits[1])


def draw_annotation(places: Places, note: Any) -> None:
    """A text at a place, with its arrow; left out, as on screen, where the place is beyond the axes."""
    x_ref, y_ref = note.xref or "x", note.yref or "y"
    panel, transform = places.find(x_ref, y_ref)
    x = float(note.x) if _is_share(x_ref) else panel.x.position(note.x, annotation=True)
    y = float(note.y) if _is_share(y_ref) else panel.y.position(note.y, annotation=True)
    for value, reference, limits in ((x, x_ref, panel.axes.get_xlim()), (y, y_ref, panel.axes.get_ylim())):
        if not _is_share(reference) and not min(limits) <= value <= max(limits):
            return
    aside = {None: "center", "auto": "center", "left": "left", "center": "center", "right": "right"}[note.xanchor]
    align = {None: "center", "auto": "center", "top": "top", "middle": "center", "bottom": "bottom"}[note.yanchor]
    offset = (POINTS * float(note.xshift or 0), POINTS * float(note.yshift or 0))
    arrow = None
    if note.showarrow is not False:
        pixels = (-10 if note.ax is None else note.ax), (-30 if note.ay is None else note.ay)
        offset = (POINTS * float(pixels[0]), -POINTS * float(pixels[1]))
        arrow = {"arrowstyle": "->", "color": FAINT}
    elif note.yanchor in ("top", "bottom") and not note.yshift:
        # Letters should not touch the line that they stand beside.
        offset = (offset[0], 3.0 if note.yanchor == "bottom" else -3.0)
    panel.axes.annotate(
        plain_text(note.text),
        (x, y),
        xycoords=transform,
        xytext=offset,
        textcoords="offset points",
        ha=aside,
        va=align,
        color=colour(note.font.color, FAINT),
        arrowprops=arrow,
        rotation=-float(note.textangle or 0),
        **lettering(POINTS * float(note.font.size or 12) * 1.15),
    )


def _is_share(reference: str) -> bool:
    return reference == "paper" or reference.endswith("domain")
