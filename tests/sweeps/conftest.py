"""A data home without a runner: runs stay as the test leaves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from medpriv_core.datasets.registry import list_datasets
from medpriv_core.home import DataHome
from medpriv_core.records.epoch import read_row
from medpriv_core.records.setup import Setup
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunState, RunStore
from medpriv_core.spec import RunSpec

EndRun = Callable[..., None]


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    monkeypatch.delenv("MEDPRIV_WEIGHTS", raising=False)


@pytest.fixture
def end_next(home: DataHome) -> EndRun:
    """Lets the next run of the queue end in this state, with what its worker would have recorded."""

    def end(state: RunState = "finished", *, setup: dict[str, Any] | None = None) -> None:
        store = RunStore(home)
        row = store.claim_next()
        assert row is not None
        directory = RunDirectory(home.runs / row.id)
        spec = directory.read_spec()
        (entry,) = (entry for entry in list_datasets(home) if entry.info.name == spec.dataset)
        counts = {
            "train_size": entry.train,
            "test_size": entry.test,
            "train_class_counts": list(entry.train_counts or ()),
            "test_class_counts": list(entry.test_counts or ()),
        }
        directory.write_setup(Setup.from_dict(counts | (recorded(spec) if setup is None else setup)))
        if state == "finished":
            last = {"epoch": spec.epochs, "test_accuracy": 0.5, "steps": 10 * spec.epochs, "delta": spec.delta}
            directory.append_epoch(read_row(last | {"epsilon": 1.0}))
        store.end(row.id, state, "It broke." if state == "failed" else None)

    return end


def recorded(spec: RunSpec) -> dict[str, Any]:
    """What the guarantee of a sound DP-SGD run rests on, 640 images in batches of 64."""
    if spec.method != "dp_sgd":
        return {}
    facts = {
        "sampling": "poisson",
        "sample_rate": 0.1,
        "steps_per_epoch": 10,
        "noise_multiplier": spec.noise_multiplier,
        "earlier_segments": [],
        "clipped_together": 1,
        "mixing_layers": [],
        "divisor": "expected",
    }
    return {"guarantee": facts}
