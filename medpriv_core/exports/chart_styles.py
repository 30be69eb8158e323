"""What Plotly calls its colours, dashes, markers and number formats, and what Matplotlib calls the same.

What is not listed here raises ``UnknownChart``: an export that leaves something out would be another chart than the
one on screen.

>>> format_number(0.8718, ".1%"), format_number(24993.0, ",d"), format_number(0.00001, "")
('87.2%', '24,993', '1e-5')
>>> plain_text("test<br><b>noised</b> &amp; clamped")
'test\\nnoised & clamped'
"""

from __future__ import annotations

import html
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from medpriv_core.exports.lettering import FONTS
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR
from medpriv_core.shown_text import for_picture

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

INK, FAINT, GRID, PAPER = "#1A1F24", "#4A5259", "#E3E6E8", "#FFFFFF"

# For curves without a colour of their own.
COLOURS = (*(style.colour for style in METHOD_STYLES.values()), "#CC79A7", "#56B4E9", "#E69F00", REFERENCE_COLOUR)

DASHES: dict[str, Any] = {
    "solid": "solid",
    "dash": (0, (5, 2.5)),
    "dot": (0, (1.2, 2)),
    "dashdot": (0, (5, 2, 1.2, 2)),
    "longdash": (0, (9, 3)),
    "longdashdot": (0, (9, 2.5, 1.2, 2.5)),
}
MARKERS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "cross": "P",
    "x": "X",
    "triangle-up": "^",
    "triangle-down": "v",
    "triangle-left": "<",
    "triangle-right": ">",
    "pentagon": "p",
    "hexagon": "h",
    "star": "*",
    "diamond-tall": "d",
    "line-ew": "_",
    "line-ns": "|",
    "cross-thin": "+",
    "x-thin": "x",
}
_TAGS = re.compile(r"</?(?:b|i|em|sup|sub|span|a|extra)\b[^<>]*>", re.IGNORECASE)
_BREAKS = re.compile(r"<br\s*/?>|\n", re.IGNORECASE)
_FORMAT = re.compile(r"(\+?)(,?)(?:\.(\d+))?(~?)([%fgdes]?)")
_RGB = re.compile(r"rgba?\(([^)]*)\)")


class UnknownChart(TypeError):
    """A figure uses something that the export cannot draw; it must learn it, so this is a fault of medpriv."""


@cache
def typeface(*, bold: bool = False) -> FontProperties:
    """DejaVu Sans from the package's own files, whatever the machine has; shared, so never changed."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"))


def lettering(size: float, *, bold: bool = False) -> dict[str, Any]:
    """Arguments of a Matplotlib text at ``size`` points, in which a dollar is a dollar and not mathematics."""
    font = typeface(bold=bold).copy()
    font.set_size(size)
    return {"fontproperties": font, "parse_math": False}


def colour(value: Any, fallback: str) -> Any:
    """A CSS colour as Matplotlib takes it; ``fallback`` where there is none."""
    if value is None:
        return fallback
    if found := _RGB.fullmatch(str(value).replace(" ", "")):
        red, green, blue, *alpha = (float(part) for part in found[1].split(","))
        return (red / 255, green / 255, blue / 255, *alpha)
    return str(value)


def dash(name: str | None) -> Any:
    """A line style; raises ``UnknownChart`` for a dash without an equal."""
    if (name or "solid") not in DASHES:
        raise UnknownChart(f"The export knows no dash called {name!r}.")
    return DASHES[name or "solid"]


def marker(symbol: str | None) -> tuple[str, bool]:
    """The marker and whether it is filled; raises ``UnknownChart`` for a symbol without an equal."""
    name = symbol or "circle"
    filled = not name.endswith("-open")
    name = name.removesuffix("-open")
    if name not in MARKERS:
        raise UnknownChart(f"The export knows no marker called {symbol!r}.")
    return MARKERS[name], filled


def plain_text(text: Any) -> str:
    """Plotly's little HTML as plain lines; characters that no font can draw are left out or replaced."""
    lines = _BREAKS.split(str(text or ""))
    return "\n".join(for_picture(html.unescape(_TAGS.sub("", line))) for line in lines)


def format_number(value: float, pattern: str | None) -> str:
    """``value`` by one of d3's patterns as the figures use them; without one, in the shortest form."""
    found = _FORMAT.fullmatch(pattern or "")
    if found is None or found[5] == "s":
        raise UnknownChart(f"The export knows no number format {pattern!r}.")
    sign, comma, places, trim, kind = found.groups()
    value = 0.0 if value == 0 else float(value)
    if not pattern:
        mantissa, _, exponent = f"{value:.6g}".partition("e")
        return f"{mantissa}e{int(exponent)}" if exponent else _short(value, mantissa)
    kind, places = ("f", "0") if kind == "d" else (kind or "g", places)
    text = format(value, f"{sign}{comma}{'.' + places if places else ''}{kind}")
    if trim and "." in text:
        number = text.rstrip("%")
        text = number.rstrip("0").rstrip(".") + text[len(number) :]
    return text


def _short(value: float, text: str) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 and value == int(value) else text
