"""Which jobs there are, each with the function that does it.

Such a function takes the data home, what reports progress (``jobs.process.Reporter``, whose ``result`` it fills), and
the settings that the job was started with, by keyword. It calls the reporter between two steps.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from medpriv_core.errors import JobError
from medpriv_core.extras import require

# By module and name: most are in rooms above this one, and only the process of the job loads them.
JOBS: dict[str, str] = {
    "fetch": "medpriv_core.datasets.fetching:fetch",
    "membership": "medpriv_core.training.membership:attack_in_job",
    "own": "medpriv_core.datasets.own.adding:add_in_job",
    "prior": "medpriv_core.priors.learning:learn_from",
    "weights": "medpriv_core.training.released_weights:release_all",
}


def check_kind(kind: str) -> None:
    """Raise ``JobError`` for a job that is not known, and ``MissingExtraError`` for one that needs more packages."""
    if kind not in JOBS:
        raise JobError(f"This medpriv knows no job of the kind {kind!r}; there are {', '.join(sorted(JOBS))}.")
    if JOBS[kind].startswith("medpriv_core.training."):
        require("train")


def load(kind: str) -> Callable[..., None]:
    """The function that does the jobs of a kind; raises as ``check_kind``."""
    check_kind(kind)
    module, _, name = JOBS[kind].partition(":")
    function: Callable[..., None] = getattr(import_module(module), name)
    return function
