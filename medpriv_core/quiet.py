"""Whether a measured time means anything: in alternation, by paired ratios, and not on a machine that is busy.

A ratio of two times is only as good as the minute in which they were taken. One task measured after the other has
compared a quiet minute with a busy one; so tasks take turns, a step of each, and every pair of neighbours gives a ratio
of its own. Their median counts, and their spread says how far to trust it. Where other processes, or other machines on
the same host, took processor time meanwhile, no spread can tell what it would have been: then no verdict is given.

What others used is measured, not guessed from the load average, which knows of the last minute only and counts the
measurement itself: the time that all processors were at work, less what this process and its descendants used (Linux,
/proc). Elsewhere the load average has to do.

>>> paired_ratio([2.0, 4.1, 2.2], [1.0, 2.0, 1.0])
Ratio(median=2.05, low=2.0, high=2.2)
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

NO_VERDICT = 3  # exit code
# Shares of all processor time that others may use, and that the host may withhold.
OTHERS_ALLOWED, STOLEN_ALLOWED = 0.05, 0.02
# Load a core before the measurement where nothing better is known.
LOAD_ALLOWED = 0.3
# Highest less lowest of the paired ratios, as a share of their median.
SPREAD_ALLOWED = 0.25
PROC = Path("/proc")


class Ratio(NamedTuple):
    """Of paired ratios the median, the lowest and the highest."""

    median: float
    low: float
    high: float

    @property
    def steady(self) -> bool:
        """Whether they agree well enough for the median to be believed."""
        return self.high - self.low <= SPREAD_ALLOWED * self.median

    def __str__(self) -> str:
        return f"{self.median:.2f} × ({self.low:.2f} to {self.high:.2f})"


class Reading(NamedTuple):
    """The processor time of the machine at a moment, in seconds; None where the system does not tell.

    own     of this process and its descendants, as far as they live or were waited for
    busy    of all processes on all cores
    stolen  that the host gave to other machines
    load    average number of processes that ran or wanted to, over the last minute
    """

    own: float
    busy: float | None
    stolen: float | None
    load: float | None


@dataclass(frozen=True)
class Use:
    """Who used the processors during a measurement.

    others  by other processes, in cores (1.3: one core and a third of another); None where it is not known
    stolen  by other machines on the same host, in cores; None where it is not known
    load    load average before it
    """

    cores: int
    others: float | None
    stolen: float | None
    load: float | None

    @property
    def disturbed(self) -> str | None:
        """The sentence that says why no verdict can be given; None where the machine was quiet."""
        doubt = "so no verdict is given. Stop what else is running, and measure again."
        if self.others is not None and self.others > OTHERS_ALLOWED * self.cores:
            return (
                f"The machine was busy: other processes used {self.others:.2f} of {self.cores} cores during the "
                f"measurement ({OTHERS_ALLOWED * self.cores:.2f} are allowed), {doubt}"
            )
        if self.stolen is not None and self.stolen > STOLEN_ALLOWED * self.cores:
            return (
                f"The machine's host was busy: it withheld {self.stolen:.2f} of {self.cores} cores during the "
                f"measurement ({STOLEN_ALLOWED * self.cores:.2f} are allowed), so no verdict is given. Measure again "
                "at another time, or on another machine."
            )
        if self.others is None and self.load is not None and self.load > LOAD_ALLOWED * self.cores:
            return (
                f"The machine was busy: its load average was {self.load:.1f} on {self.cores} cores before the "
                f"measurement ({LOAD_ALLOWED * self.cores:.1f} is allowed), {doubt}"
            )
        return None

    def __str__(self) -> str:
        if self.others is None:
            return "What other processes used is not known here."
        stolen = f"; withheld by the host: {self.stolen:.2f}" if self.stolen else ""
        return f"Used by other processes during the measurement: {self.others:.2f} of {self.cores} cores{stolen}."


class Watch:
    """Looks at the machine from its making on; ``clock`` and ``read`` are for tests."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        read: Callable[[], Reading] | None = None,
        cores: int | None = None,
    ) -> None:
        self._clock, self._read = clock, read or read_machine
        self._cores = cores or os.cpu_count() or 1
        self._begun, self._before = self._clock(), self._read()

    def use(self) -> Use:
        """Who used the processors since."""
        took, after = max(self._clock() - self._begun, 1e-9), self._read()
        busy, stolen = (
            None if now is None or then is None else now - then
            for now, then in ((after.busy, self._before.busy), (after.stolen, self._before.stolen))
        )
        others = None if busy is None else max(0.0, busy - (after.own - self._before.own)) / took
        return Use(self._cores, others, None if stolen is None else stolen / took, self._before.load)


def alternate(tasks: Sequence[Callable[[], float]], *, rounds: int) -> list[list[float]]:
    """The seconds that each task says it took, one list a task: first of each one, then of each the next."""
    times: list[list[float]] = [[] for _ in tasks]
    for _ in range(rounds):
        for of_task, task in zip(times, tasks, strict=True):
            of_task.append(task())
    return times


def timed(task: Callable[[], object]) -> Callable[[], float]:
    """A task that says how many seconds it took."""

    def run() -> float:
        begun = time.perf_counter()
        task()
        return time.perf_counter() - begun

    return run


def paired_ratio(times: Sequence[float], floors: Sequence[float]) -> Ratio:
    """Each time against the floor that was measured beside it."""
    ratios = [took / floor for took, floor in zip(times, floors, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def read_machine() -> Reading:
    """What the system says of processor time so far."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    try:
        ticks = os.sysconf("SC_CLK_TCK")
        user, nice, system, _idle, _wait, irq, softirq, stolen = (
            int(number) / ticks for number in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]
        )
        own = _of_descendants(os.getpid()) / ticks
    except (OSError, ValueError, AttributeError):
        times = os.times()
        return Reading(times.user + times.system + times.children_user + times.children_system, None, None, load)
    return Reading(own, user + nice + system + irq + softirq, stolen, load)


def _of_descendants(root: int) -> int:
    """Processor time of a process and all below it, in ticks, with that of children that were waited for."""
    children: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                # The name of the program stands in brackets and may hold anything.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            used[int(entry.name)] = sum(map(int, fields[11:15]))
    total, pending = 0, [root]
    while pending:
        process = pending.pop()
        total += used.get(process, 0)
        pending += children.get(process, [])
    return total
