"""What the states of a run are called, and in which colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import DatasetError
from medpriv_core.runs.health import run_health
from medpriv_core.runs.service import RunSummary
from medpriv_core.runs.store import RunState
from medpriv_core.spec import SETTINGS
from pages.parts.badges import origin_badge
from pages.parts.words import in_words

MOST_DIFFERENCES = 3

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


def outcome_word(run: RunSummary) -> str:
    """The state, and where the training came to nothing, how: "finished, blew up"."""
    finding = run_health(run)
    return state_word(run) if finding is None else f"{state_word(run)}, {finding.title}"


def state_badge(run: RunSummary) -> str:
    """The state as markdown, where the run comes from if that is not here, and whether its images show patients."""
    badges = [f":{STATE_LABELS[run.state][1]}-badge[{state_word(run)}]"]
    if (finding := run_health(run)) is not None:
        badges.append(f":{'red' if finding.kind == 'blown_up' else 'orange'}-badge[{finding.title}]")
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

    That are the settings in which they differ, else when each was submitted, else that and the end of its id.
    """
    names = {run.id: run.name for run in runs}
    for name, often in Counter(names.values()).items():
        if often == 1:
            continue
        alike = [run for run in runs if run.name == name]
        times = [f"{begun(run):%Y-%m-%d %H:%M:%S}" for run in alike]
        ends = [f"{time}, {run.id[-4:]}" for time, run in zip(times, alike, strict=True)]
        marks = next((marks for marks in (differences(alike), times) if len(set(marks)) == often), ends)
        names |= {run.id: f"{name} ({mark})" for run, mark in zip(alike, marks, strict=True)}
    return names


def differences(runs: Sequence[RunSummary]) -> list[str]:
    """For each of these runs, its values of the settings in which they differ; nothing where those are many."""
    specs = [run.spec.canonical() for run in runs if run.spec is not None]
    settings = [name for name in SETTINGS if len({getattr(spec, name) for spec in specs}) > 1]
    if len(specs) < len(runs) or len(settings) > MOST_DIFFERENCES:
        return []
    return [
        ", ".join(f"{SETTINGS[name].label.lower()} {in_words(name, getattr(spec, name))}" for name in settings)
        for spec in specs
    ]
