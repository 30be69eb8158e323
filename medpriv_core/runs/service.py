"""What pages and the command line do with runs: submit, list, look at, stop, resume."""

from __future__ import annotations

import secrets
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medpriv_core.datasets.registry import dataset_info, open_dataset
from medpriv_core.errors import MedprivError, RunError, SettingError
from medpriv_core.home import DataHome
from medpriv_core.privacy.plan import plan_run
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.runner import ensure_runner
from medpriv_core.runs.store import ENDED, RunRow, RunState, RunStore
from medpriv_core.spec import RunSpec
from medpriv_core.weights_source import resolve_weights

# Something that can be done to a run: ``cancel`` or ``resume``.
Action = Callable[[DataHome, str], None]


@dataclass(frozen=True)
class Run:
    """All that can be shown of one run."""

    id: str
    name: str
    state: RunState
    stopping: bool  # asked to stop, still saving
    created_at: float
    started_at: float | None
    ended_at: float | None
    message: str | None  # one sentence where it failed
    spec: RunSpec | None  # None where spec.json is damaged; ``message`` then says so
    setup: dict[str, Any]
    progress: dict[str, Any]
    epochs: list[dict[str, Any]]

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def resumable(self) -> bool:
        """Whether ``resume`` would continue it."""
        return self.state in ("cancelled", "failed") and self.spec is not None


def submit(home: DataHome, spec: RunSpec) -> str:
    """Check a run against its dataset, queue it and return its id.

    Raises ``SettingError``, ``DatasetError``, ``WeightsError`` or ``DataHomeError`` with a sentence for the user; then
    nothing has been queued.
    """
    dataset = open_dataset(home, spec.dataset)
    if not dataset.info.trainable:
        raise SettingError(f"{dataset.info.title} is a single picture to look at; choose a dataset to train on.")
    train_size = len(dataset.split("train").labels)
    spec.check_dataset_size(train_size)
    if spec.method == "dp_sgd":
        # Nobody should wait in the queue for a guarantee that cannot be computed.
        plan_run(spec, train_size=train_size)
    # The worker may run in another folder than the one that a relative path was meant for.
    spec = spec.changed(weights=resolve_weights(spec.weights))
    home.check_writable()
    run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    directory = RunDirectory(home.runs / run_id)
    directory.create(spec)
    try:
        RunStore(home).add(run_id, name=name_run(spec), slot=device_slot(spec.device))
    except MedprivError:
        shutil.rmtree(directory.path, ignore_errors=True)  # nothing would ever show it
        raise
    ensure_runner(home)
    return run_id


def list_runs(home: DataHome) -> list[Run]:
    """Every run, the newest first; also brings the runner back if it died with work to do."""
    ensure_runner(home)
    return [_load(home, row) for row in RunStore(home).all()]


def load_run(home: DataHome, run_id: str) -> Run:
    """One run; raises ``RunError`` where there is none of that id."""
    ensure_runner(home)
    return _load(home, RunStore(home).get(run_id))


def read_log(home: DataHome, run_id: str, lines: int = 40) -> str:
    """The last lines that the run's worker printed."""
    RunStore(home).get(run_id)
    return RunDirectory(home.runs / run_id).log_tail(lines)


def cancel(home: DataHome, run_id: str) -> None:
    """Stop a run: at once if queued, else within ten seconds and with its checkpoint kept."""
    row = RunStore(home).get(run_id)
    if row.state in ENDED:
        raise RunError(f"Run {run_id} has already ended ({row.state}); there is nothing to stop.")
    RunStore(home).cancel(run_id)
    ensure_runner(home)


def resume(home: DataHome, run_id: str) -> None:
    """Queue a stopped or failed run again; it goes on from its last checkpoint, its epsilon carried on."""
    run = load_run(home, run_id)
    if not run.resumable:
        raise RunError(f"Run {run_id} is {run.state}; only a stopped or failed run can be resumed.")
    directory = RunDirectory(home.runs / run_id)
    directory.clear_outcome()
    if not RunStore(home).requeue(run_id):
        raise RunError(f"Run {run_id} was changed by someone else just now; look at it again.")
    ensure_runner(home)


def name_run(spec: RunSpec) -> str:
    """A short name that tells runs apart: dataset, method and strength, what is trained."""
    strength = {
        "none": "no privacy",
        "local_dp": f"Local-DP β {spec.beta or 0:g}" + (" per image" if spec.noise_draw == "per_image" else ""),
        "dp_sgd": f"DP-SGD ε {spec.target_epsilon:g}"
        if spec.target_epsilon is not None
        else f"DP-SGD σ {spec.noise_multiplier or 0:g}",
    }[spec.method]
    trained = {"head": "last layer", "norms": "last layer and norms", "all": "all layers"}[spec.trainable]
    return f"{dataset_info(spec.dataset).title} · {strength} · {trained}"


def device_slot(device: str) -> str:
    """The device for which a run queues: one run at a time on each.

    ``auto`` and ``cuda`` mean the first accelerator, found without importing torch.
    """
    if device == "cuda":
        return "cuda:0"
    if device != "auto":
        return device
    if Path("/proc/driver/nvidia/gpus").exists() or shutil.which("nvidia-smi"):
        return "cuda:0"
    return "mps" if sys.platform == "darwin" else "cpu"


def _load(home: DataHome, row: RunRow) -> Run:
    directory = RunDirectory(home.runs / row.id)
    message = row.message
    spec: RunSpec | None
    try:
        spec = directory.read_spec()
    except MedprivError as error:
        spec, message = None, str(error)
    return Run(
        id=row.id,
        name=row.name,
        state=row.state,
        stopping=row.state == "running" and row.cancel_requested,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        message=message,
        spec=spec,
        setup=directory.read_setup(),
        progress=directory.read_progress() if row.state == "running" else {},
        epochs=directory.read_epochs(),
    )
