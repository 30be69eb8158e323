"""Figure sheets as a PowerPoint file: one slide each, with text that can be changed and the full words in its notes.

The file holds words and pictures of the sheets and nothing else: no date, no name, nothing of the machine. So the same
sheets give the same file. PowerPoint and LibreOffice open it; both break lines anew in their own typeface, which is
narrower than the one that the layout was measured with.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from medpriv_core.exports.layout import SLIDE_WIDTH, PlacedPicture, TextBlock, arrange
from medpriv_core.exports.rendering import THEMES, Colours, Theme, as_image, encode_png
from medpriv_core.exports.sheet import Sheet
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.zips import NO_DATE

EMU = 6350  # of Office's units in a pixel of a slide of 1920, which is 13.33 inches wide
POINTS = 0.5  # in such a pixel
TYPEFACE = "Arial"
_TITLE_ONLY = 5  # of the layouts in python-pptx's template
_THUMBNAIL = "docProps/thumbnail.jpeg"


def to_pptx(sheets: Sequence[Sheet], *, theme: Theme = "light", progress: ProgressCallback = no_progress) -> bytes:
    """The sheets as slides of 16:9. Raises ``SettingError`` if one does not fit, ``Cancelled`` where it is stopped."""
    # A third of a second to load, which only a pack needs.
    from pptx import Presentation
    from pptx.util import Emu

    made = Presentation()
    made.slide_width, made.slide_height = Emu(SLIDE_WIDTH * EMU), Emu(SLIDE_WIDTH * 9 // 16 * EMU)
    words = made.core_properties
    words.author = words.last_modified_by = "medpriv"
    words.title = sheets[0].title if len(sheets) == 1 else "What does the noise hide?"
    words.created = words.modified = datetime(*NO_DATE)
    for done, sheet in enumerate(sheets):
        progress("Writing slides", done, len(sheets))
        _add_slide(made, sheet, THEMES[theme])
    output = io.BytesIO()
    made.save(output)
    return _without_dates(output.getvalue())


def _add_slide(made: Any, sheet: Sheet, colours: Colours) -> None:
    layout = arrange(sheet, SLIDE_WIDTH)
    slide = made.slides.add_slide(made.slide_layouts[_TITLE_ONLY])
    fill = slide.background.fill
    fill.solid()
    fill.fore_color.rgb = _rgb(colours.background)
    title, *others = layout.blocks
    _place(slide.shapes.title, title)
    _write(slide.shapes.title, title, colours)
    for number, picture in enumerate(layout.pictures, start=1):
        _add_picture(slide, picture, f"Image {number}", colours)
    for rule in layout.rules:
        _add_rule(slide, rule.x, rule.y, rule.width, colours)
    for block in others:
        box = slide.shapes.add_textbox(0, 0, 0, 0)
        _place(box, block)
        _write(box, block, colours)
    notes = (sheet.title, *(f"{name}: {text}" for name, text in sheet.notes))
    slide.notes_slide.notes_text_frame.text = "\n".join(notes)


def _place(shape: Any, block: TextBlock) -> None:
    shape.left, shape.top = round(block.left * EMU), round(block.top * EMU)
    shape.width, shape.height = round(block.width * EMU), round(block.height * EMU)


def _write(shape: Any, block: TextBlock, colours: Colours) -> None:
    from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
    from pptx.util import Pt

    frame, first = shape.text_frame, block.lines[0]
    frame.word_wrap, frame.vertical_anchor = True, MSO_ANCHOR.TOP
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    for place, (text, bold) in enumerate(block.paragraphs):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        paragraph.alignment = PP_ALIGN.CENTER if first.centred else PP_ALIGN.LEFT
        run = paragraph.add_run()
        run.text = text
        letters = run.font
        letters.name, letters.bold, letters.size = TYPEFACE, bold, Pt(first.size * POINTS)
        letters.color.rgb = _rgb(colours.faint if first.faint else colours.text)


def _add_picture(slide: Any, picture: PlacedPicture, name: str, colours: Colours) -> None:
    file = io.BytesIO(encode_png(as_image(picture.pixels)))
    height, width = picture.pixels.shape[:2]
    added = slide.shapes.add_picture(file, picture.x * EMU, picture.y * EMU, width * EMU, height * EMU)
    added.name = name
    added._element.nvPicPr.cNvPr.set("descr", picture.alt)  # python-pptx has no name for it
    added.line.color.rgb = _rgb(colours.line)
    added.line.width = EMU


def _add_rule(slide: Any, x: float, y: float, width: float, colours: Colours) -> None:
    from pptx.enum.shapes import MSO_CONNECTOR

    at = round(y * EMU)
    line = slide.shapes.add_connector(MSO_CONNECTOR.STRAIGHT, round(x * EMU), at, round((x + width) * EMU), at)
    line.line.color.rgb = _rgb(colours.line)
    line.line.width = EMU


def _rgb(colour: str) -> Any:
    from pptx.dml.color import RGBColor

    return RGBColor.from_string(colour.removeprefix("#"))


def _without_dates(content: bytes) -> bytes:
    """The same package with the earliest date that a zip can hold, and without the template's thumbnail."""
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as package, zipfile.ZipFile(output, "w") as kept:
        for name in package.namelist():
            if name == _THUMBNAIL:
                continue
            data = package.read(name)
            if name == "_rels/.rels":
                data = _without_thumbnail(data)
            packed = not name.endswith(".png")
            kept.writestr(
                zipfile.ZipInfo(name, date_time=NO_DATE), data, zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            )
    return output.getvalue()


def _without_thumbnail(relations: bytes) -> bytes:
    import xml.etree.ElementTree as ET

    root = ET.fromstring(relations)
    for one in list(root):
        if one.get("Target", "").endswith(_THUMBNAIL):
            root.remove(one)
    ET.register_namespace("", "http://schemas.openxmlformats.org/package/2006/relationships")
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)
