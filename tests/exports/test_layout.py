"""Where things stand on a sheet: nothing outside, nothing on top of something else, pixels as they are."""

from __future__ import annotations

import itertools

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


CAPTION = ("β = 2", "ε of one pixel: 0.5", "ε of the image: 559 (δ = 1e-5)", "63 % black or white")
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


def test_a_place_that_a_whole_factor_would_leave_half_empty_is_filled_by_repeated_pixels() -> None:
    small = picture(60, 60)
    shown = fit(small, width=100, height=200)

    assert shown.shape == (100, 100, 1)
    assert set(map(bytes, shown.reshape(-1, 1))) <= set(map(bytes, small.reshape(-1, 1)))
    assert set(np.unique(shown[:, 0, 0], return_counts=True)[1]) >= {1, 2}
    # Smoothing would take noise away.
    assert abs(shown.std() / small.std() - 1) < 0.05


@pytest.mark.parametrize("columns", [3, 4, 5])
@pytest.mark.parametrize("side", [64, 128, 200, 256, 512, 1024])
def test_pictures_side_by_side_fill_four_fifths_of_the_width(columns: int, side: int) -> None:
    layout = arrange(sheet_of(Row((Cell(picture(side, side), CAPTION[:3]),) * columns)), 1920)

    assert sum(place.pixels.shape[1] for place in layout.pictures) >= 0.8 * 1920


def test_the_foot_is_one_line_and_the_whole_finding_stands_above() -> None:
    finding = "At β = 2 the eye sees nothing; a computer still brings the image back (likeness 0.96)"
    title, *_, foot = arrange(sheet_of(title=finding), 1920).blocks[:1] + arrange(sheet_of(), 1920).blocks[1:2]

    assert " ".join(line.text for line in title.lines) == finding
    assert len(foot.lines) == 1


def test_a_chart_is_made_smaller_smoothly_and_never_larger() -> None:
    stripes = np.zeros((100, 4000, 3), np.uint8)
    stripes[:, ::2] = 255
    small = np.zeros((100, 100, 3), np.uint8)

    def shown(pixels: np.ndarray) -> np.ndarray:
        return arrange(sheet_of(Row((Cell(pixels, drawing=True, alt="Stripes"),))), 1920).pictures[0].pixels

    assert shown(stripes).mean(axis=0).min() > 100
    assert shown(small).shape == small.shape


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


def test_the_foot_is_complete_whatever_its_length() -> None:
    footer = "ε (δ = 1e-5; for any two images) " * 12
    layout = arrange(sheet_of(footer=footer), 1920)
    faint = " ".join(line.text for line in layout.texts if line.faint)

    assert faint == " ".join(footer.split())


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
        arrange(sheet_of(footer=words), 1920)
