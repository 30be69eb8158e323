"""What becomes of text from elsewhere at each border."""

from __future__ import annotations

import csv
import html
import io
import logging
import re
import unicodedata

import pytest

from medpriv_core.shown_text import (
    ForTerminal,
    csv_table,
    for_cell,
    for_chart,
    for_markdown,
    for_picture,
    for_terminal,
)
from tests.hostile_text import ALL, random_texts

TEXTS = [*ALL, *random_texts(2000, seed=1)]
JOINER = "\u2060"


def test_a_terminal_gets_one_line_without_anything_that_it_obeys() -> None:
    for text in TEXTS:
        shown = for_terminal(text)
        assert len(shown.splitlines()) <= 1, ascii(text)
        assert all(unicodedata.category(sign) not in ("Cc", "Cs") for sign in shown), ascii(text)
        # Left-to-right, right-to-left and their like are known to Unicode by name.
        assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown), ascii(text)
        shown.encode()


def test_what_is_only_text_goes_to_a_terminal_as_it_is() -> None:
    for text in ("Übung · β = 1", "seen 👩‍⚕️", "עברית", "日本語", "C:\\x [a] *b*"):
        assert for_terminal(text) == text


def test_what_a_terminal_would_obey_stays_to_be_seen() -> None:
    assert (
        for_terminal("\x1b]8;;http://x\x1b\\click\x1b]8;;\x1b\\") == "\ufffd]8;;http://x\ufffd\\click\ufffd]8;;\ufffd\\"
    )
    assert for_terminal("\x9b31mred") == "\ufffd31mred"


def test_markdown_differs_from_the_text_by_backslashes_and_joiners_alone() -> None:
    for text in TEXTS:
        unescaped = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", for_markdown(text)).replace(JOINER, "")
        assert unescaped == re.sub(" +", " ", for_terminal(text).replace(JOINER, "")), ascii(text)


def test_a_sentence_of_ours_can_still_be_read_in_markdown() -> None:
    for text in (
        "ε = 3.37 (δ = 1e-5; one image added or removed; Poisson subsampling; PLD accountant).",
        "noise_multiplier must be between 0.1 and 1,000, but is 2e4. See --help!",
        "It took 12:30 of 1.5 hours; that's 100%.",
    ):
        assert for_markdown(text) == text


def test_two_texts_side_by_side_do_not_become_something_together() -> None:
    # What ends one text and what begins the next are escaped each by itself.
    assert f"{for_markdown(':smile')}: ok" == f":{JOINER}smile: ok"
    assert f"{for_markdown('www')}.example.org" == f"www{JOINER}.example.org"
    assert f"**{for_markdown('a_')}**" == "**a\\_**"


def test_a_chart_gets_no_tag_and_shows_the_text() -> None:
    for text in TEXTS:
        shown = for_chart(text)
        assert not re.search("[<>]", shown), ascii(text)
        assert "%{" not in shown, ascii(text)
        # Plotly takes for a character what begins with an ampersand, as HTML does.
        assert html.unescape(shown).replace(JOINER, "") == for_terminal(text).replace(JOINER, ""), ascii(text)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("  two\nlines\tand  spaces ", "two lines and spaces"),
        ("nothing\x00at\x1ball", "nothing at all"),
        ("left\u202eto\u200b right", "leftto right"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("not \ufffe a character", "not \ufffd a character"),
        ("<script>alert('β')</script>", "<script>alert('β')</script>"),
    ],
)
def test_on_a_picture_only_characters_that_can_be_drawn_remain(raw: str, shown: str) -> None:
    assert for_picture(raw) == shown


def test_no_cell_begins_a_formula_however_the_table_is_cut() -> None:
    begins = re.compile("\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]")
    for text in TEXTS:
        (header, line) = csv.reader(io.StringIO(csv_table([text, "b"], [{text: text, "b": 1}]), newline=""))
        for cell in (header[0], line[0]):
            assert not begins.match(cell), ascii(text)
            # What stands behind an apostrophe is text, up to the next place where a table may be cut.
            after = re.sub(rf"^'{begins.pattern}", "", cell)
            assert not any(begins.match(part) for part in re.split("[;\t\n]", after)[1:]), ascii(text)
            assert not re.search("[\r\x1b]", cell), ascii(text)


def test_numbers_and_ordinary_texts_stay_as_they_are_in_a_cell() -> None:
    assert [for_cell(value) for value in (-0.5, None, True, (1, None, "a"), "first\nsecond", 'a,b;"c"')] == [
        "-0.5", "", "True", "1  a", "first\nsecond", 'a,b;"c"',
    ]  # fmt: skip


def test_what_is_logged_is_ready_for_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("tests.hostile")
    log.addFilter(ForTerminal())
    try:
        raise ValueError("\x1b[2J\u202e\rmedpriv: all is well")
    except ValueError:
        log.exception("Run %s failed", "a\x1b]8;;x\n\nb")

    assert "ValueError" in caplog.text
    assert not re.search("[\x1b\r\u202e]", caplog.text)
    assert caplog.messages == ["Run a\ufffd]8;;x  b failed"]
