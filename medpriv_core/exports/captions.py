"""What stands below an exported chart of runs: what they were, and the epsilon that holds for each, in full."""

from __future__ import annotations

from collections.abc import Sequence

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import MedprivError
from medpriv_core.privacy.coverage import INCLUDED, SHORT, is_withheld
from medpriv_core.results.guarantee import held_guarantee
from medpriv_core.runs.service import RunSummary

MOST_LINES = 12


def describe_runs(runs: Sequence[RunSummary], *, with_training_figures: bool = False) -> list[str]:
    """A statement for each of the first dozen runs: name, settings, guarantee; what they are when they are more.

    Where some are private, the last one says what the chart leaves out, or that it does not.
    """
    lines = [_describe(run) for run in runs[:MOST_LINES]]
    if len(runs) > MOST_LINES:
        lines.append(
            f"{len(runs) - MOST_LINES} more runs; the table of runs has the ε of each with what it depends on."
        )
    if any(is_withheld(run.spec) for run in runs):
        lines.append(INCLUDED if with_training_figures else SHORT)
    return lines


def _describe(run: RunSummary) -> str:
    if run.spec is None:
        return f"{run.name}: its settings cannot be read."
    spec = run.spec
    facts = f"{spec.image_size} pixels, epoch {run.epochs_done} of {spec.epochs}, seed {spec.seed}"
    try:
        synthetic = ", SYNTHETIC images" if dataset_info(spec.dataset).synthetic else ""
        holds = "no epoch yet" if run.kept_nothing else held_guarantee(spec, run.setup, run.spent).statement
    except MedprivError as error:
        return f"{run.name} ({facts}): {error}"
    return f"{run.name} ({facts}{synthetic}): {holds}."
