"""JSON, and progress on a terminal and elsewhere."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from contextlib import redirect_stderr

import pytest

from medpriv_core.cli.output import ProgressBar, print_json


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def drawn(draw: Callable[[ProgressBar], None], screen: io.StringIO) -> str:
    with redirect_stderr(screen), ProgressBar() as bar:
        draw(bar)
    return screen.getvalue()


def test_infinite_numbers_become_null_and_letters_are_readable_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": math.inf, "b": [1.5, math.nan], "c": ("ε", {"d": -math.inf})})
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": None, "b": [1.5, None], "c": ["ε", {"d": None}]}
    assert out.isascii()


def test_elsewhere_a_phase_has_one_line() -> None:
    def draw(bar: ProgressBar) -> None:
        for done in range(50):
            bar("Reading", done, 50)
        bar.say("a line")
        bar("Reading", 50, 50)
        bar("Training", 0, 3)

    assert drawn(draw, io.StringIO()) == "Reading\na line\nTraining\n"


def test_on_a_terminal_the_bar_grows() -> None:
    def draw(bar: ProgressBar) -> None:
        bar("Reading", 0, 2000, 90)
        bar("Reading", 2000, 2000)

    assert drawn(draw, Terminal()) == (
        f"\r{'░' * 28} Reading  0 of 2,000  2 min left\033[K\r{'█' * 28} Reading  2,000 of 2,000\033[K\n"
    )


def test_on_a_terminal_it_is_not_redrawn_for_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr("medpriv_core.cli.output.time.monotonic", lambda: 100 + next(clock) / 1000)

    def draw(bar: ProgressBar) -> None:
        for done in range(500):  # half a second
            bar("Reading", done, 1000)

    assert 4 <= drawn(draw, Terminal()).count("\r") <= 7


def test_what_does_not_tell_how_long_it_takes_is_told_by_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("medpriv_core.cli.output.time.monotonic", lambda: now[0])

    def draw(bar: ProgressBar) -> None:
        bar("Drawing", 10, 100)
        now[0] += 0.5
        bar("Drawing", 15, 100)  # too early to tell
        now[0] += 9.5
        bar("Drawing", 40, 100)

    lines = drawn(draw, Terminal()).split("\r")
    assert ["left" in line for line in lines[1:]] == [False, False, True]
    assert "20 s left" in lines[-1]


def test_on_a_terminal_waiting_has_no_bar_and_a_line_takes_its_place() -> None:
    def draw(bar: ProgressBar) -> None:
        bar("Waiting", 0, 0)
        bar.say("epoch 1")
        bar("Training", 1, 2)

    assert drawn(draw, Terminal()) == (
        f"\rWaiting\033[K\r\033[Kepoch 1\n\r{'█' * 14}{'░' * 14} Training  1 of 2\033[K\n"
    )


def test_an_error_finds_the_line_ended() -> None:
    def draw(bar: ProgressBar) -> None:
        bar("Reading", 1, 2)
        raise ValueError("broken")

    screen = Terminal()
    with pytest.raises(ValueError, match="broken"):
        drawn(draw, screen)
    assert screen.getvalue().endswith("\n")
