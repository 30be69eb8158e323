"""The process in which one run lives, from its ``spec.json`` to its ``outcome.json``.

=========  ==========================================================================
exit code  meaning
=========  ==========================================================================
0          finished, or stopped on request (by a file, SIGTERM or Ctrl-C) with a checkpoint
1          an internal error (the log has the traceback), or a download that failed
2          something that the user can put right; the outcome says what
3          not ours to run: another worker is at it, or it has ended already
=========  ==========================================================================

A worker that dies without an outcome was killed; its checkpoint lets another go on.
"""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import Timeout

from medpriv_core.datasets.noised import noised_dataset
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.errors import DataHomeError, MedprivError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.leftovers import remove_leftovers
from medpriv_core.locks import KeptLock
from medpriv_core.progress import Cancelled
from medpriv_core.runs.directory import DELETED, OutcomeState, RunDirectory
from medpriv_core.runs.failure import in_plain_words, kept_words
from medpriv_core.training.memory import keep_freed_memory
from medpriv_core.training.reporting import Reporter

EXIT_OK, EXIT_INTERNAL, EXIT_USER, EXIT_NOT_OURS = 0, 1, 2, 3

START_PHASE = "Starting"
# Whoever asks whether a worker is at the run holds its lock for a moment.
LOCK_PATIENCE_S = 0.5
MEMORY = (
    "There was not enough memory for this run. Choose a smaller batch_size or image_size, train only the head, or take "
    "another device."
)


def run_worker(path: Path, home: DataHome) -> int:
    """Train the run in the directory ``path`` until it ends; returns the exit code.

    Must be called in the main thread, because it listens to SIGTERM and SIGINT.
    """
    directory = RunDirectory(path)
    if not (path / "spec.json").is_file():
        _log(f"There is no run at {path} (no spec.json).")
        return EXIT_USER
    lock = KeptLock(directory.lock)
    try:
        with explain_disk_errors(path):
            lock.acquire(timeout=LOCK_PATIENCE_S)
    except Timeout:
        _log(f"Another worker is already at the run {path.name}.")
        return EXIT_NOT_OURS
    except DataHomeError as error:
        _log(str(error))
        return EXIT_USER
    try:
        if directory.read_outcome() is not None:
            _log(f"The run {path.name} has already ended; resume it instead of starting it again.")
            return EXIT_NOT_OURS
        return _run(directory, home, lock)
    finally:
        lock.release()


def _run(directory: RunDirectory, home: DataHome, lock: KeptLock) -> int:
    facts: dict[str, Any] = {}
    try:
        with _stop_signals() as stop, explain_disk_errors(directory.path):
            report = Reporter(directory, should_stop=lambda: _asked_to_stop(directory, stop, lock))
            _train(directory, home, report, facts)
        return _end(directory, EXIT_OK, "finished", None, facts)
    except _Replaced:
        _log(f"Another worker has taken up the run {directory.path.name}, because the lock of this one was removed.")
        return EXIT_NOT_OURS
    except Cancelled:
        return _end(directory, EXIT_OK, "cancelled", None, facts)
    except MedprivError as error:
        return _end(directory, error.exit_code, "failed", kept_words(error), facts)
    except Exception as error:
        if not directory.is_there:
            _log(DELETED)
            return EXIT_USER
        traceback.print_exc()
        if _is_memory_error(error):
            return _end(directory, EXIT_USER, "failed", MEMORY, facts)
        message = f"The worker stopped on an internal error ({type(error).__name__}: {error}). The log has the details."
        return _end(directory, EXIT_INTERNAL, "failed", message, facts)


def _train(directory: RunDirectory, home: DataHome, report: Reporter, facts: dict[str, Any]) -> None:
    """The whole run; ``facts`` receives the figures for the outcome, also if it is stopped."""
    report(START_PHASE, 0, 1)
    spec = directory.read_spec()
    remove_leftovers(home)
    directory.remove_half_written()
    keep_freed_memory(spec.engine)
    clean = prepare_dataset(home, spec.dataset, image_size=spec.image_size, progress=report, say=_log)
    noised = None
    if spec.method == "local_dp":
        noised = noised_dataset(home, clean, spec.picture_noise, progress=report, say=_log)
    report(START_PHASE, 0, 1)
    # Importing torch takes seconds: a broken picture need not wait for it, and a signal to stop can.
    from medpriv_core.training import loop
    from medpriv_core.training.data import TrainingData
    from medpriv_core.training.session import open_session

    session = open_session(spec, TrainingData(clean, noised), directory, home=home, progress=report)
    for remark in (session.remark, directory.read_setup().get("weights_doubt")):
        if remark is not None:
            _log(remark)
    try:
        loop.train(session, directory, report=report, log=_log)
    finally:
        facts |= loop.facts(session)


def _end(directory: RunDirectory, code: int, state: OutcomeState, message: str | None, facts: dict[str, Any]) -> int:
    _log(in_plain_words(message) if message else f"{state}.")
    if not directory.is_there:  # nothing is to be made again by halves
        return EXIT_USER
    try:
        with explain_disk_errors(directory.path):
            directory.write_outcome(state, message, **facts, exit_code=code)
    except DataHomeError as error:
        # Without an outcome the run counts as killed, and the log is the only place left to say why.
        _log(str(error))
        return EXIT_USER
    return code


class _Replaced(BaseException):
    """Another worker is at the run. No ``Exception``, so that nothing is saved on the way over what that one writes."""


def _asked_to_stop(directory: RunDirectory, stop: threading.Event, lock: KeptLock) -> bool:
    directory.check_there()
    if not lock.keep():
        raise _Replaced
    return stop.is_set() or directory.is_asked_to_stop


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Turn SIGTERM and SIGINT into an event, so that the work stops between two steps."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_memory_error(error: Exception) -> bool:
    # PyTorch's own allocator raises a bare RuntimeError on the CPU.
    return isinstance(error, MemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error)


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
