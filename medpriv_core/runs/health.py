"""What is wrong with a run that has ended, told by the figures of its last epoch; for tables, pages and commands."""

from __future__ import annotations

from medpriv_core.evaluation.health import Finding, judge
from medpriv_core.runs.summary import RunSummary


def run_health(run: RunSummary) -> Finding | None:
    """The worst that is to be said of the network as the run left it; None where nothing is.

    Nothing of a run that still trains: many a sound one begins wildly.
    """
    counts = run.setup.get("test_class_counts")
    if not run.ended or run.spec is None or not run.last or not isinstance(counts, list):
        return None
    return judge(run.last, run.spec, class_counts=counts)
