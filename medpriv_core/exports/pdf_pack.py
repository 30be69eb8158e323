"""Figure sheets as a PDF: a page each, and after them the words in full that a slide has no room for.

Text stays text, and pictures keep every pixel: they are packed without loss, for what a lossy format takes away first
is noise. No date, no name, nothing of the machine.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from medpriv_core.exports.chart_styles import lettering
from medpriv_core.exports.charts import drawing
from medpriv_core.exports.layout import GAP, LINE, MARGIN, SLIDE_WIDTH, Layout, TextLine, arrange
from medpriv_core.exports.lettering import wrap
from medpriv_core.exports.rendering import THEMES, Colours, Theme
from medpriv_core.exports.sheet import Sheet
from medpriv_core.progress import ProgressCallback, no_progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 144  # pixels of a slide of 1920 in an inch: 13.33 inches wide
_POINTS = 72 / _DPI
_WORDS_SIZE = 22
_HEIGHT = SLIDE_WIDTH * 9 // 16
IN_FULL = "In full: settings, ε with all that it depends on, sources"


def to_pdf(sheets: Sequence[Sheet], *, theme: Theme = "light", progress: ProgressCallback = no_progress) -> bytes:
    """The sheets as pages of 16:9. Raises ``SettingError`` if one does not fit, ``Cancelled`` where it is stopped."""
    from matplotlib.backends.backend_pdf import PdfPages

    output = io.BytesIO()
    about = {"Title": sheets[0].title, "Creator": "medpriv", "Producer": "medpriv", "CreationDate": None}
    with drawing({"pdf.fonttype": 42}), PdfPages(output, metadata=about) as file:
        for done, sheet in enumerate(sheets):
            progress("Writing pages", done, len(sheets))
            file.savefig(_page(arrange(sheet, SLIDE_WIDTH), THEMES[theme]), facecolor=THEMES[theme].background)
        for lines in _words_in_full(sheets):
            page = _blank()
            _write(page, lines, THEMES[theme])
            file.savefig(page, facecolor=THEMES[theme].background)
    return output.getvalue()


def _blank() -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    page = Figure(figsize=(SLIDE_WIDTH / _DPI, _HEIGHT / _DPI), dpi=_DPI)
    FigureCanvasAgg(page)
    return page


def _page(layout: Layout, colours: Colours) -> Figure:
    page = _blank()
    for picture in layout.pictures:
        height, width = picture.pixels.shape[:2]
        box = (picture.x / SLIDE_WIDTH, 1 - (picture.y + height) / _HEIGHT, width / SLIDE_WIDTH, height / _HEIGHT)
        axes = page.add_axes(box, xticks=[], yticks=[])
        shown = picture.pixels if picture.pixels.shape[2] == 3 else picture.pixels.repeat(3, axis=2)
        axes.imshow(shown, interpolation="none", aspect="auto")
        for side in axes.spines.values():
            side.set(color=colours.line, linewidth=_POINTS)
    for rule in layout.rules:
        y = 1 - rule.y / _HEIGHT
        page.add_artist(_line((rule.x / SLIDE_WIDTH, (rule.x + rule.width) / SLIDE_WIDTH), (y, y), colours.line))
    _write(page, layout.texts, colours)
    return page


def _line(x: tuple[float, float], y: tuple[float, float], colour: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D(x, y, color=colour, linewidth=_POINTS)


def _write(page: Figure, lines: Sequence[TextLine], colours: Colours) -> None:
    for line in lines:
        page.text(
            line.x / SLIDE_WIDTH,
            1 - line.y / _HEIGHT,
            line.text,
            color=colours.faint if line.faint else colours.text,
            ha="center" if line.centred else "left",
            va="baseline",
            **lettering(line.size * _POINTS, bold=line.bold),
        )


def _words_in_full(sheets: Sequence[Sheet]) -> list[list[TextLine]]:
    """Title and notes of each sheet, broken into lines and pages."""
    width, size = SLIDE_WIDTH - 2 * MARGIN, float(_WORDS_SIZE)
    texts: list[tuple[str, bool]] = [(IN_FULL, True)]
    for number, sheet in enumerate(sheets, start=1):
        texts.append((f"{number}. {sheet.title}", True))
        texts += [(f"{name}: {text}", False) for name, text in sheet.notes]
    pages: list[list[TextLine]] = [[]]
    y = float(MARGIN)
    for text, bold in texts:
        lines = wrap(text, width, size, bold=bold)
        if bold:
            y += GAP
        for line in lines:
            if y + 2 * LINE * size > _HEIGHT - MARGIN:
                pages.append([])
                y = float(MARGIN)
            y += LINE * size
            pages[-1].append(TextLine(MARGIN, y, line, size, bold=bold, faint=not bold))
    return pages
