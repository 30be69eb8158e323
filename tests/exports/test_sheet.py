"""What a figure sheet must have before it may leave."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.errors import SettingError
from medpriv_core.exports.sheet import PER_IMAGE_ROW, PER_PIXEL_ROW, Cell, Row, Sheet, figure2_rows
from tests.exports.sheets import picture, sheet_of


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 2), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 1), np.uint8),
        np.zeros((8, 8, 1), np.float32),
        [[1]],
    ],
)
def test_only_8_bit_pictures_of_one_or_three_channels(pixels: object) -> None:
    with pytest.raises(SettingError, match="8-bit"):
        Cell(pixels, ("β = 1",))  # type: ignore[arg-type]


@pytest.mark.parametrize("caption", [(), ("a", "b", "c", "d", "e"), ("β = 1", "")])
def test_captions_have_one_to_four_lines(caption: tuple[str, ...]) -> None:
    with pytest.raises(SettingError, match="one to 4 lines"):
        Cell(picture(), caption)


def test_a_chart_needs_no_caption_but_words_for_those_who_cannot_see_it() -> None:
    assert Cell(picture(), drawing=True, alt="It falls.").caption == ()
    with pytest.raises(SettingError, match="one to 4 lines"):
        Cell(picture(), drawing=True)


@pytest.mark.parametrize("name", ["title", "footer", "settings", "guarantee", "source"])
def test_no_sheet_without_its_words(name: str) -> None:
    words = {"title": "t", "footer": "f", "settings": "s", "guarantee": "g", "source": "q"} | {name: " \n"}

    with pytest.raises(SettingError, match=name):
        Sheet(rows=sheet_of().rows, **words)


def test_a_guarantee_is_refused_rather_than_shortened() -> None:
    with pytest.raises(SettingError, match="3,000 characters"):
        sheet_of(guarantee="ε" * 3000)


def test_no_sheet_without_pictures() -> None:
    with pytest.raises(SettingError, match="at least one image"):
        Sheet(rows=(), title="t", footer="f", settings="s", guarantee="g", source="q")
    with pytest.raises(SettingError, match="at least one image"):
        Row(())


def noised(*, shape: tuple[int, int, int] = (64, 64, 1)) -> dict[float, Cell]:
    # Not in the order of the figure.
    return {beta: Cell(picture(*shape, seed=int(beta)), (f"β = {beta:g}",)) for beta in (4.0, 1.0, 2.0)}


def test_figure_2_shows_the_original_and_three_betas_in_both_rows() -> None:
    rows = figure2_rows(picture(), per_pixel=noised(), per_image=noised())

    assert [row.title for row in rows] == [PER_PIXEL_ROW, PER_IMAGE_ROW]
    for row in rows:
        assert [cell.caption[0] for cell in row.cells] == ["Original", "β = 1", "β = 2", "β = 4"]
        assert np.array_equal(row.cells[0].picture, picture())
        assert np.array_equal(row.cells[3].picture, picture(seed=4))


def test_figure_2_takes_no_other_betas_or_sizes() -> None:
    other = noised()
    other[3.0] = other.pop(2.0)

    with pytest.raises(SettingError, match="β = 1, 2 and 4"):
        figure2_rows(picture(), per_pixel=noised(), per_image=other)
    with pytest.raises(SettingError, match="size of the original"):
        figure2_rows(picture(), per_pixel=noised(shape=(32, 64, 1)), per_image=noised())
