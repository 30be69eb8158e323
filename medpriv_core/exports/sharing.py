"""A run as it may be handed on: every export writes what ``shared_run`` leaves of it, and nothing else.

Of a DP-SGD run that is what its epsilon covers (``medpriv_core.privacy.coverage``). Other runs are handed on whole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from medpriv_core.privacy.coverage import is_withheld
from medpriv_core.runs.service import Run, RunSummary

AnyRun = TypeVar("AnyRun", bound=RunSummary)


def shared_run(run: AnyRun, *, with_training_figures: bool = False) -> AnyRun:
    """The run with those of its figures, facts and times that an export may hold.

    All of them ``with_training_figures``: then the export must say that epsilon does not cover them.
    """
    if with_training_figures or not is_withheld(run.spec):
        return run
    changes: dict[str, Any] = {name: getattr(run, name).covered_part() for name in ("setup", "last", "best")}
    if isinstance(run, Run):
        changes["epochs"] = [row.covered_part() for row in run.epochs]
    if run.spent is not None:
        # A digest confirms a guess at what it is made of, and the checkpoint has the training figures in it.
        changes["spent"] = replace(run.spent, checkpoint=None)
    return replace(run, **changes, started_at=None, ended_at=None)
