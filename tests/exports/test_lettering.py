"""What is drawn as text, and how lines break."""

from __future__ import annotations

import itertools

import pytest

from medpriv_core.exports.lettering import FONTS, cut, font, text_width, wrap

MISSING = "\uffff"  # never a character, so a font draws the box that stands for what it lacks


def drawn(character: str, *, bold: bool) -> tuple[tuple[int, int], bytes]:
    mask = font(40, bold=bold).getmask(character)
    return mask.size, bytes(mask)


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize("character", "βεδσμ×·−≤√∞²…–äЖ")
def test_the_font_has_what_formulas_and_european_names_need(character: str, bold: bool) -> None:
    assert drawn(character, bold=bold) != drawn(MISSING, bold=bold)


def test_the_box_of_a_missing_character_is_recognised() -> None:
    assert drawn("日", bold=False) == drawn(MISSING, bold=False)


def test_the_fonts_come_with_their_licence() -> None:
    licence = (FONTS / "LICENSE.txt").read_text(encoding="utf-8")

    assert "Copyright (c) 2003 by Bitstream" in licence
    assert "Copyright (c) 2006 by Tavmjong Bah" in licence


def test_lines_are_as_full_as_they_can_be() -> None:
    text = "the noise of every pixel hides that pixel, and the eye averages the noise of many"
    width = 180.0
    lines = wrap(text, width, 16, bold=False)

    assert len(lines) > 2
    assert " ".join(lines) == text
    assert all(text_width(line, 16, bold=False) <= width for line in lines)
    for line, following in itertools.pairwise(lines):
        assert text_width(f"{line} {following.split()[0]}", 16, bold=False) > width


def test_a_word_without_end_is_broken_within() -> None:
    word = "W" * 500
    lines = wrap(f"a {word} b", 100, 16, bold=True)

    assert "".join(lines).replace(" ", "") == f"a{word}b"
    assert all(text_width(line, 16, bold=True) <= 100 for line in lines)


def test_a_place_narrower_than_a_letter_still_ends() -> None:
    assert wrap("WW i", 1, 16, bold=False) == ["W", "W", "i"]


def test_wrapping_stops_at_the_wanted_number_of_lines() -> None:
    whole = wrap("one two three four five six seven", 60, 16, bold=False)

    assert wrap("one two three four five six seven", 60, 16, bold=False, most=3) == whole[:3]
    assert wrap("W" * 500, 60, 16, bold=False, most=3) == wrap("W" * 500, 60, 16, bold=False)[:3]


def test_nothing_gives_no_lines() -> None:
    assert wrap("", 100, 16, bold=False) == []


def test_what_is_cut_says_so_and_fits() -> None:
    text = "a title that is far too long for its line"
    short = cut(text, 200, 16, bold=False)

    assert short.endswith("…")
    assert text.startswith(short.removesuffix("…"))
    assert 120 < text_width(short, 16, bold=False) <= 200
    assert cut(text, 2000, 16, bold=False) == text


def test_chinese_characters_count_as_the_squares_that_other_fonts_draw() -> None:
    assert text_width("日本語", 20, bold=False) >= 60
