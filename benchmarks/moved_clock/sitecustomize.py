"""A clock that goes wrong, for the processes of a trial: Python loads this when it starts.

``time.time`` and what follows from it are moved by the seconds in the file that ``MEDPRIV_TRIAL_CLOCK`` names, at any
moment and for all processes alike, as when somebody sets the clock of the machine. Monotonic time and the times of
files stay."""

from __future__ import annotations

import os
import time
from typing import Any

FILE = os.environ.get("MEDPRIV_TRIAL_CLOCK")


def move_clock(file: str) -> None:
    """Move the clock of this process by what the file says, and leave a mark that it was moved."""
    real_time, real_ns = time.time, time.time_ns
    real = {name: getattr(time, name) for name in ("localtime", "gmtime", "ctime")}
    real_strftime = time.strftime

    def moved_by() -> float:
        try:
            with open(file, encoding="ascii") as moved:
                return float(moved.read() or 0)
        except (OSError, ValueError):
            return 0.0

    def now() -> float:
        return real_time() + moved_by()

    def of(name: str) -> Any:
        return lambda seconds=None: real[name](now() if seconds is None else seconds)

    time.time = now
    time.time_ns = lambda: real_ns() + int(moved_by() * 10**9)
    for name in real:
        setattr(time, name, of(name))
    time.strftime = lambda form, moment=None: real_strftime(form, time.localtime() if moment is None else moment)
    with open(f"{file}.{os.getpid()}", "w", encoding="ascii"):
        pass


if FILE:
    move_clock(FILE)
