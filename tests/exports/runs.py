"""Runs made for tests of exports: the files of finished runs, without any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from medpriv_core.evaluation.predictions import Predictions, write_predictions
from medpriv_core.home import DataHome
from medpriv_core.privacy.spent import spent_at
from medpriv_core.records.outcome import Outcome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.service import Run
from medpriv_core.runs.spent_record import write_record
from medpriv_core.runs.store import RunRow, RunStore
from medpriv_core.runs.summary import read_run
from medpriv_core.spec import RunSpec
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE, TEST_SIZE, rows_of, setup_of, spent_of

__all__ = ["LOCAL", "PLAIN", "PRIVATE", "RUN_ID", "made_run", "put_run", "read"]

RUN_ID = "20260102-030405-abcd"
ACCURACIES = (0.7, 0.8)


def made_run(spec: RunSpec = PLAIN, *, accuracies: Sequence[float] = ACCURACIES, run_id: str = RUN_ID) -> Run:
    """A finished run that is nowhere on the disk."""
    spec = spec.changed(epochs=max(spec.epochs, len(accuracies)))
    rows = rows_of(spec, accuracies)
    row = vars(_row(run_id)).copy()
    for name in ("slot", "position", "cancel_requested", "handle", "launcher"):
        del row[name]
    return Run(
        **row,
        stopping=False,
        place=None,
        spec=spec,
        setup=setup_of(spec),
        last=rows[-1],
        best=max(rows, key=lambda one: one.test.accuracy or 0),
        epochs_done=len(rows),
        has_checkpoint=False,
        imported=False,
        progress={},
        epochs=rows,
        spent=spent_at(rows[-1]),
    )


def put_run(
    home: DataHome,
    spec: RunSpec = PLAIN,
    *,
    run_id: str = RUN_ID,
    accuracies: Sequence[float] = ACCURACIES,
    predictions: bool = True,
    **setup: Any,
) -> RunDirectory:
    """A finished run in the data home, with every file but the checkpoint; ``setup`` adds to ``setup.json``."""
    directory = RunDirectory(home.runs / run_id)
    directory.create(spec)
    more: dict[str, Any] = {"test_class_counts": (64, 96), "medpriv_version": "0.1.0"} | setup
    directory.write_setup(replace(setup_of(spec), **more))
    rows = rows_of(spec, accuracies)
    directory.append_epochs(rows)
    directory.write_outcome(Outcome("finished", None, rows[-1]))
    write_record(directory, spent_of(spec, epochs=len(rows)))
    if predictions:
        labels = np.arange(TEST_SIZE) % 2
        right = np.linspace(0.2, 0.9, TEST_SIZE, dtype=np.float32)
        of_first = np.where(labels == 0, right, 1 - right)
        probabilities = np.stack([of_first, 1 - of_first], axis=1).astype(np.float32)
        write_predictions(directory.path / "predictions.npz", Predictions(len(rows), labels, probabilities))
    RunStore(home).insert([_row(run_id)])
    directory.write_labels({"name": _row(run_id).name, "tags": ["pilot"], "notes": "first\nsecond", "created_at": 1.0})
    return directory


def read(home: DataHome, run_id: str = RUN_ID) -> Run:
    """The run as pages see it."""
    return read_run(home, RunStore(home).get(run_id), place=None)


def _row(run_id: str) -> RunRow:
    return RunRow(
        id=run_id,
        name="Pilot · β = 1",
        state="finished",
        slot="cpu",
        position=1,
        cancel_requested=False,
        handle=None,
        created_at=1_767_323_045.5,
        started_at=1_767_323_046.0,
        ended_at=1_767_323_099.0,
        message=None,
        tags=("pilot",),
        notes="first\nsecond",
        deleted_at=None,
    )
