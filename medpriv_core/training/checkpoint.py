"""The checkpoint: all that a run needs to go on where it stopped, privacy ledger included.

It is replaced by rename, so a reader finds the old one or the new one and never half of one, and always together with
the record of what it has spent (``medpriv_core.runs.spent_record``). Both are written *before* the lines in
``metrics.jsonl`` of the epochs that they are the first to hold, and the checkpoint holds all lines so far: a kill in
between loses nothing, and no released epoch is ever missing from the ledger. No seed and no state of the generators
that drew the mechanism's noise is in it.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from medpriv_core.errors import RunError
from medpriv_core.privacy.steps import Steps, steps_from_json, steps_to_json
from medpriv_core.records.epoch import EpochRow, read_row
from medpriv_core.strict_json import open_regular


@dataclass
class Position:
    """How far a run is: whole epochs, steps in the epoch under way, and that epoch's running sums."""

    epochs_done: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    epoch_s: float = 0.0  # time spent on the steps of the epoch under way
    elapsed_s: float = 0.0  # on steps and evaluations since the run began


@dataclass(frozen=True)
class Checkpoint:
    """What ``checkpoint.pt`` holds.

    trained    state dict of the trained part: the last layer, or the whole network
    backbone   fingerprint of the frozen rest; None if the whole network is in ``trained``
    optimizer  state dict of SGD (momentum)
    settings   the settings that must not change when the run goes on
    dataset    content key of the prepared dataset
    position   fields of ``Position``
    ledger     DP-SGD: all steps taken
    rows       the finished epochs, in the file as in ``metrics.jsonl``
    average    state of ``WeightAverage``; None where nothing is averaged
    """

    trained: dict[str, Tensor]
    backbone: str | None
    optimizer: dict[str, Any]
    settings: dict[str, Any]
    dataset: str
    position: dict[str, Any]
    ledger: tuple[Steps, ...] = ()
    rows: list[EpochRow] = field(default_factory=list)
    average: dict[str, Any] | None = None


def pack_checkpoint(checkpoint: Checkpoint) -> memoryview:
    """The bytes of the file, for ``spent_record.write_checkpoint_and_record``."""
    # In memory, because torch's own writer hides a full disk in an internal error, and for the record's digest.
    content = io.BytesIO()
    plain = {"ledger": steps_to_json(checkpoint.ledger), "rows": [row.to_dict() for row in checkpoint.rows]}
    torch.save(vars(checkpoint) | plain, content)
    return content.getbuffer()


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint at ``path``, None if there is none yet; raises ``RunError`` if it is damaged.

    Whether it is the one that its record was written for is ``runs.resume_checks``'s to say. A checkpoint of an earlier
    version has no record, so its own sums are looked at here, which torch passes over.
    """
    if not path.exists():
        return None
    try:
        with open_regular(path, most_bytes=None) as file:
            with zipfile.ZipFile(file) as archive:
                if archive.testzip() is not None:
                    raise ValueError("a sum that does not fit")
            file.seek(0)
            values = torch.load(file, map_location="cpu", weights_only=True)
        known = {field.name: values[field.name] for field in fields(Checkpoint) if field.name in values}
        ledger, rows = steps_from_json(known.get("ledger", [])), list(map(read_row, known.get("rows", [])))
        checkpoint = Checkpoint(**known | {"ledger": ledger, "rows": rows})
        Position(**checkpoint.position)
    # A damaged file fails inside torch in many ways: RuntimeError, UnpicklingError, EOFError, KeyError, BadZipFile, ...
    except Exception as error:
        raise RunError(
            f"The checkpoint {path} is damaged, so this run cannot go on; start a new run with the same settings."
        ) from error
    return checkpoint
