"""Runs in a data home that were written and not trained."""

from __future__ import annotations

from collections.abc import Sequence

from medpriv_core.home import DataHome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunState, RunStore
from medpriv_core.spec import RunSpec
from tests.results.chosen_results import rows_of, setup_of


def store_run(
    home: DataHome,
    run_id: str,
    spec: RunSpec,
    accuracies: Sequence[float] = (0.7, 0.8),
    *,
    auroc: float | None = 0.9,
    tags: Sequence[str] = (),
    state: RunState = "finished",
) -> RunDirectory:
    """A run under this id in ``state``, with these test accuracies."""
    directory = RunDirectory(home.runs / run_id)
    directory.create(spec)
    directory.write_setup(setup_of(spec))
    directory.append_epochs(rows_of(spec, accuracies, auroc))
    store = RunStore(home)
    store.add(run_id, name=f"name of {run_id}", slot="cpu", tags=tags)
    if state != "queued":
        store.claim_next()
    if state not in ("queued", "running"):
        store.end(run_id, state, None)
    return directory
