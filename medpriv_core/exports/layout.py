"""Where everything on a figure sheet stands: arithmetic that PNG, SVG, PDF and PPTX share.

Pictures come first: they fill the width of the slide as far as its height allows, and words get what is left. Two
rules keep their noise honest. Small pictures grow without smoothing: by a whole factor, or, where that would leave much
of the place empty, by repeating evenly spaced pixels. Pictures too large for their place show evenly spaced pixels of
themselves: averaging neighbours would take noise away, and is indeed the attack that the sheet may be about. The sheet
then says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from medpriv_core.errors import SettingError
from medpriv_core.exports.lettering import ELLIPSIS, cut, wrap
from medpriv_core.exports.sheet import CAPTION_LINES, Cell, Sheet

SLIDE_WIDTH = 1920  # the sizes below are in pixels of a slide of 1920 x 1080
MARGIN = 56
GAP = 24  # between neighbouring pictures, and between blocks
TITLE_SIZES = (54, 48, 42, 36)
TITLE_LINES = 2
ROW_TITLE_SIZE = 25
ROW_TITLE_WIDTH = 230  # to the left of the pictures
ROW_TITLE_LINES = 6
CAPTION_SIZES = (26, 23, 20, 18)
FOOTER_SIZES = (20, 18, 16)
FOOTER_SHARE = 0.12  # of the height, at most
LINE = 1.32  # distance of lines, in sizes of the font
COMFORTABLE_BOX = 330  # below this height, type gives way to pictures
SMALLEST_BOX = 64
FILLED = 0.85  # of its place, from which on a picture that grows by a whole factor is large enough

THINNED = "Large images show evenly spaced pixels; none are averaged, because that would take noise away."


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
class TextBlock:
    """Words that belong together: its lines, and the box for those who break them anew.

    ``paragraphs`` are its texts and whether they are bold; ``left``, ``top`` and ``width`` are the box's.
    """

    left: float
    top: float
    width: float
    paragraphs: tuple[tuple[str, bool], ...]
    lines: tuple[TextLine, ...]

    @property
    def height(self) -> float:
        """Of its lines."""
        return LINE * self.lines[0].size * len(self.lines)


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
    """A sheet of ``width`` x ``height`` pixels; distances from its upper left corner. Its title is the first block."""

    width: int
    height: int
    unit: float  # pixels for each pixel of a slide of 1920
    blocks: tuple[TextBlock, ...]
    pictures: tuple[PlacedPicture, ...]
    rules: tuple[Rule, ...]

    @property
    def texts(self) -> tuple[TextLine, ...]:
        """The lines of all blocks."""
        return tuple(line for block in self.blocks for line in block.lines)


def arrange(sheet: Sheet, width: int) -> Layout:
    """The sheet on a 16:9 slide of ``width`` pixels. Raises ``SettingError`` if there is too much for one slide."""
    layout, thinned = _Arrangement(sheet, width, sheet.footer).layout()
    if thinned:
        layout, _ = _Arrangement(sheet, width, f"{sheet.footer} {THINNED}").layout()
    return layout


def fit(picture: np.ndarray, *, width: float, height: float) -> np.ndarray:
    """``picture`` as large as the place allows, of its own pixels: repeated ones, or evenly spaced ones of it."""
    rows, columns = picture.shape[:2]
    share = min(height / rows, width / columns)
    if int(share) >= FILLED * share:
        return picture.repeat(int(share), axis=0).repeat(int(share), axis=1)
    return picture[_evenly_spaced(rows, share)][:, _evenly_spaced(columns, share)]


def _evenly_spaced(count: int, share: float) -> np.ndarray:
    kept = max(1, int(count * share))
    return ((np.arange(kept) + 0.5) * count / kept).astype(int)


def _fit_drawing(picture: np.ndarray, *, width: float, height: float) -> np.ndarray:
    rows, columns = picture.shape[:2]
    share = min(height / rows, width / columns)
    if share >= 1:
        return picture
    size = max(1, int(columns * share)), max(1, int(rows * share))
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS)).reshape(size[1], size[0], picture.shape[2])


_Caption = list[tuple[str, bool]]  # lines, and whether they are bold


@dataclass(frozen=True)
class _Grid:
    """Measures of the rows: size of the captions' type, their lines and heights, height left for each picture."""

    size: float
    captions: list[list[_Caption]]
    feet: list[float]
    box: float


class _Arrangement:
    """The steps from a sheet to its layout, from the outside inwards: title, footer, rows, pictures."""

    def __init__(self, sheet: Sheet, width: int, footer: str) -> None:
        self.sheet, self.footer = sheet, footer
        self.width, self.height, self.unit = width, round(width * 9 / 16), width / SLIDE_WIDTH
        self.left, self.inner = MARGIN * self.unit, width - 2 * MARGIN * self.unit
        self.blocks: list[TextBlock] = []
        self.pictures: list[PlacedPicture] = []
        self.rules: list[Rule] = []
        self.thinned = False

    def layout(self) -> tuple[Layout, bool]:
        """The finished layout, and whether a picture had to leave pixels out."""
        top = self._draw_title()
        bottom = self._draw_footer()
        self._draw_rows(top, bottom)
        blocks, pictures, rules = tuple(self.blocks), tuple(self.pictures), tuple(self.rules)
        return Layout(self.width, self.height, self.unit, blocks, pictures, rules), self.thinned

    def _write(
        self,
        x: float,
        top: float,
        width: float,
        size: float,
        lines: _Caption,
        *,
        texts: _Caption,
        centred: bool = False,
        faint: bool = False,
    ) -> None:
        """A block of lines from ``top`` on; ``texts`` are the paragraphs that were broken into them."""
        written = tuple(
            TextLine(x, top + (LINE * place + 1) * size, text, size, bold=bold, centred=centred, faint=faint)
            for place, (text, bold) in enumerate(lines)
        )
        self.blocks.append(TextBlock(x - width / 2 if centred else x, top, width, tuple(texts), written))

    def _draw_title(self) -> float:
        for slide_size in TITLE_SIZES:
            size = slide_size * self.unit
            lines = wrap(self.sheet.title, self.inner, size, bold=True, most=TITLE_LINES + 1)
            if len(lines) <= TITLE_LINES:
                break
        lines = _limit(lines, TITLE_LINES, self.inner, size, bold=True)
        top = self.left * 0.6
        self._write(
            self.left, top, self.inner, size, [(line, True) for line in lines], texts=[(self.sheet.title, True)]
        )
        return top + LINE * size * len(lines) + GAP * self.unit

    def _draw_footer(self) -> float:
        """Along the lower edge, in one line if there is a size for it; returns where it begins."""
        for slide_size in FOOTER_SIZES:
            size = slide_size * self.unit
            lines = wrap(self.footer, self.inner, size, bold=False)
            if len(lines) == 1:
                break
        height = LINE * size * len(lines)
        if height > FOOTER_SHARE * self.height:
            raise SettingError("The text below the images is too long for one slide; shorten it.")
        top = self.height - self.left * 0.5 - height
        self._write(
            self.left,
            top,
            self.inner,
            size,
            [(line, False) for line in lines],
            texts=[(self.footer, False)],
            faint=True,
        )
        self.rules.append(Rule(self.left, top - GAP / 4 * self.unit, self.inner))
        return top - 0.75 * GAP * self.unit

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
                alt = cell.alt or ". ".join(filter(None, [row.title, *cell.caption]))
                left, upper = round(centre - pixels.shape[1] / 2), round(y + height - len(pixels))
                self.pictures.append(PlacedPicture(left, upper, pixels, alt))
                if caption:
                    below = y + height + 0.3 * grid.size
                    self._write(centre, below, space, grid.size, caption, texts=_texts(cell, caption), centred=True)
            y += height + foot + GAP * self.unit

    def _draw_row_title(self, title: str, width: float, *, centre: float) -> None:
        if not title:
            return
        size = ROW_TITLE_SIZE * self.unit
        lines = _limit(
            wrap(title, width, size, bold=True, most=ROW_TITLE_LINES + 1), ROW_TITLE_LINES, width, size, bold=True
        )
        top = centre - len(lines) * LINE * size / 2
        self._write(self.left, top, width, size, [(line, True) for line in lines], texts=[(title, True)])

    def _fit(self, cell: Cell, width: float, height: float) -> np.ndarray:
        if cell.drawing:
            return _fit_drawing(cell.picture, width=width, height=height)
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


def _texts(cell: Cell, caption: _Caption) -> _Caption:
    """The caption's paragraphs; its lines where it had to be shortened."""
    whole = [(text, place == 0) for place, text in enumerate(cell.caption)]
    return whole if " ".join(text for text, _ in caption) == " ".join(cell.caption) else caption


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
    if not lines:
        return lines
    bold = lines[min(CAPTION_LINES, len(lines)) - 1][1]
    texts = _limit([text for text, _ in lines], CAPTION_LINES, width, size, bold=bold)
    return [(text, weight) for text, (_, weight) in zip(texts, lines, strict=False)]


def _limit(lines: Sequence[str], most: int, width: float, size: float, *, bold: bool) -> list[str]:
    """The first lines, the last of them ending in "…" if there are more than ``most``."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], cut(lines[most - 1] + ELLIPSIS, width, size, bold=bold)]
