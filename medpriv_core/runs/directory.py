"""The run directory: the files in which one run lives, and the only truth about it.

======================  =============================================================
``spec.json``           the RunSpec, written before the worker starts
``setup.json``          facts fixed at the start: sizes, rate, steps, noise multiplier, device
``metrics.jsonl``       one line a finished epoch, appended and flushed to disk
``checkpoint.pt``       model, optimizer and privacy ledger (replaced by rename)
``spent.json``          what the network in the checkpoint has spent; see ``spent_record``
``outcome.json``        how the run ended; missing while it runs or if it was killed
``predictions.npz``     what the network said of the test images after the last epoch written (replaced by rename)
``labels.json``         name, tags and notes: what people call it; written by ``service``
``imported.json``       only in a run from another machine: what its zip said of it
``model.safetensors``   only in a run from another machine: its network
======================  =============================================================

Besides, it has what every job has: progress, stop file, lock and log (``jobs.folder``). Between ``spec.json`` and
``outcome.json`` only the worker writes its files, so they work on a shared disk too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from medpriv_core.atomic import remove_parts, write_json
from medpriv_core.checksums import seal_line, write_sealed
from medpriv_core.errors import NewerRunError, RunError
from medpriv_core.home import explain_disk_errors
from medpriv_core.jobs.folder import Ending, JobFolder
from medpriv_core.private_files import make_folder, open_private
from medpriv_core.records.epoch import EpochRow, read_figures
from medpriv_core.records.kinds import Newer
from medpriv_core.records.outcome import Outcome
from medpriv_core.records.setup import Setup
from medpriv_core.runs.epoch_log import METRICS, EpochLog, read_log
from medpriv_core.runs.records import check_labels
from medpriv_core.spec import RunSpec
from medpriv_core.strict_json import Unreadable
from medpriv_core.unit import with_stored_unit

# Replaced by a worker alone, which writes them aside first.
_BY_WORKER = ("checkpoint.pt", "spent.json", "predictions.npz", "setup.json", "progress.json", "outcome.json")


@dataclass(frozen=True)
class RunDirectory(JobFolder):
    """Reads and writes the files of one run at ``path``; a run is a job."""

    ORDER: ClassVar[str] = "spec.json"
    DELETED: ClassVar[str] = (
        "The folder of this run was removed while it trained, so it ends here. Start it anew if it is still wanted."
    )

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
    def import_mark(self) -> Path:
        return self.path / "imported.json"

    @property
    def imported(self) -> bool:
        """Whether the run came in a zip from elsewhere, without the state of its training."""
        return self.import_mark.exists()

    def create(self, spec: RunSpec) -> None:
        """Make the folder with its ``spec.json``; raises ``DataHomeError`` if the disk refuses."""
        with explain_disk_errors(self.path):
            make_folder(self.path)
            write_sealed(self.path / "spec.json", spec.to_dict())

    def read_spec(self) -> RunSpec:
        """The run's specification; raises ``RunError`` where the file is missing or damaged."""
        try:
            values = self._read("spec.json", lambda values: values)
            if values is None:
                raise Unreadable("it is missing")
        except Unreadable as error:
            raise RunError(
                f"The run at {self.path} has no readable spec.json ({error}), so it cannot be shown or resumed. Put "
                "the file back, or remove the run."
            ) from error
        return RunSpec.from_dict(with_stored_unit(values))

    def change_spec(self, spec: RunSpec) -> None:
        """Replace the specification of a run at which no worker is; raises ``DataHomeError`` if the disk refuses."""
        with explain_disk_errors(self.path):
            write_sealed(self.path / "spec.json", spec.to_dict())

    def write_labels(self, labels: Mapping[str, Any]) -> None:
        """What people call the run, beside the table of runs; raises ``DataHomeError`` if the disk refuses."""
        with explain_disk_errors(self.path):
            write_json(self.path / "labels.json", dict(labels), folder_too=False)

    def read_labels(self) -> dict[str, Any]:
        """What people call the run; empty for a run of an earlier version. Raises ``RunError`` for a damaged file."""
        try:
            return self._read("labels.json", check_labels) or {}
        except Unreadable as error:
            raise RunError(
                f"Name, tags and notes of run {self.path.name} cannot be read from its labels.json ({error}), so it "
                "has the name that its settings give it. Rename it if that is not enough."
            ) from error

    def write_setup(self, setup: Setup) -> None:
        """Record the facts fixed at the start of training."""
        write_sealed(self.path / "setup.json", setup.to_file())

    def read_setup(self) -> Setup:
        """The facts fixed at the start; empty before training has begun.

        Raises ``RunError`` for a damaged file, and ``NewerRunError`` for one of a newer version.
        """
        try:
            return self._read("setup.json", Setup.from_dict) or Setup()
        except Newer as error:
            raise NewerRunError(self._newer("setup.json")) from error
        except Unreadable as error:
            raise RunError(
                f"The setup.json of run {self.path.name} cannot be read ({error}), so what it recorded when it began "
                "is not known, nor which ε holds. Put the file back, or remove the run."
            ) from error

    def append_epoch(self, row: EpochRow) -> None:
        """Append one finished epoch and wait until the disk has it."""
        self.append_epochs([row])

    def append_epochs(self, rows: Iterable[EpochRow]) -> None:
        """Append finished epochs in order and wait until the disk has them."""
        lines = b"".join(seal_line(row.to_file()) + b"\n" for row in rows)
        with open_private(self.path / "metrics.jsonl", "a+b") as file:
            # A line torn by a crash or a full disk must not swallow the next one.
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def read_epochs(self) -> list[EpochRow]:
        """Finished epochs in order; what cannot be read is passed over."""
        return self.read_log().rows

    def read_log(self) -> EpochLog:
        """The same, with what was passed over that no crash leaves behind."""
        with explain_disk_errors(self.path):
            return read_log(self.path / METRICS)

    def write_outcome(self, outcome: Outcome) -> None:
        """Say how the run ended."""
        write_sealed(self.path / "outcome.json", outcome.to_file())

    def end(self, ending: Ending, result: Mapping[str, Any]) -> None:
        """Write how the worker ended, and the figures that it reached; raises ``OSError`` where the disk refuses."""
        self.write_outcome(Outcome(ending.state, ending.message, read_figures(dict(result)), ending.exit_code))

    def read_outcome(self) -> Outcome | None:
        """How the run ended, or None while it has not; of a damaged file only that, as a failure."""
        try:
            return self._read("outcome.json", Outcome.from_dict)
        except Newer:
            return Outcome("failed", self._newer("outcome.json"))
        except Unreadable as error:
            return Outcome(
                "failed",
                f"How this run ended cannot be read from its outcome.json ({error}). Resume continues from its last "
                "checkpoint, if there is one.",
            )

    def _newer(self, name: str) -> str:
        return (
            f"The {name} of run {self.path.name} was written by a newer version of medpriv. Update medpriv to look at "
            "this run and to go on with it."
        )

    def remove_half_written(self) -> None:
        """Remove what a worker that was killed has left of the files that only a worker writes; for the next worker."""
        for name in _BY_WORKER:
            remove_parts(self.path / name)


def no_network(directory: RunDirectory) -> str:
    """Why a run cannot be asked about a picture: a sentence for one without the file of its network."""
    if directory.imported:
        return (
            f"Run {directory.path.name} was imported without its network, which was not in the zip that it came in; "
            "choose another run, or export it again where it was trained."
        )
    return (
        f"The network of run {directory.path.name} has been removed (there is no {directory.checkpoint.name} in its "
        "folder); choose another run, or train it again."
    )
