"""How long work tells where it is, and how it is told to stop.

A function that takes a while accepts ``progress: ProgressCallback`` and calls it often (at least
once a batch or file). To cancel the work, the callback raises ``Cancelled``; the function lets it
through after removing what it had half written.
"""

from __future__ import annotations

from typing import Protocol


class ProgressCallback(Protocol):
    """Called with a phase in plain words ("Reading images") and counts of the same unit."""

    def __call__(self, phase: str, done: int, total: int) -> None: ...


class Cancelled(Exception):
    """The user stopped the work. Not an error: nothing is wrong, nothing is to be reported."""


def no_progress(phase: str, done: int, total: int) -> None:
    """A callback for callers that do not show progress."""


def format_duration(seconds: float) -> str:
    """Seconds in words a person would use: "45 s", "3 min", "2 h 5 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
