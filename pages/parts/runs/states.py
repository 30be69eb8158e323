"""What the states of a run are called, and in which colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import DatasetError
from medpriv_core.runs.service import RunSummary
from medpriv_core.runs.store import RunState
from pages.parts.badges import origin_badge

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
    """The state as markdown, where the run comes from if that is not here, and whether its images show patients."""
    badges = [f":{STATE_LABELS[run.state][1]}-badge[{state_word(run)}]"]
    if run.imported:
        badges.append(":gray-badge[from another machine]")
    if run.spec is not None:
        with suppress(DatasetError):  # of a later version
            badges.append(origin_badge(dataset_info(run.spec.dataset)))
    return " ".join(badges)


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
