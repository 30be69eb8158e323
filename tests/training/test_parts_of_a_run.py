"""What a worker says that it is doing, held against what an estimate counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medpriv_core.home import DataHome
from medpriv_core.jobs.process import Reporter
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.run_parts import PHASES, table
from medpriv_core.spec import RunSpec
from medpriv_core.training.worker import run_worker
from tests.small_data import NAME, add_small_dataset

TINY = RunSpec(dataset=NAME, image_size=28, weights="none", epochs=2, batch_size=8, device="cpu")


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "local_dp", "beta": 1.0},
        {"method": "dp_sgd", "target_epsilon": 8.0, "delta": 1e-3},
    ],
    ids=lambda settings: str(settings["method"]),
)
def test_every_part_of_a_run_is_a_part_of_its_estimate(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    said: set[str] = set()
    report = Reporter.__call__

    def listen(self: Reporter, phase: str, done: int, total: int, **more: Any) -> None:
        said.add(phase)
        report(self, phase, done, total, **more)

    monkeypatch.setattr(Reporter, "__call__", listen)
    add_small_dataset(home, tmp_path, train=16, test=8)
    spec = TINY.changed(**settings)
    directory = RunDirectory(home.runs / "r")
    directory.create(spec)
    assert run_worker(directory.path, home) == 0, directory.log_tail()
    parts = {phase: [part for part, begins in PHASES.items() if phase.startswith(begins)] for phase in said}
    assert all(len(found) == 1 for found in parts.values()), parts
    done = {part for found in parts.values() for part in found}
    estimated = table(spec, 16, 8)
    assert done == set(estimated)
    assert all(seconds > 0 for seconds in estimated.values())
