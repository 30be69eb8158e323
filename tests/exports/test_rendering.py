"""Sheets as files: read back with other programs than wrote them."""

from __future__ import annotations

import base64
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from medpriv_core.errors import SettingError
from medpriv_core.exports.layout import arrange
from medpriv_core.exports.rendering import to_png, to_svg
from medpriv_core.exports.sheet import Cell, Row, Sheet
from tests.exports.sheets import FOOTER, GUARANTEE, picture, sheet_of

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
HOSTILE = (
    "</text><script>alert(1)</script>",
    "\"quotes\" & 'apostrophes' ]]> <!-- &amp; &#0;",
    "\x00\x1b[31m\u202egpj.exe \ud800",
    "日本語 العربية 🩻",
)


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(opened(png))


def texts_of(svg: bytes) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def two_pictures() -> Sheet:
    return sheet_of(Row((Cell(picture(30, 40, 3), ("colour",)), Cell(picture(50, 50, 1, seed=1), ("grey",))), "Row"))


@pytest.mark.parametrize("width", [960, 1920, 2560])
def test_a_png_is_a_slide_of_the_wanted_width(width: int) -> None:
    image = opened(to_png(sheet_of(), width_px=width))

    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (width, width * 9 // 16))


@pytest.mark.parametrize("width", [0, 959, 100_000])
def test_other_widths_are_refused(width: int) -> None:
    with pytest.raises(SettingError, match="between 960 and 7680"):
        to_png(sheet_of(), width_px=width)


def test_pictures_stand_in_the_png_pixel_by_pixel() -> None:
    page = pixels_of(to_png(two_pictures()))

    for place in arrange(two_pictures(), 1920).pictures:
        height, width = place.pixels.shape[:2]
        found = page[place.y : place.y + height, place.x : place.x + width]
        assert np.array_equal(found, np.broadcast_to(place.pixels, (height, width, 3)))


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_of_one_colour_does_not_melt_into_the_page(theme: str, level: int) -> None:
    sheet = sheet_of(Row((Cell(np.full((64, 64, 1), level, np.uint8), ("flat",)),)))
    page = pixels_of(to_png(sheet, theme=theme))  # type: ignore[arg-type]
    place = arrange(sheet, 1920).pictures[0]
    frame, paper = page[place.y - 1, place.x + 5].astype(int), page[5, 5].astype(int)

    assert np.array_equal(page[place.y, place.x + 5], [level] * 3)
    assert np.abs(frame - level).min() > 60
    assert np.abs(frame - paper).min() > 60


def test_light_and_dark_are_what_they_say() -> None:
    assert pixels_of(to_png(sheet_of()))[0, 0].min() > 240
    assert pixels_of(to_png(sheet_of(), theme="dark"))[0, 0].max() < 40


def test_every_line_of_text_stands_where_the_layout_says() -> None:
    page = pixels_of(to_png(sheet_of()))

    for line in arrange(sheet_of(), 1920).texts:
        inked = np.flatnonzero((page[round(line.y - 0.5 * line.size) : round(line.y)] < 120).any(axis=(0, 2)))
        middle = (inked[0] + inked[-1]) / 2
        assert abs((middle if line.centred else inked[0]) - line.x) < 8, line.text


def test_the_svg_holds_pictures_and_text() -> None:
    root = ET.fromstring(to_svg(two_pictures()))
    images = list(root.iter(f"{SVG}image"))
    texts = texts_of(to_svg(two_pictures()))

    assert root.get("viewBox") == "0 0 1920 1080"
    assert {"What does the noise hide?", "colour", "grey", "Row", FOOTER} <= set(texts)
    for element, place in zip(images, arrange(two_pictures(), 1920).pictures, strict=True):
        kind, _, data = (element.get(HREF) or "").partition(",")
        shown = pixels_of(base64.b64decode(data, validate=True))
        assert kind == "data:image/png;base64"
        assert np.array_equal(shown.reshape(place.pixels.shape), place.pixels)
        assert (element.get("x"), element.get("width")) == (str(place.x), str(place.pixels.shape[1]))


def test_the_svg_smooths_no_picture_and_puts_its_text_where_the_layout_says() -> None:
    root = ET.fromstring(to_svg(two_pictures()))

    assert {image.get("style") for image in root.iter(f"{SVG}image")} == {"image-rendering: pixelated"}
    for element, line in zip(root.iter(f"{SVG}text"), arrange(two_pictures(), 1920).texts, strict=True):
        assert abs(float(element.get("x") or "nan") - line.x) < 0.01
        assert abs(float(element.get("y") or "nan") - line.y) < 0.01
        assert (element.get("text-anchor") == "middle") == line.centred
        assert (element.get("font-weight") == "bold") == line.bold


def test_an_svg_reader_hears_what_the_pictures_are() -> None:
    root = ET.fromstring(to_svg(two_pictures()))

    assert root.findtext(f"{SVG}title") == "What does the noise hide?"
    assert GUARANTEE in (root.findtext(f"{SVG}desc") or "")
    assert [image.findtext(f"{SVG}title") for image in root.iter(f"{SVG}image")] == ["Row. colour", "Row. grey"]


def test_hostile_words_stay_words() -> None:
    sheet = sheet_of(Row((Cell(picture(), HOSTILE),), title=HOSTILE[0]), title=HOSTILE[0], footer=HOSTILE[1])
    svg = to_svg(sheet)
    texts = texts_of(svg)

    assert {element.tag for element in ET.fromstring(svg).iter()} == {
        f"{SVG}{name}" for name in ("svg", "title", "desc", "rect", "image", "text")
    }
    assert b"<script" not in svg
    assert HOSTILE[0] in texts
    assert HOSTILE[1] in texts
    assert "[31mgpj.exe \ufffd" in texts
    assert HOSTILE[3] in texts
    assert opened(to_png(sheet)).size == (1920, 1080)


def test_files_carry_no_date_and_are_the_same_every_time() -> None:
    png, svg = to_png(sheet_of()), to_svg(sheet_of())

    assert (png, svg) == (to_png(sheet_of()), to_svg(sheet_of()))
    assert opened(png).info == {"Title": sheet_of().title} | dict(sheet_of().notes)
