"""A run from another machine: its zip is checked and put beside one's own runs.

The file may come from anywhere, so nothing in it is trusted (``archive_members``, ``archive_checks``), and neither
pickles nor code are ever loaded. A run that was imported can be looked at, compared and exported; to go on it would
need its checkpoint, which is not part of the zip. ``imported.json`` in its directory says so.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medpriv_core.checksums import file_checksum, read_sealed, write_sealed
from medpriv_core.errors import DataHomeError, MedprivError, RunError
from medpriv_core.evaluation.predictions import read_predictions
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.leftovers import IMPORTING, import_lock, remove_leftovers
from medpriv_core.locks import hold_lock
from medpriv_core.private_files import make_folder, open_private
from medpriv_core.regular_file import read_regular, stat_regular
from medpriv_core.runs.archive_checks import ArchivedRun, changed, check_digests, check_files
from medpriv_core.runs.archive_format import MEMBERS
from medpriv_core.runs.archive_members import MAX_BYTES, read_runs, too_large
from medpriv_core.runs.described import described
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spent_record import write_record
from medpriv_core.runs.store import RunRow, RunStore

_BINARY = ("predictions.npz", "model.safetensors")


@dataclass(frozen=True)
class Imported:
    """What came of an import.

    ids         of the runs that are in the list now
    complaints  a sentence for each run that is not
    """

    ids: tuple[str, ...]
    complaints: tuple[str, ...]


def import_runs(home: DataHome, source: bytes | Path) -> Imported:
    """As ``import_run``, of each run in a zip of several runs' zips; raises only where no run could be imported."""
    ids: list[str] = []
    errors: list[MedprivError] = []
    for files in _read_runs(source):
        try:
            ids.append(_import(home, files))
        except DataHomeError:
            raise
        except MedprivError as error:
            errors.append(error)
    if not ids:
        raise errors[0]
    return Imported(tuple(ids), tuple(map(str, errors)))


def import_run(home: DataHome, source: bytes | Path) -> str:
    """Put the run in a zip, as ``exports.run_archive`` makes it, into the list and return its id, which it keeps.

    The zip may have been unpacked and packed again, and the folder that it was unpacked to may be given instead.
    Raises ``RunError`` if the file is no such zip, is damaged, too large, of a newer version or of a run that is here
    already, ``SettingError`` for impossible settings, ``DatasetError`` for a dataset that this version does not know,
    and ``DataHomeError`` where the disk refuses; then nothing has been changed.
    """
    runs = _read_runs(source)
    if len(runs) > 1:
        raise RunError(f"This holds {len(runs)} runs, and one is wanted here. Choose the zip of one run.")
    return _import(home, runs[0])


def _import(home: DataHome, files: dict[str, bytes]) -> str:
    home.check_writable()
    with described(home, files):
        return _checked(home, files)


def _checked(home: DataHome, files: dict[str, bytes]) -> str:
    run = check_files(files)
    remove_leftovers(home)
    with hold_lock(import_lock(home)):
        return _put(home, run, files)


def _put(home: DataHome, run: ArchivedRun, files: dict[str, bytes]) -> str:
    run_id: str = run.about["id"]
    if RunDirectory(home.runs / run_id).imported and not _is_listed(home, run_id):
        # An import that was killed when its run was there and not yet in the list; nobody else imports now.
        RunStore(home).insert([_row(run)])
        return run_id
    RunStore(home).check()
    _refuse_known(home, run_id)
    # Made aside and moved in one step, so that nobody ever sees half of it.
    part = RunDirectory(home.root / f"{IMPORTING}{run_id}-{secrets.token_hex(4)}")
    try:
        _write(part, run, files)
        _check_binaries(part.path)
        # With its line in one step, so that no list misses it for a moment.
        RunStore(home).insert([_row(run)], make=lambda: _move(part.path, home.runs / run_id, run_id))
    finally:
        shutil.rmtree(part.path, ignore_errors=True)
    return run_id


def read_import_mark(directory: RunDirectory) -> dict[str, Any] | None:
    """What an imported run said of itself, and when it was imported; None for a run of this data home."""
    found = read_sealed(directory.import_mark)
    return found.values if found.sound else None


def _read_runs(source: bytes | Path) -> list[dict[str, bytes]]:
    content = _read_source(source)
    if isinstance(content, bytes):
        return read_runs(content)
    with explain_disk_errors(content):
        runs = read_runs(content)
    for files in runs:
        check_digests(files)
    return runs


def _read_source(source: bytes | Path) -> bytes | Path:
    """The bytes of a file, or the folder as it is."""
    if isinstance(source, bytes):
        return source
    with explain_disk_errors(source.parent):
        if os.path.isdir(source):
            return source
        if not os.path.lexists(source):
            raise RunError(f"There is no file and no folder {source}. Correct the path.")
        if source.name in MEMBERS:
            raise RunError(
                f"{source.name} is one file of a run. Import the folder that it lies in, or the zip that it came from."
            )
        called = f"the file {source}"
        if stat_regular(source, called=called, error=RunError).st_size > MAX_BYTES:
            raise too_large()
        return read_regular(source, called=called, error=RunError, most_bytes=MAX_BYTES)


def _refuse_known(home: DataHome, run_id: str) -> None:
    if _is_listed(home, run_id) or (home.runs / run_id).exists():
        raise _known(run_id)


def _is_listed(home: DataHome, run_id: str) -> bool:
    return home.database.exists() and run_id in RunStore(home).ids()


def _known(run_id: str) -> RunError:
    return RunError(f"This run is here already, perhaps among the removed ones: {run_id}. Nothing was imported.")


def _write(part: RunDirectory, run: ArchivedRun, files: dict[str, bytes]) -> None:
    part.create(run.spec)
    with explain_disk_errors(part.path):
        part.write_setup(run.setup)
        part.append_epochs(run.epochs)
        part.write_outcome(run.outcome)
        if run.spent is not None:
            write_record(part, run.spent)
        for name in _BINARY:
            if name in files:
                with open_private(part.path / name, "wb") as file:
                    file.write(files[name])
        mark = run.about | {"imported_at": time.time()}
        if part.released.exists():
            mark["model_checksum"] = file_checksum(part.released)
        write_sealed(part.import_mark, mark)
    part.write_labels(run.labels | {"created_at": run.about["created_at"], "deleted_at": None})


def _check_binaries(folder: Path) -> None:
    """Let each format's own reader judge its file: none of them runs code, and all check lengths against the file's."""
    from safetensors import SafetensorError, safe_open

    predictions, network = (folder / name for name in _BINARY)
    try:
        if predictions.exists():
            read_predictions(predictions)
    except RunError as error:
        raise changed(predictions.name) from error
    try:
        if network.exists():
            with safe_open(network, "numpy"):
                pass
    except (SafetensorError, OSError, ValueError) as error:
        raise changed(network.name) from error


def _move(part: Path, place: Path, run_id: str) -> None:
    with explain_disk_errors(place.parent):
        make_folder(place.parent)
        try:
            part.rename(place)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise _known(run_id) from error  # somebody else was faster
            raise


def _row(run: ArchivedRun) -> RunRow:
    return RunRow(
        id=run.about["id"],
        name=run.labels["name"],
        state=run.about["state"],
        slot="cpu",  # never used, because it will not train
        position=0,
        cancel_requested=False,
        handle=None,
        created_at=run.about["created_at"],
        started_at=run.about["started_at"],
        ended_at=run.about["ended_at"],
        message=run.outcome.message,
        tags=tuple(run.labels["tags"]),
        notes=run.labels["notes"],
        deleted_at=None,
    )
