"""The run directory: the files in which one run lives, and the only truth about it.

======================  =============================================================
``spec.json``           the RunSpec, written before the worker starts
``setup.json``          facts fixed at the start: sizes, rate, steps, noise multiplier, device
``progress.json``       what the worker is doing right now (replaced by rename)
``metrics.jsonl``       one line a finished epoch, appended and flushed to disk
``checkpoint.pt``       model, optimizer and privacy ledger (replaced by rename)
``spent.json``          what the network in the checkpoint has spent; see ``spent_record``
``outcome.json``        how the run ended; missing while it runs or if it was killed
``worker.log``          what the worker printed
``worker.lock``         held by the worker for as long as it lives
``predictions.npz``     what the network said of the test images after the last epoch written (replaced by rename)
``labels.json``         name, tags and notes: what people call it; written by ``service``
``imported.json``       only in a run from another machine: what its zip said of it
``model.safetensors``   only in a run from another machine: its network
======================  =============================================================

Between ``spec.json`` and ``outcome.json`` only the worker writes its files, so they work on a shared disk too.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medpriv_core.checksums import read_sealed, seal_line, write_sealed
from medpriv_core.errors import RunError
from medpriv_core.home import explain_disk_errors, read_json, write_json
from medpriv_core.private_files import make_folder, open_private
from medpriv_core.processes import own_identity
from medpriv_core.runs.epoch_log import read_rows
from medpriv_core.spec import RunSpec

OutcomeState = Literal["finished", "cancelled", "failed"]
LOG_LIMIT_BYTES = 64 * 1024
# Replaced by a worker alone, which writes them aside first.
_BY_WORKER = ("checkpoint.pt", "spent.json", "predictions.npz", "setup.json", "progress.json", "outcome.json")
DELETED = "The folder of this run was deleted while it trained, so it ends here. Start it anew if it is still wanted."


@dataclass(frozen=True)
class RunDirectory:
    """Reads and writes the files of one run at ``path``."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"

    @property
    def released(self) -> Path:
        """The network as an imported run brought it along."""
        return self.path / "model.safetensors"

    @property
    def network(self) -> Path | None:
        """The file with the run's network; None where it is gone or never was."""
        return next((path for path in (self.checkpoint, self.released) if path.is_file()), None)

    @property
    def log(self) -> Path:
        return self.path / "worker.log"

    @property
    def import_mark(self) -> Path:
        return self.path / "imported.json"

    @property
    def imported(self) -> bool:
        """Whether the run came in a zip from elsewhere, without the state of its training."""
        return self.import_mark.exists()

    @property
    def lock(self) -> Path:
        return self.path / "worker.lock"

    @property
    def is_there(self) -> bool:
        """Whether the folder is still that of a run: nobody has deleted it, wholly or by half."""
        return (self.path / "spec.json").exists()

    def check_there(self) -> None:
        """Raise ``RunError`` if somebody has deleted the folder meanwhile."""
        if not self.is_there:
            raise RunError(DELETED)

    def create(self, spec: RunSpec) -> None:
        """Make the folder with its ``spec.json``; raises ``DataHomeError`` if the disk refuses."""
        with explain_disk_errors(self.path):
            make_folder(self.path)
            write_sealed(self.path / "spec.json", spec.to_dict())

    def read_spec(self) -> RunSpec:
        """The run's specification; raises ``RunError`` where the file is missing or damaged."""
        found = read_sealed(self.path / "spec.json")
        if found.values is None:
            raise RunError(
                f"The run at {self.path} has no readable spec.json, so it cannot be shown or resumed. Put the file "
                "back, or delete the run."
            )
        if not found.sound:
            raise damaged_file(
                self.path / "spec.json",
                "it cannot be shown or resumed. Put the file back from a copy, or delete the run",
            )
        return RunSpec.from_dict(found.values)

    def change_spec(self, spec: RunSpec) -> None:
        """Replace the specification of a run at which no worker is; raises ``DataHomeError`` if the disk refuses."""
        with explain_disk_errors(self.path):
            write_sealed(self.path / "spec.json", spec.to_dict())

    def write_labels(self, labels: Mapping[str, Any]) -> None:
        """What people call the run, beside the table of runs; raises ``DataHomeError`` if the disk refuses."""
        with explain_disk_errors(self.path):
            write_json(self.path / "labels.json", dict(labels), folder_too=False)

    def read_labels(self) -> dict[str, Any]:
        """What people call the run; empty for a run of an earlier version."""
        labels = read_json(self.path / "labels.json")
        return labels if isinstance(labels, dict) else {}

    def write_setup(self, setup: Mapping[str, Any]) -> None:
        """Record the facts fixed at the start of training."""
        write_sealed(self.path / "setup.json", setup)

    def read_setup(self) -> dict[str, Any]:
        """The facts fixed at the start, empty before training has begun; raises ``RunError`` where they are damaged."""
        found = read_sealed(self.path / "setup.json")
        if found.state == "missing":
            return {}
        if not found.sound or not isinstance(found.values, dict):
            raise damaged_file(
                self.path / "setup.json",
                "what was recorded when its training began is not known. Put the file back from a copy",
            )
        return found.values

    def write_progress(self, *, phase: str, done: int, total: int, seconds_left: float | None) -> None:
        """Say what this process, the worker, is doing: a phase in plain words and how far it is."""
        progress = {"phase": phase, "done": done, "total": total, "seconds_left": seconds_left}
        write_json(self.path / "progress.json", progress | own_identity(), folder_too=False)

    def read_progress(self) -> dict[str, Any]:
        """The latest progress; empty before the worker has said anything."""
        progress = read_json(self.path / "progress.json") or {}
        return {name: value for name, value in progress.items() if name not in ("pid", "begun")}

    def read_worker(self) -> dict[str, Any]:
        """Which process wrote the latest progress, for ``processes.send_signal``; empty before there is any."""
        progress = read_json(self.path / "progress.json")
        return progress if isinstance(progress, dict) else {}

    def read_worker_pid(self) -> int | None:
        """The number of that process; None before the worker has said anything."""
        pid = self.read_worker().get("pid")
        return pid if type(pid) is int else None

    def append_epoch(self, row: Mapping[str, Any]) -> None:
        """Append one finished epoch and wait until the disk has it."""
        self.append_epochs([row])

    def append_epochs(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append finished epochs in order and wait until the disk has them."""
        lines = b"".join(seal_line(row) + b"\n" for row in rows)
        with open_private(self.path / "metrics.jsonl", "a+b") as file:
            # A line torn by a crash or a full disk must not swallow the next one.
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def read_epochs(self) -> list[dict[str, Any]]:
        """Finished epochs in order, not to be changed by the caller; torn lines are passed over."""
        return read_rows(self.path / "metrics.jsonl")

    def write_outcome(self, state: OutcomeState, message: str | None = None, **facts: Any) -> None:
        """Say how the run ended; ``message`` is one sentence for the user where it failed."""
        write_sealed(self.path / "outcome.json", {"state": state, "message": message, **facts})

    def read_outcome(self) -> dict[str, Any] | None:
        """How the run ended, or None while it has not, or where that is damaged and so not known."""
        found = read_sealed(self.path / "outcome.json")
        known = found.sound and isinstance(found.values, dict) and "state" in found.values
        return found.values if known else None

    def clear_outcome(self) -> None:
        """Forget how the run ended and what its last worker did, because it is being continued."""
        with explain_disk_errors(self.path):
            for name in ("progress.json", "outcome.json"):
                (self.path / name).unlink(missing_ok=True)

    def remove_half_written(self) -> None:
        """Remove what a worker that was killed has left of the files that only a worker writes; for the next worker."""
        for name in _BY_WORKER:
            for part in self.path.glob(f".{name}.*.part"):
                part.unlink(missing_ok=True)

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that the worker printed."""
        try:
            with open(self.log, "rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - LOG_LIMIT_BYTES))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])


def damaged_file(path: Path, so: str) -> RunError:
    """The error for a file of a run that is not as it was written; ``so``: what follows for the run."""
    return RunError(f"The file {path.name} of run {path.parent.name} is damaged, so {so}.")


def epsilon_spent(epoch: Mapping[str, Any]) -> float | None:
    """Epsilon after a finished epoch of a DP-SGD run; None for other methods.

    JSON has no infinity, so a row says null where no finite epsilon holds.
    """
    if "epsilon" not in epoch:
        return None
    return math.inf if epoch["epsilon"] is None else float(epoch["epsilon"])


def no_network(directory: RunDirectory) -> str:
    """Why a run cannot be asked about a picture: a sentence for one without the file of its network."""
    if directory.imported:
        return (
            f"Run {directory.path.name} was imported without its network, which was not in the zip that it came in; "
            "choose another run, or export it again where it was trained."
        )
    return (
        f"The network of run {directory.path.name} has been deleted (there is no {directory.checkpoint.name} in its "
        "folder); choose another run, or train it again."
    )
