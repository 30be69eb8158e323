"""What is wrong with a run that has ended, told by the figures of its last epoch; for tables, pages and commands."""

from __future__ import annotations

from dataclasses import replace

from medpriv_core.evaluation.health import Finding, judge
from medpriv_core.runs.summary import RunSummary

SETTLED_EPOCHS = 3
OTHER_WEIGHTS = "The weights that it began with do not look trained, which is the likely reason; choose others."


def run_health(run: RunSummary) -> Finding | None:
    """The worst that is to be said of the network as the run left it; None where nothing is.

    Of a run that still trains only that it has blown up, and not before a fifth of its epochs: many a sound one begins
    wildly.
    """
    counts = run.setup.test_class_counts
    if run.spec is None or not run.last or counts is None:
        return None
    if not run.ended and run.epochs_done < max(SETTLED_EPOCHS, run.spec.epochs / 5):
        return None
    finding = judge(run.last, run.spec, class_counts=counts)
    if finding is not None and finding.kind in ("one_class", "guessing") and run.setup.weights_doubt:
        finding = replace(finding, advice=OTHER_WEIGHTS)
    return finding if run.ended or (finding is not None and finding.kind == "blown_up") else None
