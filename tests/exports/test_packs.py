"""Packs of slides: read back with other programs than wrote them."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pptx import Presentation

from medpriv_core.errors import SettingError
from medpriv_core.exports.layout import arrange
from medpriv_core.exports.pdf_pack import to_pdf
from medpriv_core.exports.pptx_pack import EMU, to_pptx
from medpriv_core.exports.sheet import Cell, Row, Sheet
from medpriv_core.progress import Cancelled
from tests.exports.sheets import FOOTER, GUARANTEE, picture, sheet_of
from tests.exports.test_rendering import HOSTILE


def pack() -> list[Sheet]:
    colour = Cell(picture(64, 64, 3, seed=1), ("Noised", "ε of the image: 559"))
    return [sheet_of(Row((Cell(picture(), ("Original", "Retina")), colour)), title="The finding"), sheet_of()]


def opened(content: bytes) -> Any:
    return Presentation(io.BytesIO(content))


def text_of(slide: object) -> list[str]:
    return [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]  # type: ignore[attr-defined]


def test_a_slide_has_its_finding_as_title_its_words_as_text_and_the_rest_in_its_notes() -> None:
    first, second = opened(to_pptx(pack())).slides

    assert first.shapes.title.text_frame.text == "The finding"
    assert {"Original\nRetina", "Noised\nε of the image: 559", FOOTER} <= set(text_of(first))
    notes = first.notes_slide.notes_text_frame.text
    assert GUARANTEE in notes
    assert "no patient" in notes
    assert second.shapes.title.text_frame.text == sheet_of().title


def test_pictures_keep_every_pixel_and_say_what_they_are() -> None:
    sheet = pack()[0]
    shown = [shape for shape in opened(to_pptx([sheet])).slides[0].shapes if hasattr(shape, "image")]

    for shape, place in zip(shown, arrange(sheet, 1920).pictures, strict=True):
        found = np.asarray(Image.open(io.BytesIO(shape.image.blob)))
        assert np.array_equal(found.reshape(place.pixels.shape), place.pixels)
        assert (shape.left, shape.width) == (place.x * EMU, place.pixels.shape[1] * EMU)
        assert shape._element.nvPicPr.cNvPr.get("descr") == place.alt


def test_a_pack_tells_no_name_no_date_and_nothing_of_the_machine() -> None:
    content = to_pptx(pack())
    words = opened(content).core_properties

    assert content == to_pptx(pack())
    assert (words.author, words.last_modified_by, words.created.year) == ("medpriv", "medpriv", 1980)
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert {member.date_time for member in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not [name for name in package.namelist() if "thumbnail" in name]
        assert all(b"Canny" not in package.read(name) for name in package.namelist())


@pytest.mark.filterwarnings("ignore:Glyph")  # what our typeface lacks is a box
def test_hostile_words_stay_words_in_a_pack() -> None:
    row = Row((Cell(picture(), HOSTILE),), title=HOSTILE[0])
    sheet = sheet_of(row, title=HOSTILE[0], footer=HOSTILE[1])

    assert opened(to_pptx([sheet])).slides[0].shapes.title.text_frame.text == HOSTILE[0]
    assert to_pdf([sheet]).startswith(b"%PDF")


def streams(pdf: bytes) -> list[bytes]:
    found = []
    for start in re.finditer(rb"stream\r?\n", pdf):
        try:
            found.append(zlib.decompressobj().decompress(pdf[start.end() :]))
        except zlib.error:
            continue
    return found


def test_a_pdf_has_a_page_for_each_slide_and_one_for_the_words_in_full() -> None:
    pdf = to_pdf(pack())

    assert pdf == to_pdf(pack())
    assert len(re.findall(rb"/Type /Page\b(?!s)", pdf)) == 3
    assert b"CreationDate" not in pdf
    assert b"DCTDecode" not in pdf


def test_a_pdf_keeps_every_pixel() -> None:
    sheet = pack()[0]
    place = arrange(sheet, 1920).pictures[1]

    decoded = {len(stream): stream for stream in streams(to_pdf([sheet]))}

    # Its rows have PNG's filters, so that the size tells that none is missing.
    height, width = place.pixels.shape[:2]
    assert {height * (1 + width * 3), height * width * 3} & set(decoded)


@pytest.mark.parametrize("write", [to_pptx, to_pdf])
def test_a_pack_tells_its_progress_and_can_be_stopped(write: object) -> None:
    told: list[tuple[int, int]] = []

    def stop(phase: str, done: int, total: int) -> None:
        told.append((done, total))
        if done == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        write(pack(), progress=stop)  # type: ignore[operator]
    assert told == [(0, 2), (1, 2)]


@pytest.mark.parametrize("write", [to_pptx, to_pdf])
def test_a_slide_that_holds_too_much_is_refused(write: object) -> None:
    with pytest.raises(SettingError, match="too long for one slide"):
        write([sheet_of(footer="日本" * 700)])  # type: ignore[operator]


def test_dark_slides_are_dark() -> None:
    slide = opened(to_pptx(pack(), theme="dark")).slides[0]

    assert str(slide.background.fill.fore_color.rgb) == "14181C"
