"""Finished epochs on their way to the disk: first record and checkpoint that count their steps, then what people see.

An epoch's figures and predictions are a release, so nobody may see them before the ledger on the disk covers their
steps. A checkpoint waits for the disk, though, and an epoch of one small step takes milliseconds. So epochs are
gathered and written together, about once a second; of their predictions, those of the last one. Epochs that a kill
loses were never shown: they are trained anew.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace

from medpriv_core.errors import RunError
from medpriv_core.evaluation.predictions import FILE_NAME, Predictions, read_predictions, write_predictions
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spent_record import digest_of, write_checkpoint_and_record
from medpriv_core.training.checkpoint import Checkpoint, pack_checkpoint
from medpriv_core.training.session import Session

WRITE_EVERY_S = 1.0


class Journal:
    """Writes the epochs of one session; ``session.rows`` are those that a checkpoint holds."""

    def __init__(self, session: Session, directory: RunDirectory, *, log: Callable[[EpochRow], None]) -> None:
        self._session = session
        self._directory = directory
        self._log = log
        self._held: list[EpochRow] = []
        self._finished: Checkpoint | None = None  # the session at the end of the last epoch held
        self._predictions: Predictions | None = None  # of the last epoch held
        self._written_at = -WRITE_EVERY_S
        written = {row.epoch for row in directory.read_epochs()}
        # A kill between checkpoint and metrics leaves lines missing.
        missing = [row for row in session.rows if row.epoch not in written]
        if missing:
            directory.append_epochs(missing)

    @property
    def lacks_predictions(self) -> bool:
        """Whether the last epoch on the disk has no predictions there: a kill came between, or they were lost."""
        if not self._session.rows:
            return False
        try:
            predictions = read_predictions(self._directory.path / FILE_NAME)
        except RunError:
            return True
        return predictions is None or predictions.epoch != self._session.rows[-1].epoch

    def add(self, row: EpochRow, predictions: Predictions) -> None:
        """Take a finished epoch, whose end is the session's present state; write it now, or within a second."""
        self._held.append(row)
        self._finished = _frozen(self._session.checkpoint())
        self._predictions = predictions
        self.write_due()

    def write_due(self) -> None:
        """Write the epochs held if they have waited long enough; to be called now and then."""
        if self._held and time.monotonic() - self._written_at >= WRITE_EVERY_S:
            self.write_held()

    def write_held(self) -> None:
        """Write the epochs held, with the state in which the last of them ended."""
        if self._held:
            assert self._finished is not None
            self._write(self._finished)

    def replace_predictions(self, predictions: Predictions) -> None:
        """Write the predictions of the last epoch on the disk."""
        write_predictions(self._directory.path / FILE_NAME, predictions)

    def save(self) -> None:
        """Write the epochs held and the session as it stands, perhaps within an epoch."""
        self._write(self._session.checkpoint())

    def _write(self, checkpoint: Checkpoint) -> None:
        self._directory.check_there()
        rows = self._held
        content = pack_checkpoint(replace(checkpoint, rows=[*self._session.rows, *rows]))
        spent = self._session.spent_by(checkpoint, digest=digest_of(content))
        if self._session.enter is not None:
            self._session.enter(spent)
        write_checkpoint_and_record(self._directory, content, spent)
        self._session.spent = spent
        self._session.rows += rows
        self._held, self._finished = [], None
        if rows:
            self._directory.append_epochs(rows)
        if self._session.confirm is not None:
            self._session.confirm(spent)
        if self._predictions is not None:
            self.replace_predictions(self._predictions)
            self._predictions = None
        for row in rows:
            self._log(row)
        self._written_at = time.monotonic()


def _frozen(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint as it is now: training goes on changing the tensors in place."""
    values = {name: copy.deepcopy(value) for name, value in vars(checkpoint).items() if name != "rows"}
    return replace(checkpoint, **values)
