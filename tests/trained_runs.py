"""Finished runs in a data home, trained in this process on a small dataset within seconds."""

from __future__ import annotations

from medpriv_core.home import DataHome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.service import name_run
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from tests.small_data import NAME

TINY = RunSpec(dataset=NAME, image_size=28, weights="none", epochs=2, batch_size=30, device="cpu")


def train_run(home: DataHome, run_id: str, spec: RunSpec = TINY) -> RunDirectory:
    """A finished run under this id, as runner and worker leave it."""
    from medpriv_core.training.worker import run_worker

    store, directory = RunStore(home), RunDirectory(home.runs / run_id)
    directory.create(spec)
    store.add(run_id, name=name_run(spec), slot="cpu")
    assert store.claim_next()
    assert run_worker(directory.path, home) == 0
    store.end(run_id, "finished", None)
    return directory
