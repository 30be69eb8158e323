"""What is the same in the process of every job: its lock, its ears for the wish to stop, and its outcome.

=========  ==========================================================================
exit code  meaning
=========  ==========================================================================
0          finished, or stopped on request (by a file, SIGTERM or Ctrl-C)
1          an internal error (the log has the traceback), or a download that failed
2          something that the user can put right; the outcome says what
3          not ours to do: another process is at it, or it has ended already
=========  ==========================================================================

A process that dies without an outcome was killed.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import Timeout

from medpriv_core.errors import DataHomeError, MedprivError, is_out_of_memory, kept_words
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.jobs.folder import Ending, JobFolder
from medpriv_core.jobs.job import Job
from medpriv_core.jobs.kinds import load
from medpriv_core.locks import KeptLock
from medpriv_core.progress import Cancelled

EXIT_OK, EXIT_INTERNAL, EXIT_USER, EXIT_NOT_OURS = 0, 1, 2, 3
START_PHASE = "Starting"
MEMORY = "There was not enough memory for this. Close other programs and try again."
# Whoever asks whether a process is at the job holds its lock for a moment.
LOCK_PATIENCE_S = 0.5
WRITE_EVERY_S = 0.4


class Reporter:
    """A progress callback that writes ``progress.json`` and raises ``Cancelled`` once ``should_stop`` says so.

    The file is written when the phase changes and otherwise every 0.4 seconds at most. What is put into ``result``
    stands in the outcome, also where the work is stopped or fails.
    """

    def __init__(self, folder: JobFolder, *, should_stop: Callable[[], bool]) -> None:
        self.result: dict[str, Any] = {}
        self._folder = folder
        self._should_stop = should_stop
        self._phase = ""
        self._phase_began_at = 0.0
        self._written_at = 0.0

    def __call__(self, phase: str, done: int, total: int, *, seconds_left: float | None = None) -> None:
        if self._should_stop():
            raise Cancelled
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._phase_began_at, self._written_at = phase, now, -math.inf
        if now - self._written_at >= WRITE_EVERY_S:
            self._written_at = now
            if seconds_left is None and 0 < done < total:
                # Of a phase that cannot know the whole job, at least its own end.
                seconds_left = (now - self._phase_began_at) / done * (total - done)
            self._folder.write_progress(phase=phase, done=done, total=total, seconds_left=seconds_left)


def do_job(path: Path, home: DataHome) -> int:
    """Do what the ``job.json`` in the folder ``path`` says, by a function of ``jobs.kinds``; returns the exit code.

    Raises ``JobError`` where it says nothing that is known, and ``MissingExtraError`` where that needs more packages.
    """
    job = Job(path)
    order = job.read_order()
    work = load(order.kind)
    return run_job(job, lambda report: work(home, report, **order.settings))


def run_job(folder: JobFolder, work: Callable[[Reporter], None], *, memory: str = MEMORY) -> int:
    """Do ``work`` as the one process of a job, from its lock to its outcome; returns the exit code.

    Args:
        folder: Of the job; what it is to do is there.
        work: Does it, and calls what it is given between two steps, which raises ``Cancelled`` when it is to stop.
        memory: The sentence for work that ran out of memory.
    """
    lock = KeptLock(folder.lock)
    try:
        with explain_disk_errors(folder.path):
            lock.acquire(timeout=LOCK_PATIENCE_S)
    except Timeout:
        log_line(f"Another process is already at {folder.path.name}.")
        return EXIT_NOT_OURS
    except DataHomeError as error:
        log_line(str(error))
        return EXIT_USER
    try:
        if folder.has_ended:
            log_line(f"{folder.path.name} has already ended; resume it, or start it anew, instead of its process.")
            return EXIT_NOT_OURS
        return _work(folder, work, lock, memory)
    finally:
        lock.release()


def _work(folder: JobFolder, work: Callable[[Reporter], None], lock: KeptLock, memory: str) -> int:
    stop = threading.Event()
    report = Reporter(folder, should_stop=lambda: _is_to_stop(folder, stop, lock))
    said = None
    try:
        with _stop_signals(stop), explain_disk_errors(folder.path):
            report(START_PHASE, 0, 1)
            work(report)
        ending = Ending("finished", EXIT_OK)
    except _Replaced:
        log_line(f"Another process has taken up {folder.path.name}, because the lock of this one was removed.")
        return EXIT_NOT_OURS
    except Cancelled:
        ending = Ending("cancelled", EXIT_OK)
    except MedprivError as error:
        ending, said = Ending("failed", error.exit_code, kept_words(error), type(error).__name__), str(error)
    except Exception as error:
        ending = _of_bug(error, memory)
        if folder.is_there:
            traceback.print_exc()
    if not folder.is_there:  # nothing is to be made again by halves
        log_line(folder.DELETED)
        return EXIT_USER
    log_line(said or ending.message or f"{ending.state}.")
    try:
        with explain_disk_errors(folder.path):
            folder.end(ending, report.result)
    except DataHomeError as error:
        # Without an outcome it counts as killed, and the log is the only place left to say why.
        log_line(str(error))
        return EXIT_USER
    return ending.exit_code


def _of_bug(error: Exception, memory: str) -> Ending:
    if is_out_of_memory(error):
        return Ending("failed", EXIT_USER, memory)
    said = f"The worker stopped on an internal error ({type(error).__name__}: {error}). The log has the details."
    return Ending("failed", EXIT_INTERNAL, said)


class _Replaced(BaseException):
    """Another process is at the job. No ``Exception``, so that nothing is saved over what that one writes."""


def _is_to_stop(folder: JobFolder, stop: threading.Event, lock: KeptLock) -> bool:
    folder.check_there()
    if not lock.keep():
        raise _Replaced
    return stop.is_set() or folder.is_asked_to_stop


@contextmanager
def _stop_signals(stop: threading.Event) -> Iterator[None]:
    """Turn SIGTERM and SIGINT into an event, so that the work stops between two steps."""
    if threading.current_thread() is not threading.main_thread():  # which alone may listen to signals
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def log_line(line: str) -> None:
    """Write a line to the log of the job."""
    print(line, file=sys.stderr, flush=True)
