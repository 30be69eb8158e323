"""Everything about one run in one zip, to be archived, handed on, or imported on another machine.

The network comes as safetensors with a model card, the guarantee in words with every condition that it rests on, and
the figures as the app shows them. What is left out is told in ``medpriv_core.runs.archive_format``.

The checkpoint is read in a process of its own, by the job ``weights``: reading it needs torch, which the
web process must not load. The worker could write the safetensors at a run's end instead, but then each run would lie
on the disk twice, and those that exist already or were stopped would have none.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import medpriv_core
from medpriv_core.datasets.own.adding import is_own
from medpriv_core.datasets.own.dataset import own_folder, read_record
from medpriv_core.errors import DataHomeError, JobError, RunError
from medpriv_core.evaluation.predictions import FILE_NAME
from medpriv_core.exports.captions import describe_runs
from medpriv_core.exports.charts import to_png, to_svg
from medpriv_core.exports.model_card import Network, guarantee_text, model_card, readable_predictions
from medpriv_core.exports.sharing import shared_run
from medpriv_core.figures.curves import curves_of
from medpriv_core.figures.dashboard import View, dashboard_figure
from medpriv_core.home import DataHome
from medpriv_core.jobs.job import Job
from medpriv_core.privacy.coverage import NAMES_LEFT_OUT, coverage_in_words, exported_part, is_withheld
from medpriv_core.progress import Cancelled, ProgressCallback, no_progress
from medpriv_core.records.outcome import Outcome
from medpriv_core.records.setup import Setup
from medpriv_core.runs.archive_format import FORMAT, KEPT, VERSION
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.imports import read_import_mark
from medpriv_core.runs.service import Run, load_run
from medpriv_core.runs.spent_record import with_bond
from medpriv_core.spec import RunSpec
from medpriv_core.strict_json import Unreadable, open_regular
from medpriv_core.weights_file import sha256_of
from medpriv_core.zips import NO_DATE

WEIGHTS_TIME_LIMIT_S = 300.0
_ROOM_BYTES = 64_000_000  # of one network, at most
_PACKED = (".json", ".jsonl", ".txt", ".md", ".svg")


def export_run(
    home: DataHome, run_id: str, *, with_training_figures: bool = False, progress: ProgressCallback = no_progress
) -> bytes:
    """The zip of one run. Raises ``RunError`` for a run that does not exist, has not ended or has damaged files.

    Of a DP-SGD run it leaves out what epsilon does not cover (``privacy.coverage``), unless ``with_training_figures``.
    """
    return _export(home, [run_id], with_training_figures, progress)[run_id]


def export_runs(
    home: DataHome,
    run_ids: Sequence[str],
    *,
    with_training_figures: bool = False,
    progress: ProgressCallback = no_progress,
) -> bytes:
    """One zip with the zips of several runs; all else as for ``export_run``."""
    if not run_ids:
        raise RunError("No run is chosen; choose those to be exported.")
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for run_id, content in _export(home, list(dict.fromkeys(run_ids)), with_training_figures, progress).items():
            _add(archive, archive_name(run_id), content)
    return output.getvalue()


def archive_name(run_id: str) -> str:
    """What the zip of a run is called."""
    return f"medpriv-run-{run_id}.zip"


def files_key(home: DataHome, run_ids: Sequence[str]) -> tuple[object, ...]:
    """What changes as soon as a file of these runs does: names, sizes and times of all that lie in their folders."""
    return tuple((run_id, *_files_in(home.runs / run_id)) for run_id in run_ids)


def _files_in(folder: Path) -> list[tuple[str, int, int]]:
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                about = entry.stat(follow_symlinks=False)
                found.append((entry.name, about.st_size, about.st_mtime_ns))
    return sorted(found)


def _export(
    home: DataHome, run_ids: Sequence[str], with_training_figures: bool, progress: ProgressCallback
) -> dict[str, bytes]:
    runs = [_ended(load_run(home, run_id)) for run_id in run_ids]
    _check_readable(home, runs)
    progress("Reading networks", 0, len(runs))
    with ExitStack() as cleaning_up:
        try:
            folder = cleaning_up.enter_context(tempfile.TemporaryDirectory(prefix="medpriv-export-"))
        except OSError as error:
            raise RunError(_no_room(None)) from error
        _write_networks(home, run_ids, Path(folder), progress)
        for run in runs:
            # Its figures must be those of the network that has just been read.
            if _ended(load_run(home, run.id)).spent != run.spent:
                raise RunError(f"Run {run.id} has gone on just now; export it again.")
        runs = [replace(run, spent=with_bond(run.spent, RunDirectory(home.runs / run.id))) for run in runs]
        archives = {}
        for done, run in enumerate(runs):
            progress("Drawing charts and packing runs", done, len(runs))
            archives[run.id] = _archive(home, run, Path(folder) / f"{run.id}.safetensors", with_training_figures)
        return archives


def _ended(run: Run) -> Run:
    if not run.ended:
        raise RunError(f"Run {run.id} is {run.state}; wait until it has ended, or stop it, then export it.")
    return run


def _check_readable(home: DataHome, runs: Sequence[Run]) -> None:
    """Raise ``RunError`` that names all of these runs whose files are damaged."""
    reasons = {run.id: run.message or "" for run in runs if run.spec is None}
    for run in runs:
        try:
            RunDirectory(home.runs / run.id).read_setup()
        except RunError as error:
            reasons.setdefault(run.id, str(error))
    if reasons:
        said = " ".join(f"Run {run_id} cannot be exported: {reason}" for run_id, reason in reasons.items())
        raise RunError(f"{said} Leave these out, and export the others." if len(reasons) < len(runs) else said)


def _archive(home: DataHome, run: Run, network: Path, with_training_figures: bool) -> bytes:
    directory = RunDirectory(home.runs / run.id)
    assert run.spec is not None
    spec = _portable_spec(run.spec)
    # Everything below is made from this run, which has no more than the export may hold.
    run = shared_run(run, with_training_figures=with_training_figures)
    outcome = directory.read_outcome()
    if outcome is not None:
        last = exported_part(outcome.last, spec, with_training_figures=with_training_figures)
        outcome = portable_outcome(replace(outcome, last=last))
    coverage = coverage_in_words(spec, with_training_figures=with_training_figures)
    # Damaged predictions would keep the whole zip from being imported.
    predictions = _read(directory.path / FILE_NAME) if readable_predictions(directory) else None
    # An imported run brought its network along.
    weights = _read(network) or _read(directory.path / "model.safetensors")
    files: dict[str, bytes | None] = {
        "spec.json": _json(spec.to_dict()),
        "setup.json": _json(portable_setup(run.setup).to_file()),
        "metrics.jsonl": "".join(json.dumps(row.to_file(), allow_nan=False) + "\n" for row in run.epochs).encode(),
        "outcome.json": _json(outcome.to_file()) if outcome else None,
        "spent.json": _json(run.spent.to_dict()) if run.spent is not None and run.spent.recorded else None,
        "dataset.toml": _dataset_record(home, spec.dataset),
        "labels.json": _json({"name": run.name, "tags": list(run.tags), "notes": run.notes}),
        "predictions.npz": predictions,
        "model.safetensors": weights,
        "guarantee.txt": guarantee_text(run, spec, coverage, imported=directory.imported).encode(),
        "model_card.md": model_card(run, spec, directory, coverage, network=_held(weights)).encode(),
    }
    if run.epochs:
        figure = dashboard_figure([curves_of(run)], View())
        caption = describe_runs([run], with_training_figures=with_training_figures)
        title = f"Accuracy: {run.name}"
        files["accuracy.png"] = to_png(figure, title=title, caption=caption)
        files["accuracy.svg"] = to_svg(figure, title=title, caption=caption)
    about = _about(directory, run, weights, with_training_figures)
    # For whoever unpacks it. Labels are free to be changed.
    kept = {name: content for name, content in files.items() if content and name in KEPT and name != "labels.json"}
    about["sha256"] = {name: hashlib.sha256(content).hexdigest() for name, content in kept.items()}
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for name, content in [("about.json", _json(about)), *files.items()]:
            if content is not None:
                _add(archive, name, content)
    return output.getvalue()


def _dataset_record(home: DataHome, name: str) -> bytes | None:
    """What a dataset of the user's own is, without how its images are found; None of any other."""
    if not is_own(home, name):
        return None
    return read_record(own_folder(home, name)).shared.to_toml().encode()


def portable_setup(setup: Setup) -> Setup:
    """What a run recorded at its start, without the key of its images; what another program said is asked anew."""
    return replace(setup, content=None, second_accountant=None)


def portable_outcome(outcome: Outcome) -> Outcome:
    """How a run ended, without its message, which may name an image that could not be read, nor any other text."""
    figures = {name: value for name, value in outcome.last.others.items() if not isinstance(value, str)}
    return replace(outcome, message=None, last=replace(outcome.last, others=figures, finished_at=None))


def _portable_spec(spec: RunSpec) -> RunSpec:
    """Of a path to pretrained weights, only the file's name."""
    return spec.changed(weights=PurePath(spec.weights.replace("\\", "/")).name or spec.weights)


def _about(directory: RunDirectory, run: Run, weights: bytes | None, with_training_figures: bool) -> dict[str, Any]:
    assert run.spec is not None
    file = Path(run.spec.weights)
    pretrained: dict[str, Any] = {"file": file.name}
    if (digest := sha256_of(file)) is not None:
        pretrained["sha256"] = digest
    mark = read_import_mark(directory) or {}
    return {
        "format": FORMAT,
        "version": VERSION,
        "medpriv_version": medpriv_core.__version__,
        "id": mark.get("id", run.id),
        "state": run.state,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "pretrained_weights": mark.get("pretrained_weights", pretrained),
        "model_sha256": hashlib.sha256(weights).hexdigest() if weights else None,
        "left_out": list(NAMES_LEFT_OUT) if is_withheld(run.spec) and not with_training_figures else [],
    }


def _held(weights: bytes | None) -> Network | None:
    """What a safetensors file holds, by the names in its header."""
    if weights is None:
        return None
    names = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    own = any(not name.startswith(("fc.", "__")) for name in names)
    return "whole" if own else "last_layer"


def _write_networks(home: DataHome, run_ids: Sequence[str], folder: Path, progress: ProgressCallback) -> None:
    """Put ``<run id>.safetensors`` of every run that has a readable checkpoint into ``folder``."""
    directories = [RunDirectory(home.runs / run_id) for run_id in run_ids]
    with_network = [str(directory.path) for directory in directories if directory.checkpoint.is_file()]
    if not with_network:
        return
    job = Job(folder / "job")  # here and not in the data home: every export has one of its own
    told = _Told(progress)
    try:
        job.start(home, "weights", folder=str(folder), directories=with_network)
        job.wait(progress=told, within_s=WEIGHTS_TIME_LIMIT_S)
    except (JobError, DataHomeError, Cancelled) as error:
        if isinstance(error, Cancelled) and told.stopped:
            raise  # by whoever asked for the file; else the process was stopped by somebody else
        if shutil.disk_usage(folder).free < _ROOM_BYTES * len(with_network):
            raise RunError(_no_room(folder)) from error
        if isinstance(error, DataHomeError):
            raise
        raise RunError(
            "The process that reads the networks failed, most likely because the memory of this machine is full. Close "
            "other programs and try again."
        ) from error


class _Told:
    """Progress that is passed on, and whether that stopped the work."""

    def __init__(self, progress: ProgressCallback) -> None:
        self._progress, self.stopped = progress, False

    def __call__(self, phase: str, done: int, total: int) -> None:
        try:
            self._progress(phase, done, total)
        except Cancelled:
            self.stopped = True
            raise


def _no_room(folder: Path | None) -> str:
    where = f" ({folder.parent})" if folder else ""
    return (
        f"There is no room in the folder for temporary files{where}, which an export needs. Free some space there, or "
        "set TMPDIR to a folder on another disk, and start medpriv again."
    )


def _read(path: Path) -> bytes | None:
    try:
        with open_regular(path, most_bytes=None) as file:
            return file.read()
    except FileNotFoundError:
        return None
    except Unreadable as fault:
        raise RunError(f"{path} cannot be read: {fault}.") from fault


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, date_time=NO_DATE)
    member.external_attr = 0o644 << 16
    packed = name.endswith(_PACKED)
    archive.writestr(member, content, zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED)
