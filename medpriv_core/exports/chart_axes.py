"""The axes of an exported chart: linear, logarithmic or by category, with the ticks of the chart on screen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from medpriv_core.exports.chart_styles import FAINT, GRID, INK, UnknownChart, format_number, lettering, plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICK_SIZE, TITLE_SIZE = 11.0, 12.5
_KINDS = {None: "linear", "-": "linear", "linear": "linear", "log": "log", "category": "category"}

Direction = Literal["x", "y"]


@dataclass
class Scale:
    """One axis, on one panel or several: ``layout`` is Plotly's description; names of categories get whole numbers."""

    direction: Direction
    layout: Any
    categories: list[str] = field(default_factory=list)
    kind: str = "linear"
    range: tuple[Any, Any] | None = None  # of the axis that this one is matched with

    def __post_init__(self) -> None:
        if self.layout.type not in _KINDS:
            raise UnknownChart(f"The export knows no axis of type {self.layout.type!r}.")
        self.kind = _KINDS[self.layout.type]
        if self.layout.categoryarray is not None:
            self.kind, self.categories = "category", [str(name) for name in self.layout.categoryarray]

    @property
    def name(self) -> str:
        """What traces call the axis: "x", "y2"."""
        return str(self.layout.plotly_name).replace("axis", "")

    def positions(self, values: Iterable[Any] | None) -> np.ndarray:
        """Values of a trace as numbers along the axis; NaN where there is none."""
        listed = list(values if values is not None else ())
        if self.layout.type is None and any(isinstance(value, str) for value in listed):
            self.kind = "category"
        if self.kind == "category":
            return np.array([self._place(value) for value in listed], dtype=float)
        try:
            return np.array([math.nan if value is None else float(value) for value in listed])
        except (TypeError, ValueError) as error:
            raise UnknownChart("The export knows axes of numbers and of categories only.") from error

    def position(self, value: Any, *, annotation: bool = False) -> float:
        """One place along the axis; of an annotation on a logarithmic axis, Plotly gives the exponent."""
        if self.kind == "category" and isinstance(value, str):
            return self._place(value)
        return 10 ** float(value) if annotation and self.kind == "log" else float(value)

    def _place(self, value: Any) -> float:
        if value is None:
            return math.nan
        if str(value) not in self.categories:
            self.categories.append(str(value))
        return float(self.categories.index(str(value)))


@dataclass
class Panel:
    """One pair of axes.

    labelled  whether numbers and titles of the x and y axis stand here; an axis of several panels has them once
    legend    rank, name and looks of what the legend explains
    """

    axes: Axes
    x: Scale
    y: Scale
    labelled: tuple[bool, bool] = (True, True)
    legend: list[tuple[float, str, Any]] = field(default_factory=list)

    def domain(self) -> tuple[float, float, float, float]:
        """What it fills: left, bottom, width and height as shares of the space for all panels."""
        left, right = self.x.layout.domain or (0.0, 1.0)
        low, high = self.y.layout.domain or (0.0, 1.0)
        return left, low, right - left, high - low

    def prepare(self) -> None:
        """Logarithmic scales; before anything is drawn, because bars and bands depend on them."""
        for scale in (self.x, self.y):
            if scale.kind == "log":
                getattr(self.axes, f"set_{scale.direction}scale")("log")

    def finish(self) -> None:
        """Ranges, ticks, grid and titles; after everything is drawn."""
        for scale, labelled in zip((self.x, self.y), self.labelled, strict=True):
            _set_range(self.axes, scale)
            _set_ticks(self.axes, scale, labelled=labelled)
            if labelled:
                _set_title(self.axes, scale)
        for name, spine in self.axes.spines.items():
            spine.set_visible(name in ("left", "bottom"))
            spine.set_color(FAINT)
        self.axes.set_axisbelow(True)
        self.axes.patch.set_visible(False)  # it would hide lines that reach over several panels


def match_ranges(panels: Sequence[Panel]) -> None:
    """Give axes that are matched with another one the same range; after drawing, before ``finish``."""
    for direction in ("x", "y"):
        groups: dict[str, list[Panel]] = {}
        for panel in panels:
            scale: Scale = getattr(panel, direction)
            groups.setdefault(scale.layout.matches or scale.name, []).append(panel)
        for leader, group in groups.items():
            # A panel without a finite value has the limits 0 and 1, which mean nothing.
            drawn = [panel for panel in group if np.isfinite(panel.axes.dataLim.get_points()).all()] or group
            ends = [end for panel in drawn for end in getattr(panel.axes, f"get_{direction}lim")()]
            scales: list[Scale] = [getattr(panel, direction) for panel in group]
            wanted = next((scale.layout.range for scale in scales if scale.name == leader), None)
            for panel, scale in zip(group, scales, strict=True):
                getattr(panel.axes, f"set_{direction}lim")(min(ends), max(ends))
                scale.range = wanted


def _set_range(axes: Axes, scale: Scale) -> None:
    layout = scale.layout
    wanted = scale.range if layout.range is None else layout.range
    low, high = getattr(axes, f"get_{scale.direction}lim")()
    if wanted is not None:
        ends = [None if end is None else 10 ** float(end) if scale.kind == "log" else float(end) for end in wanted]
        low, high = (low if ends[0] is None else ends[0]), (high if ends[1] is None else ends[1])
    elif scale.kind == "category":
        low, high = -0.5, len(scale.categories) - 0.5
    elif layout.rangemode in ("tozero", "nonnegative"):
        low = min(0.0, low) if layout.rangemode == "tozero" else max(0.0, low)
    if str(layout.autorange or "").startswith("reversed"):
        low, high = high, low
    if low != high:
        getattr(axes, f"set_{scale.direction}lim")(low, high)


def _set_ticks(axes: Axes, scale: Scale, *, labelled: bool) -> None:
    layout = scale.layout
    axis = axes.xaxis if scale.direction == "x" else axes.yaxis
    low, high = sorted(getattr(axes, f"get_{scale.direction}lim")())
    values = np.asarray(_tick_values(scale, low, high), dtype=float)
    labels = [_tick_label(scale, value, place) for place, value in enumerate(values)]
    if layout.tickvals is not None:
        inside = [(value, label) for value, label in zip(values, labels, strict=True) if low <= value <= high]
        values, labels = np.array([value for value, _ in inside]), [label for _, label in inside]
    if layout.showticklabels is False or not labelled:
        labels = [""] * len(values)
    axis.set_ticks([], minor=True)
    axis.set_ticks(list(values), labels=labels, color=INK, **lettering(TICK_SIZE))
    axis.set_tick_params(length=3, color=FAINT)
    if layout.showgrid is not False and scale.kind != "category":
        axis.grid(visible=True, color=GRID, linewidth=0.8)
    if scale.direction == "x" and max((len(label) for label in labels), default=0) * len(labels) > 130:
        for label in axis.get_ticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")


def _tick_values(scale: Scale, low: float, high: float) -> Sequence[float]:
    from matplotlib.ticker import MaxNLocator

    layout = scale.layout
    if layout.tickvals is not None:
        return list(scale.positions(layout.tickvals))
    if scale.kind == "category":
        return range(len(scale.categories))
    if scale.kind == "log":
        return _log_ticks(low, high)
    if isinstance(layout.dtick, int | float) and (high - low) / layout.dtick <= 60:
        start = float(layout.tick0 or 0)
        steps = np.arange(math.ceil((low - start) / layout.dtick), math.floor((high - start) / layout.dtick) + 1)
        return list(start + steps * layout.dtick)
    ticks = MaxNLocator(nbins=layout.nticks or 7, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [round(tick, 12) for tick in ticks if low <= tick <= high]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten; with their doubles and fivefolds where there are few of them."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1,) if last - first > 3 else (1, 2, 5)
    step = max(1, (last - first) // 8)
    ticks = [factor * 10.0**power for power in range(first, last + 1, step) for factor in factors]
    return [tick for tick in ticks if low <= tick <= high]


def _tick_label(scale: Scale, value: float, place: int) -> str:
    layout = scale.layout
    if layout.ticktext is not None:
        return plain_text(list(layout.ticktext)[place])
    if scale.kind == "category":
        return plain_text(scale.categories[int(value)])
    return f"{layout.tickprefix or ''}{format_number(value, layout.tickformat)}{layout.ticksuffix or ''}"


def _set_title(axes: Axes, scale: Scale) -> None:
    if text := plain_text(scale.layout.title.text):
        getattr(axes, f"set_{scale.direction}label")(text, color=INK, **lettering(TITLE_SIZE))
