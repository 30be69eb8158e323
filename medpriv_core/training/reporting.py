"""Telling the pages where the worker is, and the worker that it was told to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from medpriv_core.progress import Cancelled
from medpriv_core.runs.directory import RunDirectory

WRITE_EVERY_S = 0.4


class Reporter:
    """A progress callback that writes ``progress.json`` and raises ``Cancelled`` once ``should_stop`` says so.

    The file is written when the phase changes and otherwise every 0.4 seconds at most.
    """

    def __init__(self, directory: RunDirectory, *, should_stop: Callable[[], bool]) -> None:
        self._directory = directory
        self._should_stop = should_stop
        self._phase = ""
        self._phase_began_at = 0.0
        self._written_at = 0.0

    def __call__(self, phase: str, done: int, total: int, *, seconds_left: float | None = None) -> None:
        if self._should_stop():
            raise Cancelled
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._phase_began_at, self._written_at = phase, now, -math.inf
        if now - self._written_at >= WRITE_EVERY_S:
            self._written_at = now
            if seconds_left is None and 0 < done < total:
                # Of a phase that cannot know the whole run, at least its own end.
                seconds_left = (now - self._phase_began_at) / done * (total - done)
            self._directory.write_progress(phase=phase, done=done, total=total, seconds_left=seconds_left)
