"""What the states of a run are called, and in which colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from medpriv_core.runs.service import RunSummary
from medpriv_core.runs.store import RunState

STATE_LABELS: dict[RunState, tuple[str, str]] = {
    "queued": ("waiting", "gray"),
    "running": ("running", "blue"),
    "finished": ("finished", "green"),
    "failed": ("failed", "red"),
    "cancelled": ("stopped", "orange"),
}

# What may tell runs of one name apart, the plainest first.
MARKS: tuple[Callable[[RunSummary], str], ...] = (
    lambda run: f"seed {run.spec.seed}" if run.spec else "no settings",
    lambda run: f"{begun(run):%Y-%m-%d %H:%M:%S}",
    lambda run: f"{begun(run):%Y-%m-%d %H:%M:%S}, {run.id[-4:]}",
)


def state_word(run: RunSummary) -> str:
    """The state in one word."""
    return "stopping" if run.stopping else STATE_LABELS[run.state][0]


def state_badge(run: RunSummary) -> str:
    """The state as markdown, and where the run comes from if that is not here."""
    elsewhere = " :gray-badge[from another machine]" if run.imported else ""
    return f":{STATE_LABELS[run.state][1]}-badge[{state_word(run)}]{elsewhere}"


def begun(run: RunSummary) -> datetime:
    """When it was submitted, in this machine's time."""
    return datetime.fromtimestamp(run.created_at)


def distinct_names(runs: Sequence[RunSummary]) -> dict[str, str]:
    """What to call each of these runs, by id: its name, and where several have the same, what tells them apart.

    That is the seed, else when each was submitted, else that and the end of its id.
    """
    names = {run.id: run.name for run in runs}
    for name, often in Counter(names.values()).items():
        if often == 1:
            continue
        alike = [run for run in runs if run.name == name]
        for mark_of in MARKS:
            marks = [mark_of(run) for run in alike]
            if len(set(marks)) == often:
                break
        names |= {run.id: f"{name} ({mark})" for run, mark in zip(alike, marks, strict=True)}
    return names
