"""Text on figure sheets: how wide it is, and where its lines break.

A slide must show β, ε, δ and × on any machine, and Pillow's own font has none of them. So DejaVu Sans comes
along (``fonts/``, with its licence). It is a wide typeface: lines measured with it also fit where an SVG viewer
takes another one.
"""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path

from PIL import ImageFont

FONTS = Path(__file__).parent / "fonts"
ELLIPSIS = "…"


@functools.lru_cache(maxsize=64)
def font(size: float, *, bold: bool) -> ImageFont.FreeTypeFont:
    """DejaVu Sans at ``size`` pixels."""
    return ImageFont.truetype(FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), size)


def text_width(text: str, size: float, *, bold: bool) -> float:
    """Width in pixels, at least that of the broadest typeface likely to be used."""
    # DejaVu draws a narrow box for each Chinese, Japanese or Korean character; other fonts draw a square.
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return font(size, bold=bold).getlength(text) + wide * size / 2


def cut(text: str, width: float, size: float, *, bold: bool) -> str:
    """``text``, shortened with "…" where it is broader than ``width`` pixels."""
    if text_width(text, size, bold=bold) <= width:
        return text
    return text[: _fitting(text, width, size, bold=bold, end=ELLIPSIS)].rstrip() + ELLIPSIS


def wrap(text: str, width: float, size: float, *, bold: bool, most: int | None = None) -> list[str]:
    """``text`` in lines of at most ``width`` pixels, broken at spaces, and within words that are broader.

    Stops when there are ``most`` lines.
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if text_width(longer, size, bold=bold) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while (place := _fitting(word, width, size, bold=bold)) < len(word):
            place = max(place, 1)
            lines.append(word[:place])
            word = word[place:]
        line = word
        if most is not None and len(lines) >= most:
            return lines[:most]
    return [*lines, line] if line else lines


def _fitting(text: str, width: float, size: float, *, bold: bool, end: str = "") -> int:
    """How many characters of ``text``, followed by ``end``, fit into ``width`` pixels."""
    # Letters are hardly ever narrower than a quarter of their size; measuring thousands of them takes long.
    low, high = 0, min(len(text), int(4 * width / size) + 1)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle] + end, size, bold=bold) <= width:
            low = middle
        else:
            high = middle - 1
    return low
