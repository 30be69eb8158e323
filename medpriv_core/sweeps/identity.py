"""Which runs are there already, so that a sweep need not train them again.

What makes two specifications one run says ``RunSpec.canonical``. The noise of a private run is never the same twice,
but a finished one is as good as another with the same settings, and taking it instead of a second one spends no
privacy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.errors import WeightsError
from medpriv_core.runs.spent_journal import recorded_steps
from medpriv_core.runs.summary import RunSummary
from medpriv_core.spec import RunSpec
from medpriv_core.weights_source import resolve_weights


def identity(spec: RunSpec) -> RunSpec:
    """The canonical specification of the run that ``spec`` would be if it were queued here and now."""
    with suppress(WeightsError):  # told when it is queued
        spec = spec.changed(weights=resolve_weights(spec.weights))
    return spec.canonical()


def reusable_runs(runs: Iterable[RunSummary], entries: Mapping[str, DatasetEntry]) -> dict[RunSpec, RunSummary]:
    """The runs that can stand in for one of the same ``identity``: finished ones, then those still on their way.

    Not those of other images under the same name, nor DP-SGD runs that did not record what their guarantee rests on,
    nor imported ones: nobody here knows how those were trained.
    """
    found: dict[RunSpec, RunSummary] = {}
    for state in ("finished", "running", "queued"):
        for run in runs:
            if run.state != state or run.stopping or run.imported:
                continue
            if run.spec is None or not _same_images(run, entries):
                continue
            if state == "finished" and run.spec.method == "dp_sgd" and recorded_steps(run) is None:
                continue
            found.setdefault(run.spec.canonical(), run)
    return found


def _same_images(run: RunSummary, entries: Mapping[str, DatasetEntry]) -> bool:
    assert run.spec is not None
    entry, counts = entries.get(run.spec.dataset), run.setup.train_class_counts
    content = run.setup.content
    if content is not None and entry is not None and entry.content is not None:
        return content == entry.content
    if entry is None or counts is None:  # it has not begun, and will read what is there now
        return entry is not None and run.state != "finished"
    return (counts, run.setup.test_class_counts) == (entry.train_counts or (), entry.test_counts or ())
