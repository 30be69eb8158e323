"""What the commands print with: lines of text, JSON, tables and the progress bar.

Nothing else in ``medpriv_core.cli`` prints, so that no name of a run, a file or a class can move a terminal's cursor,
draw a link or begin a line of its own.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from medpriv_core.progress import format_duration
from medpriv_core.shown_text import for_terminal


def say(*lines: object, flush: bool = False) -> None:
    """Print each of these as one line on standard output."""
    for line in lines:
        print(for_terminal(str(line)), flush=flush)


def complain(sentence: object) -> None:
    """Print what is wrong, or what deserves attention, on standard error, as one line that says whose word it is."""
    print(f"medpriv: {for_terminal(str(sentence))}", file=sys.stderr)


def print_table(text: str) -> None:
    """Print a table as ``shown_text.csv_table`` made it, with the line ends of this system."""
    sys.stdout.write(text.replace("\r\n", "\n"))


def print_json(value: Any) -> None:
    """Print ``value`` as JSON in plain ASCII; infinite numbers become null, because JSON has none."""
    print(json.dumps(_finite(value), indent=2, allow_nan=False))


def tell_notes(notes: Iterable[str], *, of: str = "") -> None:
    """Print on standard error what there is to say of a picture that was read; ``of`` names it."""
    for note in notes:
        print(for_terminal(f"Note: {of}: {note}" if of else f"Note: {note}"), file=sys.stderr)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def settings_in_words(settings: Mapping[str, Any]) -> str:
    """Settings as the options call them, in one line.

    >>> settings_in_words({"epochs": 50, "learning_rate": 9.0, "class_weights": (1.0, 0.5), "head_bias": False})
    'epochs 50, learning_rate 9, class_weights 1,0.5, head_bias false'
    """
    return ", ".join(f"{name} {value_in_words(value)}" for name, value in settings.items() if value is not None)


def value_in_words(value: Any) -> str:
    """The value of a setting as its option takes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(value_in_words(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


class ProgressBar:
    """A progress callback on standard error: one line redrawn on a terminal, one line a phase elsewhere.

    To be used in a ``with`` block, so that an error finds the line ended.
    """

    WIDTH = 28
    REDRAW_EVERY_S = 0.1
    KNOWS_AFTER_S = 1.0  # how long a phase has yet to go

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._phase = ""
        self._drawn_at = 0.0
        self._began_at, self._began_with = 0.0, 0  # the phase

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._terminal and self._phase:
            print(file=sys.stderr)

    def __call__(self, phase: str, done: int, total: int, seconds_left: float | None = None) -> None:
        now, phase = time.monotonic(), for_terminal(phase)
        if phase != self._phase:
            self._began_at, self._began_with = now, done
        elif seconds_left is None and self._began_with < done < total and now - self._began_at >= self.KNOWS_AFTER_S:
            # Of a phase that does not know it, by its own pace.
            seconds_left = (now - self._began_at) / (done - self._began_with) * (total - done)
        if phase == self._phase and (
            not self._terminal or (now - self._drawn_at < self.REDRAW_EVERY_S and done < total)
        ):
            return
        if self._terminal and self._phase and phase != self._phase:
            print(file=sys.stderr)
        self._phase, self._drawn_at = phase, now
        if self._terminal:
            print(f"\r{self._line(done, total, seconds_left)}\033[K", end="", file=sys.stderr, flush=True)
        else:
            print(phase, file=sys.stderr)

    def say(self, line: str) -> None:
        """Print a line of its own, on a terminal above the bar."""
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr)
            self._phase = ""  # the line of the bar is used up
        print(for_terminal(line), file=sys.stderr)

    def _line(self, done: int, total: int, seconds_left: float | None) -> str:
        if not total:  # waiting, for nobody knows how long
            return self._phase
        filled = round(self.WIDTH * done / total)
        bar = "█" * filled + "░" * (self.WIDTH - filled)
        left = f"  {format_duration(seconds_left)} left" if seconds_left else ""
        return f"{bar} {self._phase}  {done:,} of {total:,}{left}"
