"""Where everything on a figure sheet stands: arithmetic that the PNG and the SVG share.

Two rules keep the noise honest. Small pictures grow by whole factors without smoothing. Pictures too large for
their place show evenly spaced pixels of themselves: averaging neighbours would take noise away, and is indeed the
attack that the sheet may be about. The sheet then says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medpriv_core.errors import SettingError
from medpriv_core.exports.lettering import ELLIPSIS, cut, text_width, wrap
from medpriv_core.exports.sheet import CAPTION_LINES, Cell, Sheet

SLIDE_WIDTH = 1920  # the sizes below are in pixels of a slide of 1920 x 1080
MARGIN = 56
GAP = 24  # between neighbouring pictures, and between blocks
TITLE_SIZE = 38
ROW_TITLE_SIZE = 25
ROW_TITLE_WIDTH = 250  # to the left of the pictures
ROW_TITLE_LINES = 6
CAPTION_SIZES = (22, 20, 18, 16)
NOTE_SIZES = (19, 17, 15)
NOTES_SHARE = 0.3  # of the height, at most
LINE = 1.32  # distance of lines, in sizes of the font
COMFORTABLE_BOX = 200  # below this height, type gives way to pictures
SMALLEST_BOX = 64

THINNED = (
    "Images",
    "Those too large for this sheet are shown by evenly spaced pixels; none are averaged, because that would take "
    "noise away.",
)


@dataclass(frozen=True)
class TextLine:
    """One line of text; ``y`` is its baseline."""

    x: float
    y: float
    text: str
    size: float
    bold: bool = False
    centred: bool = False  # around x, else it starts there
    faint: bool = False


@dataclass(frozen=True)
class PlacedPicture:
    """A picture as it is shown, pixel by pixel, with its upper left corner."""

    x: int
    y: int
    pixels: np.ndarray  # uint8, shape (height, width, channels)
    alt: str


@dataclass(frozen=True)
class Rule:
    """A thin horizontal line."""

    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Layout:
    """A sheet of ``width`` x ``height`` pixels; distances are from its upper left corner."""

    width: int
    height: int
    unit: float  # pixels for each pixel of a slide of 1920
    texts: tuple[TextLine, ...]
    pictures: tuple[PlacedPicture, ...]
    rules: tuple[Rule, ...]


def arrange(sheet: Sheet, width: int) -> Layout:
    """The sheet on a 16:9 slide of ``width`` pixels. Raises ``SettingError`` if there is too much for one slide."""
    layout, thinned = _Arrangement(sheet, width, sheet.notes).layout()
    if thinned:
        layout, _ = _Arrangement(sheet, width, (*sheet.notes, THINNED)).layout()
    return layout


def fit(picture: np.ndarray, *, width: float, height: float) -> np.ndarray:
    """``picture`` as large as the place allows: repeated pixels by a whole factor, or evenly spaced ones of it."""
    rows, columns = picture.shape[:2]
    share = min(height / rows, width / columns)
    if share >= 1:
        return picture.repeat(int(share), axis=0).repeat(int(share), axis=1)
    return picture[_evenly_spaced(rows, share)][:, _evenly_spaced(columns, share)]


def _evenly_spaced(count: int, share: float) -> np.ndarray:
    kept = max(1, int(count * share))
    return ((np.arange(kept) + 0.5) * count / kept).astype(int)


_Caption = list[tuple[str, bool]]  # lines, and whether they are bold


@dataclass(frozen=True)
class _Grid:
    """Measures of the rows: size of the captions' type, their lines and heights, height left for each picture."""

    size: float
    captions: list[list[_Caption]]
    feet: list[float]
    box: float


class _Arrangement:
    """The steps from a sheet to its layout, from the outside inwards: title, notes, rows, pictures."""

    def __init__(self, sheet: Sheet, width: int, notes: Sequence[tuple[str, str]]) -> None:
        self.sheet, self.notes = sheet, notes
        self.width, self.height, self.unit = width, round(width * 9 / 16), width / SLIDE_WIDTH
        self.left, self.inner = MARGIN * self.unit, width - 2 * MARGIN * self.unit
        self.texts: list[TextLine] = []
        self.pictures: list[PlacedPicture] = []
        self.rules: list[Rule] = []
        self.thinned = False

    def layout(self) -> tuple[Layout, bool]:
        """The finished layout, and whether a picture had to leave pixels out."""
        top = self._draw_title()
        bottom = self._draw_notes()
        self._draw_rows(top, bottom)
        texts, pictures, rules = tuple(self.texts), tuple(self.pictures), tuple(self.rules)
        return Layout(self.width, self.height, self.unit, texts, pictures, rules), self.thinned

    def _draw_title(self) -> float:
        size = TITLE_SIZE * self.unit
        title = cut(self.sheet.title, self.inner, size, bold=True)
        baseline = self.left * 0.75 + size
        self.texts.append(TextLine(self.left, baseline, title, size, bold=True))
        return baseline + 1.25 * GAP * self.unit

    def _draw_notes(self) -> float:
        """Notes along the lower edge; returns where they begin."""
        for slide_size in NOTE_SIZES:
            size = slide_size * self.unit
            indent = max(text_width(name, size, bold=True) for name, _ in self.notes) + size
            blocks = [(name, wrap(text, self.inner - indent, size, bold=False)) for name, text in self.notes]
            height = sum(len(lines) for _, lines in blocks) * LINE * size
            if height <= NOTES_SHARE * self.height:
                break
        else:
            raise SettingError("The text below the images is too long for one slide; shorten it.")
        top = self.height - self.left * 0.75 - height
        baseline = top
        for name, lines in blocks:
            self.texts.append(TextLine(self.left, baseline + LINE * size, name, size, bold=True, faint=True))
            for line in lines:
                baseline += LINE * size
                self.texts.append(TextLine(self.left + indent, baseline, line, size, faint=True))
        self.rules.append(Rule(self.left, top - GAP / 4 * self.unit, self.inner))
        return top - GAP * self.unit

    def _draw_rows(self, top: float, bottom: float) -> None:
        titles = ROW_TITLE_WIDTH * self.unit if any(row.title for row in self.sheet.rows) else 0.0
        column = (self.inner - titles) / self.sheet.columns
        space = column - GAP * self.unit
        grid = self._grid(bottom - top, space)
        if min(grid.box, space) < SMALLEST_BOX * self.unit:
            raise SettingError("There are too many images for one slide; export fewer rows or columns.")
        shown = [[self._fit(cell, space, grid.box) for cell in row.cells] for row in self.sheet.rows]
        heights = [max(len(pixels) for pixels in row) for row in shown]
        # What pictures that grow by whole factors leave over goes between the rows.
        spare = (grid.box * len(heights) - sum(heights)) / (len(heights) + 1)
        y = top
        for row, pictures, captions, foot, height in zip(
            self.sheet.rows, shown, grid.captions, grid.feet, heights, strict=True
        ):
            y += spare
            self._draw_row_title(row.title, titles - GAP * self.unit, centre=y + height / 2)
            for place, (cell, pixels, caption) in enumerate(zip(row.cells, pictures, captions, strict=True)):
                centre = self.left + titles + (place + 0.5) * column
                self._draw_cell(row.title, cell, pixels, caption, centre=centre, y=y, height=height, size=grid.size)
            y += height + foot + GAP * self.unit

    def _draw_row_title(self, title: str, width: float, *, centre: float) -> None:
        size = ROW_TITLE_SIZE * self.unit
        lines = _limit(
            wrap(title, width, size, bold=True, most=ROW_TITLE_LINES + 1), ROW_TITLE_LINES, width, size, bold=True
        )
        baseline = centre - len(lines) * LINE * size / 2 - (LINE - 1) * size
        for line in lines:
            baseline += LINE * size
            self.texts.append(TextLine(self.left, baseline, line, size, bold=True))

    def _draw_cell(
        self,
        row_title: str,
        cell: Cell,
        pixels: np.ndarray,
        caption: _Caption,
        *,
        centre: float,
        y: float,
        height: int,
        size: float,
    ) -> None:
        alt = ". ".join(filter(None, [row_title, *cell.caption]))
        left, upper = round(centre - pixels.shape[1] / 2), round(y + height - len(pixels))
        self.pictures.append(PlacedPicture(left, upper, pixels, alt))
        baseline = y + height + 0.3 * size
        for line, bold in caption:
            baseline += LINE * size
            self.texts.append(TextLine(centre, baseline, line, size, bold=bold, centred=True))

    def _fit(self, cell: Cell, width: float, height: float) -> np.ndarray:
        pixels = fit(cell.picture, width=width, height=height)
        self.thinned = self.thinned or len(pixels) < len(cell.picture)
        return pixels

    def _grid(self, height: float, width: float) -> _Grid:
        """Rows in the largest type in which every caption fits and pictures are large, else in the smallest."""
        for slide_size in CAPTION_SIZES:
            size = slide_size * self.unit
            captions = [[_caption_lines(cell, width, size) for cell in row.cells] for row in self.sheet.rows]
            longest = max(len(lines) for row in captions for lines in row)
            shortened = [[_shorten(lines, width, size) for lines in row] for row in captions]
            feet = [(LINE * max(map(len, row)) + 0.3) * size for row in shortened]
            box = (height - sum(feet) - GAP * self.unit * (len(feet) - 1)) / len(feet)
            if longest <= CAPTION_LINES and box >= COMFORTABLE_BOX * self.unit:
                break
        return _Grid(size, shortened, feet, box)


def _caption_lines(cell: Cell, width: float, size: float) -> _Caption:
    """Lines with their weight; of a caption with too many, one more than there may be."""
    lines: _Caption = []
    for place, text in enumerate(cell.caption):
        bold = place == 0
        most = CAPTION_LINES + 1 - len(lines)
        lines += [(line, bold) for line in wrap(text, width, size, bold=bold, most=most)]
        if len(lines) > CAPTION_LINES:
            break
    return lines


def _shorten(lines: _Caption, width: float, size: float) -> _Caption:
    """At most four lines of a caption; the notes of the sheet, where its ε is told in full, are never shortened."""
    bold = lines[min(CAPTION_LINES, len(lines)) - 1][1]
    texts = _limit([text for text, _ in lines], CAPTION_LINES, width, size, bold=bold)
    return [(text, weight) for text, (_, weight) in zip(texts, lines, strict=False)]


def _limit(lines: list[str], most: int, width: float, size: float, *, bold: bool) -> list[str]:
    """The first lines, the last of them ending in "…" if there are more than ``most``."""
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], cut(lines[most - 1] + ELLIPSIS, width, size, bold=bold)]
