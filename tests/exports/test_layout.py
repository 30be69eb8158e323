"""Where things stand on a sheet: nothing outside, nothing on top of something else, pixels as they are."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from medpriv_core.errors import SettingError
from medpriv_core.exports.layout import Layout, TextLine, arrange, fit
from medpriv_core.exports.lettering import text_width
from medpriv_core.exports.sheet import Cell, Row
from tests.exports.sheets import picture, sheet_of

Box = tuple[float, float, float, float]


def text_box(line: TextLine) -> Box:
    width = text_width(line.text, line.size, bold=line.bold)
    left = line.x - width / 2 if line.centred else line.x
    return left, line.y - 0.75 * line.size, left + width, line.y + 0.2 * line.size


def boxes(layout: Layout) -> list[Box]:
    pictures = [
        (place.x, place.y, place.x + place.pixels.shape[1], place.y + place.pixels.shape[0])
        for place in layout.pictures
    ]
    return [*pictures, *map(text_box, layout.texts)]


def overlap(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


CAPTION = ("β = 2", "ε of one pixel: 0.5", "ε of the image: 559 (δ = 1e-5)", "63% black or white")
LONG = ("β = 2, " + "a very long first line " * 20, "W" * 900, "日本語" * 60, "four")


@pytest.mark.parametrize("width", [960, 1920])
@pytest.mark.parametrize("caption", [CAPTION, LONG, ("β",)])
@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [
        ((64, 64, 1), 1, 1),
        ((1024, 1024, 3), 2, 4),
        ((28, 28, 1), 3, 6),
        ((1024, 16, 1), 2, 3),
        ((16, 1024, 3), 4, 1),
    ],
)
def test_nothing_leaves_the_slide_or_covers_something_else(
    shape: tuple[int, int, int], rows: int, columns: int, caption: tuple[str, ...], width: int
) -> None:
    row = Row((Cell(picture(*shape), caption),) * columns, "Every pixel its own noise (the paper's text)")
    layout = arrange(sheet_of(*[row] * rows, title="A title " * 40), width)

    assert (layout.width, layout.height) == (width, round(width * 9 / 16))
    assert len(layout.pictures) == rows * columns
    for left, upper, right, lower in boxes(layout):
        assert left >= 0
        assert upper >= 0
        assert right <= layout.width
        assert lower <= layout.height
    covering = [pair for pair in itertools.combinations(boxes(layout), 2) if overlap(*pair)]
    assert covering == []


def test_small_pictures_grow_by_a_whole_factor() -> None:
    small = picture(20, 30, 3)
    shown = fit(small, width=100, height=100)

    assert shown.shape == (60, 90, 3)
    assert np.array_equal(shown, np.kron(small, np.ones((3, 3, 1), np.uint8)))


def test_pictures_that_fit_stay_as_they_are() -> None:
    assert np.array_equal(fit(picture(60, 60), width=119, height=61), picture(60, 60))


def test_large_pictures_keep_the_strength_of_their_noise() -> None:
    large = picture(900, 600, 1)
    shown = fit(large, width=250, height=300)

    assert shown.shape == (300, 200, 1)
    assert np.array_equal(shown, large[1::3, 1::3])
    # Means of 3 x 3 pixels would have a third of the deviation.
    assert abs(shown.std() / large.std() - 1) < 0.02


def test_thinning_out_by_a_broken_factor_keeps_rows_and_columns_in_order() -> None:
    ramp = np.broadcast_to(np.arange(250, dtype=np.uint8)[:, None, None], (250, 100, 1))
    shown = fit(ramp, width=1000, height=177)[:, 0, 0]

    assert len(shown) == 177
    assert set(np.diff(shown.astype(int))) == {1, 2}
    assert shown[0] <= 1
    assert shown[-1] >= 248


def test_a_thin_picture_never_vanishes() -> None:
    assert fit(picture(1024, 16), width=200, height=32).shape == (32, 1, 1)


def test_the_sheet_says_when_pixels_are_left_out() -> None:
    def notes(side: int) -> str:
        layout = arrange(sheet_of(Row((Cell(picture(side, side), ("β = 2",)),))), 1920)
        return " ".join(line.text for line in layout.texts)

    assert "evenly spaced pixels" in notes(1024)
    assert "evenly spaced pixels" not in notes(256)


def test_the_notes_are_complete_whatever_their_length() -> None:
    guarantee = "ε = 559 (δ = 1e-5; for any two images) " * 30
    layout = arrange(sheet_of(guarantee=guarantee), 1920)
    faint = " ".join(line.text for line in layout.texts if line.faint and not line.bold)

    assert " ".join(guarantee.split()) in faint


def test_a_shortened_caption_says_so() -> None:
    layout = arrange(sheet_of(Row((Cell(picture(), LONG),) * 4)), 1920)
    captions = [line.text for line in layout.texts if line.centred]

    assert len(captions) == 16
    assert [text.endswith("…") for text in captions] == [False, False, False, True] * 4


@pytest.mark.parametrize(("rows", "columns"), [(20, 1), (1, 40)])
def test_too_many_pictures_for_one_slide_are_refused(rows: int, columns: int) -> None:
    row = Row((Cell(picture(), ("β = 2",)),) * columns)

    with pytest.raises(SettingError, match="too many images"):
        arrange(sheet_of(*[row] * rows), 1920)


def test_too_much_text_for_one_slide_is_refused() -> None:
    words = "日本" * 700

    with pytest.raises(SettingError, match="too long for one slide"):
        arrange(replace(sheet_of(), settings=words, guarantee=words), 1920)
