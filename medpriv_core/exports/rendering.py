"""Figure sheets as files for slides: PNG for any program, SVG with text that stays text.

Both are drawn from the same layout, and hold the notes of the sheet as words that programs read. Neither carries a
date, a name or any other trace of the machine.
"""

from __future__ import annotations

import base64
import io
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from medpriv_core.errors import SettingError
from medpriv_core.exports.layout import SLIDE_WIDTH, Layout, PlacedPicture, Rule, arrange
from medpriv_core.exports.lettering import font
from medpriv_core.exports.sheet import Sheet

Theme = Literal["light", "dark"]
WIDTHS = (960, 7680)  # pixels, lowest and highest: half a slide to 8K
SYSTEM_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', Arial, sans-serif"


@dataclass(frozen=True)
class Colours:
    """Of a slide, as #RRGGBB."""

    background: str
    text: str
    faint: str
    line: str  # around pictures too: without it a white picture would melt into the slide


THEMES: dict[Theme, Colours] = {
    "light": Colours("#FFFFFF", "#1A1F24", "#4A525A", "#8A8F94"),
    "dark": Colours("#14181C", "#E8ECEF", "#B4BCC3", "#6A7278"),
}


def to_png(sheet: Sheet, *, width_px: int = SLIDE_WIDTH, theme: Theme = "light") -> bytes:
    """The sheet as an RGB PNG of ``width_px`` pixels at 16:9. Raises ``SettingError`` if it does not fit a slide."""
    if not WIDTHS[0] <= width_px <= WIDTHS[1]:
        raise SettingError(f"The width of a figure sheet must be between {WIDTHS[0]} and {WIDTHS[1]} pixels.")
    layout, colours = arrange(sheet, width_px), THEMES[theme]
    image = Image.new("RGB", (layout.width, layout.height), colours.background)
    canvas = ImageDraw.Draw(image)
    for rule in layout.rules:
        canvas.rectangle(_rule_box(rule, layout), fill=colours.line)
    for picture in layout.pictures:
        x, y, border = picture.x, picture.y, _border(layout)
        height, width = picture.pixels.shape[:2]
        canvas.rectangle((x - border, y - border, x + width + border - 1, y + height + border - 1), fill=colours.line)
        image.paste(as_image(picture.pixels), (x, y))
    for line in layout.texts:
        canvas.text(
            (line.x, line.y),
            line.text,
            fill=colours.faint if line.faint else colours.text,
            font=font(line.size, bold=line.bold),
            anchor="ms" if line.centred else "ls",
        )
    return encode_png(image, _words_of(sheet))


def _words_of(sheet: Sheet) -> PngInfo:
    """Title and notes, for programs that read them: what the footer has no room for."""
    info = PngInfo()
    for name, text in (("Title", sheet.title), *sheet.notes):
        info.add_text(name, text)
    return info


def to_svg(sheet: Sheet, *, theme: Theme = "light") -> bytes:
    """The sheet as an SVG of 1920 x 1080 units, in UTF-8. Raises ``SettingError`` if it does not fit a slide."""
    layout, colours = arrange(sheet, SLIDE_WIDTH), THEMES[theme]
    size = {"width": str(layout.width), "height": str(layout.height)}
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            # Office programs know pictures under the older name alone.
            "xmlns:xlink": "http://www.w3.org/1999/xlink",
            "viewBox": f"0 0 {layout.width} {layout.height}",
            "role": "img",
            "font-family": SYSTEM_FONTS,
            **size,
        },
    )
    ET.SubElement(root, "title").text = sheet.title
    ET.SubElement(root, "desc").text = " ".join(f"{name}: {text}" for name, text in sheet.notes)
    ET.SubElement(root, "rect", {**size, "fill": colours.background})
    for rule in layout.rules:
        left, upper, right, lower = _rule_box(rule, layout)
        _add_rectangle(root, left, upper, right - left + 1, lower - upper + 1, fill=colours.line)
    for picture in layout.pictures:
        _add_picture(root, picture, border=_border(layout), colour=colours.line)
    for line in layout.texts:
        attributes = {
            "x": f"{line.x:.2f}",
            "y": f"{line.y:.2f}",
            "font-size": f"{line.size:g}",
            "fill": colours.faint if line.faint else colours.text,
        }
        if line.bold:
            attributes["font-weight"] = "bold"
        if line.centred:
            attributes["text-anchor"] = "middle"
        ET.SubElement(root, "text", attributes).text = line.text
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def encode_png(image: Image.Image, info: PngInfo | None = None) -> bytes:
    """A PNG with the text of ``info``; noise hardly shrinks, so that little time is spent on trying."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=3, pnginfo=info)
    return buffer.getvalue()


def as_image(pixels: np.ndarray) -> Image.Image:
    """Pixels of shape (h, w, 1) or (h, w, 3) as an image of mode L or RGB."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _border(layout: Layout) -> int:
    return max(1, round(layout.unit))


def _rule_box(rule: Rule, layout: Layout) -> tuple[int, int, int, int]:
    """Its first and last pixels, both belonging to it."""
    upper = round(rule.y)
    return round(rule.x), upper, round(rule.x + rule.width) - 1, upper + _border(layout) - 1


def _add_rectangle(root: ET.Element, x: int, y: int, width: int, height: int, *, fill: str) -> None:
    place = {"x": x, "y": y, "width": width, "height": height}
    ET.SubElement(root, "rect", {name: str(value) for name, value in place.items()} | {"fill": fill})


def _add_picture(root: ET.Element, picture: PlacedPicture, *, border: int, colour: str) -> None:
    height, width = picture.pixels.shape[:2]
    _add_rectangle(root, picture.x - border, picture.y - border, width + 2 * border, height + 2 * border, fill=colour)
    data = base64.b64encode(encode_png(as_image(picture.pixels))).decode("ascii")
    element = ET.SubElement(
        root,
        "image",
        {
            "x": str(picture.x),
            "y": str(picture.y),
            "width": str(width),
            "height": str(height),
            "xlink:href": f"data:image/png;base64,{data}",
            "style": "image-rendering: pixelated",
        },
    )
    ET.SubElement(element, "title").text = picture.alt
