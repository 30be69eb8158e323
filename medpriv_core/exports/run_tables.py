"""Runs and their epochs as CSV tables, for spreadsheets and statistics programs.

Runs and their figures are named by people, and a spreadsheet takes some names for formulas, so all cells are written by
``shown_text.csv_table``. Each epsilon has its delta, adjacency, sampling and accountant beside it, and is the one that
holds for what was recorded. Infinite numbers are written as "inf".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from medpriv_core.errors import MedprivError
from medpriv_core.exports.sharing import shared_run
from medpriv_core.privacy.coverage import INCLUDED, SHORT, is_withheld
from medpriv_core.results.guarantee import HeldGuarantee, held_guarantee
from medpriv_core.runs.service import Run, RunSummary
from medpriv_core.shown_text import csv_table
from medpriv_core.spec import SETTINGS

SPEC_COLUMNS = tuple(SETTINGS)
SETUP_COLUMNS = ("train_size", "test_size", "majority_rate", "parameters", "medpriv_version", "torch_version")
GUARANTEE_COLUMNS = (
    "steps",
    "stopped",
    "epsilon",
    "delta",
    "protects",
    "adjacency",
    "sampling",
    "accountant",
    "guarantee",
)
COVERAGE = "coverage"
# Of a row of metrics.jsonl; they stand under "epsilon" in the run's own columns, or are no figures.
# ``steps`` and ``epsilon`` are those of the network, which may have been stopped after its last row.
_NO_FIGURES = {"epoch", "epsilon", "delta"}


def runs_csv(runs: Sequence[RunSummary], *, with_training_figures: bool = False) -> str:
    """One line a run, with a header: what it is called, its settings, last and best figures, and its guarantee.

    ``best_`` marks the epoch with the best test accuracy: chosen on the test images, so it flatters the run. Of a
    DP-SGD run, cells of figures that epsilon does not cover are empty, unless ``with_training_figures``; the column
    ``coverage`` says which it is.
    """
    runs = [shared_run(run, with_training_figures=with_training_figures) for run in runs]
    figures = _figure_names(row.to_dict() for run in runs for row in (run.last, run.best))
    lines = [_about(run) | _settings(run) | _facts(run) | _figures(run, figures) for run in runs]
    # Settings and figures that share a name with what holds are told apart by a prefix.
    names = ["run", "name", "tags", "notes", "state", "created", "started", "ended"]
    names += [f"spec_{name}" for name in SPEC_COLUMNS] + list(SETUP_COLUMNS) + list(GUARANTEE_COLUMNS)
    names += [f"{which}_{name}" for which in ("last", "best") for name in ("epoch", *figures)]
    return csv_table([*names, COVERAGE], _with_coverage(zip(runs, lines, strict=True), with_training_figures))


def epochs_csv(runs: Sequence[Run], *, with_training_figures: bool = False) -> str:
    """One line for every finished epoch of these runs, with a header; ``epsilon`` as the run's ledger had it then.

    What epsilon does not cover is left out as in ``runs_csv``.
    """
    runs = [shared_run(run, with_training_figures=with_training_figures) for run in runs]
    own = ["run", "name", "method"]
    figures = [name for name in _figure_names(row.to_dict() for run in runs for row in run.epochs) if name not in own]
    names = [*own, "epoch", *figures, "epsilon", "delta"]
    lines = []
    for run in runs:
        method = run.spec.method if run.spec else None
        for row in run.epochs:
            about = {"run": run.id, "name": run.name, "method": method, "epsilon": row.epsilon}
            lines.append((run, row.to_dict() | about))
    return csv_table([*names, COVERAGE], _with_coverage(lines, with_training_figures))


def _with_coverage(
    lines: Iterable[tuple[RunSummary, Mapping[str, Any]]], with_training_figures: bool
) -> Iterator[dict[str, Any]]:
    """The lines with what each leaves out of its run, or that it does not."""
    said = INCLUDED if with_training_figures else SHORT
    for run, line in lines:
        yield dict(line) | {COVERAGE: said if is_withheld(run.spec) else None}


def _about(run: RunSummary) -> dict[str, Any]:
    return {
        "run": run.id,
        "name": run.name,
        "tags": ", ".join(run.tags),
        "notes": run.notes,
        "state": run.state,
        "created": _when(run.created_at),
        "started": _when(run.started_at),
        "ended": _when(run.ended_at),
    }


def _settings(run: RunSummary) -> dict[str, Any]:
    if run.spec is None:
        return {}
    values = run.spec.to_dict()
    values["weights"] = PurePath(values["weights"]).name  # where it lies is the business of its owner
    return {f"spec_{name}": value for name, value in values.items()}


def _facts(run: RunSummary) -> dict[str, Any]:
    facts: dict[str, Any] = {name: getattr(run.setup, name) for name in SETUP_COLUMNS}
    if run.spent is not None:
        facts |= {"steps": run.spent.steps, "stopped": run.spent.place}
    if held := _held(run):
        facts |= {
            "epsilon": held.epsilon,
            "delta": held.delta,
            "protects": held.unit,
            "adjacency": held.adjacency,
            "sampling": held.sampling,
            "accountant": held.accountant,
            "guarantee": held.statement,
        }
    return facts


def _held(run: RunSummary) -> HeldGuarantee | None:
    """What holds for a run that has trained; None for one whose files do not say."""
    if run.spec is None or run.kept_nothing:
        return None
    try:
        return held_guarantee(run.spec, run.setup, run.spent)
    except MedprivError:
        return None  # of a dataset that this version does not know


def _figures(run: RunSummary, names: Sequence[str]) -> dict[str, Any]:
    rows = {"last": run.last.to_dict(), "best": run.best.to_dict()}
    return {f"{which}_{name}": row.get(name) for which, row in rows.items() for name in ("epoch", *names)}


def _figure_names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """All figures that any row has, in the order of their first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row if name not in _NO_FIGURES))


def _when(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
