"""What curves, bars and heat maps of an exported chart share: places, entries of the legend, error bars, texts."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from medpriv_core.exports.chart_axes import Panel
from medpriv_core.exports.chart_styles import format_number, plain_text

_TEMPLATE = re.compile(r"%\{(\w+)(?:\[(\d+)\])?(?::([^}]*))?\}")


def enter(panel: Panel, trace: Any, handle: Any) -> None:
    """Put the trace into the legend, unless the figure keeps it out; ``handle`` shows its looks there."""
    if trace.showlegend is not False and trace.name:
        rank = 1000.0 if trace.legendrank is None else float(trace.legendrank)
        panel.legend.append((rank, plain_text(trace.name), handle))


def draw_errors(panel: Panel, trace: Any, x: np.ndarray, y: np.ndarray, paint: Any) -> None:
    """Intervals of a trace as bars, along either axis."""
    bars = {f"{name}err": extent_of(getattr(trace, f"error_{name}"), len(x)) for name in ("x", "y")}
    drawn: dict[str, Any] = {name: extent for name, extent in bars.items() if extent is not None}
    if drawn:
        panel.axes.errorbar(x, y, fmt="none", ecolor=paint, elinewidth=1.2, capsize=3, zorder=3, **drawn)


def extent_of(error: Any, count: int) -> np.ndarray | None:
    """Lengths of error bars, downwards and upwards: shape (2, count)."""
    if error.array is None or error.visible is False:
        return None
    above = np.array([0.0 if value is None else float(value) for value in error.array])
    below = above
    if error.symmetric is False or error.arrayminus is not None:
        below = np.array([0.0 if value is None else float(value) for value in error.arrayminus or [0.0] * count])
    return np.stack([below, above])


def both(panel: Panel, trace: Any) -> tuple[np.ndarray, np.ndarray]:
    """Places along both axes; where the trace gives one of them only, the other counts from 0."""
    x = panel.x.positions(trace.x if trace.x is not None else range(len(trace.y if trace.y is not None else ())))
    return x, panel.y.positions(trace.y if trace.y is not None else range(len(x)))


def texts_of(trace: Any, count: int) -> list[str]:
    """The text at each point."""
    x, y = (spread(value, count) for value in (trace.x, trace.y))
    return [fill_template(trace, (place,), {"x": x[place], "y": y[place]}) for place in range(count)]


def fill_template(trace: Any, place: tuple[int, ...], values: dict[str, Any]) -> str:
    """The text at one place: as given, or by the template with the values there."""
    text: Any = trace.text
    if text is not None and not isinstance(text, str):
        for index in place:
            text = text[index]
    if trace.texttemplate is None:
        return plain_text(text)

    def replaced(found: re.Match[str]) -> str:
        name, index, pattern = found.groups()
        value = text if name == "text" else values.get(name)
        if name == "customdata":
            value = trace.customdata[place[0]]
            for further in (*place[1:], *([int(index)] if index else [])):
                value = value[further]
        if value is None:
            return ""
        return str(value) if isinstance(value, str) else format_number(float(value), pattern)

    return plain_text(_TEMPLATE.sub(replaced, str(trace.texttemplate)))


def is_list(value: Any) -> bool:
    """Whether a setting differs from point to point."""
    return value is not None and not isinstance(value, str | int | float)


def spread(value: Any, count: int) -> list[Any]:
    """One value a point, of a setting that may be one for all."""
    return list(value) if is_list(value) else [value] * count
