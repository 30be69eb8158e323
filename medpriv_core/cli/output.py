"""What the commands share: JSON and plain output, and the progress bar."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from typing import Any

from medpriv_core.progress import format_duration

# (sub)parsers as argparse hands them out; it gives that type no public name.
Commands = Any


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Give a command its ``--json``."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def print_json(value: Any) -> None:
    """Print ``value`` as JSON; infinite numbers become null, which JSON has."""
    print(json.dumps(_finite(value), indent=2, allow_nan=False, ensure_ascii=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


class ProgressBar:
    """A progress callback that redraws one line on a terminal, and is brief elsewhere."""

    WIDTH = 28

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._phase = ""
        self._drawn_at = 0.0

    def __call__(self, phase: str, done: int, total: int, seconds_left: float | None = None) -> None:
        now = time.monotonic()
        if phase == self._phase and (not self._terminal or (now - self._drawn_at < 0.1 and done < total)):
            return
        if self._terminal and self._phase and phase != self._phase:
            print(file=sys.stderr)
        self._phase, self._drawn_at = phase, now
        if not self._terminal:
            print(phase, file=sys.stderr)
            return
        filled = round(self.WIDTH * done / total) if total else 0
        bar = "█" * filled + "░" * (self.WIDTH - filled)
        left = f"  {format_duration(seconds_left)} left" if seconds_left else ""
        print(f"\r{bar} {phase}  {done:,} of {total:,}{left}\033[K", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line."""
        if self._terminal and self._phase:
            print(file=sys.stderr)
