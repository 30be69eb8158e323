"""Fetching a dataset in a process of its own, so that it survives a closed tab and a restarted app.

The process holds a lock for as long as it lives and says in ``<file>.progress.json`` how far it is. A
record that says "running" while nobody holds the lock belongs to a process that was killed.
"""

from __future__ import annotations

import json
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from medpriv_core.atomic import write_json
from medpriv_core.datasets.medmnist import fetch_medmnist, medmnist_file
from medpriv_core.datasets.registry import DatasetEntry, add_dataset
from medpriv_core.errors import DownloadError, MedprivError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.locks import hold_lock, is_held
from medpriv_core.processes import ask_to_end, own_identity, start_process
from medpriv_core.progress import Cancelled, ProgressCallback, no_progress
from medpriv_core.regular_file import read_regular

FetchState = Literal["running", "done", "failed", "cancelled"]

_WRITE_EVERY_S = 0.2
_MOST_RECORD_BYTES = 2**20
_START_WITHIN_S = 30.0  # from the click to the process's first word, on a busy machine

# When this process first saw each record of one that was just started.
_first_seen: dict[tuple[Path, str], float] = {}


@dataclass(frozen=True)
class FetchStatus:
    """How a fetch is going, or how it ended."""

    state: FetchState
    done: int  # bytes
    total: int  # bytes; 0 while unknown
    message: str | None  # one sentence where it failed


def start_fetch(home: DataHome, name: str, size: int, *, base_url: str | None = None) -> None:
    """Fetch a MedMNIST dataset in the background; does nothing if that fetch is running already.

    Raises ``DatasetError`` for an unknown name or size and ``DataHomeError`` if the disk refuses; what
    goes wrong later is told by ``fetch_status``.
    """
    target = medmnist_file(home, name, size)
    status = fetch_status(home, name, size)
    if status is not None and status.state == "running":
        return
    home.check_writable()
    mirror = ["--base-url", base_url] if base_url else []
    with explain_disk_errors(home.downloads):
        write_json(_record_path(target), {"state": "starting", "mark": secrets.token_hex(8)})
        start_process(
            home,
            *("datasets", "fetch", name, "--size", str(size), *mirror),
            log=_log_path(target),
            on_exit=lambda: _explain_silence(target),
        )


def fetch_status(home: DataHome, name: str, size: int) -> FetchStatus | None:
    """The state of the latest fetch of this dataset and size; None if there was none."""
    target = medmnist_file(home, name, size)
    record = _read_record(target)
    if record.get("state") in ("starting", "running") and not is_held(_lock_path(target)):
        record = _read_record(target)  # it may have ended between the two looks
        if record.get("state") == "running" or _is_overdue(target, record):
            return FetchStatus("failed", 0, 0, "The download was interrupted before it was complete. Start it again.")
    if not record:
        return None
    state: FetchState = "running" if record["state"] == "starting" else record["state"]
    return FetchStatus(state, record.get("done", 0), record.get("total", 0), record.get("message"))


def cancel_fetch(home: DataHome, name: str, size: int) -> None:
    """Ask the running fetch to stop; does nothing if none is running."""
    target = medmnist_file(home, name, size)
    deadline = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < deadline:
        status = fetch_status(home, name, size)
        record = _read_record(target)
        if status is None or status.state != "running":
            return
        if ask_to_end(record):
            return
        time.sleep(0.05)  # it has not said its process id yet


def fetch_in_foreground(
    home: DataHome, name: str, size: int, *, base_url: str | None = None, progress: ProgressCallback = no_progress
) -> DatasetEntry:
    """Fetch a MedMNIST dataset, add it to the registry and keep its record up to date meanwhile.

    SIGTERM ends it as ``Cancelled``. Raises ``DownloadError``, ``DatasetError`` or ``DataHomeError``.
    """
    target = medmnist_file(home, name, size)
    record: dict[str, Any] = {"state": "running", **own_identity(), "done": 0, "total": 0, "message": None}
    written_at = 0.0

    def write(**changes: Any) -> None:
        record.update(changes)
        with explain_disk_errors(home.downloads):
            write_json(_record_path(target), record)

    def report(phase: str, done: int, total: int) -> None:
        nonlocal written_at
        progress(phase, done, total)
        if time.monotonic() - written_at >= _WRITE_EVERY_S or done == total:
            write(done=done, total=total)
            written_at = time.monotonic()

    with hold_lock(_lock_path(target), progress=progress, phase="Waiting for the same download"), _stop_on_sigterm():
        write()
        try:
            entry = add_dataset(home, name, fetch_medmnist(home, name, size=size, progress=report, base_url=base_url))
        except Cancelled:
            write(state="cancelled")
            raise
        except MedprivError as error:
            write(state="failed", message=str(error))
            raise
        write(state="done")
    return entry


@contextmanager
def _stop_on_sigterm() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers; a thread is cancelled by its progress callback
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Cancelled

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _explain_silence(target: Path) -> None:
    """The process has ended; if it never said a word, its log has to."""
    if _read_record(target).get("state") == "starting":
        message = f"The download could not be started. What it said is in {_log_path(target)}."
        write_json(_record_path(target), {"state": "failed", "message": message})


def _is_overdue(target: Path, record: dict[str, Any]) -> bool:
    """Whether a process that was started has been silent for too long, since this process first looked.

    By its own clock: the time of day may have been set since the process was started.
    """
    if record.get("state") != "starting":
        return False
    key = (target, json.dumps(record, sort_keys=True))
    return time.monotonic() - _first_seen.setdefault(key, time.monotonic()) > _START_WITHIN_S


def _read_record(target: Path) -> dict[str, Any]:
    """What the latest fetch said of itself; nothing where there was none, or where what it said is damaged."""
    path = _record_path(target)
    try:
        record = json.loads(read_regular(path, called=str(path), error=DownloadError, most_bytes=_MOST_RECORD_BYTES))
    # RecursionError: brackets within brackets within brackets.
    except (DownloadError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) and _is_sound(record) else {}


def _is_sound(record: dict[str, Any]) -> bool:
    numbers = [record.get(name, 0) for name in ("done", "total")]
    return (
        record.get("state") in ("starting", "running", "done", "failed", "cancelled")
        and all(type(number) is int and 0 <= number < 2**63 for number in numbers)
        and isinstance(record.get("message"), str | None)
    )


def _record_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.progress.json")


def _lock_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.fetch.lock")


def _log_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.log")
