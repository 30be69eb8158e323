"""What the states of a run are called, and in which colour."""

from __future__ import annotations

from collections.abc import Sequence
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

    That is the seed, else when each was submitted, else the end of its id.
    """
    names = {run.id: run.name for run in runs}
    for more in (
        lambda run: f"seed {run.spec.seed}" if run.spec else "",
        lambda run: f"{begun(run):%Y-%m-%d %H:%M:%S}",
        lambda run: run.id[-4:],
    ):
        marks: dict[str, set[str]] = {}
        for run in runs:
            marks.setdefault(names[run.id], set()).add(more(run))
        # A mark that all of one name share says nothing.
        names = {
            run.id: f"{names[run.id]} ({more(run)})" if more(run) and len(marks[names[run.id]]) > 1 else names[run.id]
            for run in runs
        }
    return names
