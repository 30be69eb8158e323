"""How a worker is started, watched and stopped. Here: a process on this machine.

A launcher has three methods, ``start``, ``poll`` and ``stop``; one for a cluster's scheduler would
have the same. Whatever a launcher says, the truth about a run's end is its ``outcome.json``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Protocol

from medpriv_core.home import DataHome
from medpriv_core.locks import is_held
from medpriv_core.processes import process_begun, send_signal, start_process
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunRow

# A worker takes its lock right after Python has started. Until then only its parent knows it lives.
STARTUP_S = 20.0


@dataclass(frozen=True)
class Poll:
    """What is known about a worker: alive or not, and how its process ended if that is known."""

    alive: bool
    exit_code: int | None = None  # negative: killed by that signal


class Launcher(Protocol):
    """Starts, polls and stops the worker of a run."""

    def start(self, run_id: str, directory: RunDirectory) -> int: ...

    def poll(self, row: RunRow, directory: RunDirectory) -> Poll: ...

    def stop(self, row: RunRow, *, force: bool) -> bool: ...


class LocalLauncher:
    """Workers as subprocesses in sessions of their own, so that they outlive runner and app."""

    def __init__(self, home: DataHome) -> None:
        self._home = home
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        # By run and start: when it was first looked at without a lock, and which of them were seen with one.
        self._first_seen: dict[tuple[str, float | None], float] = {}
        self._seen_at_work: set[tuple[str, float | None]] = set()

    def start(self, run_id: str, directory: RunDirectory) -> int:
        """Start the worker and return its process id; raises ``OSError`` where that fails."""
        child = start_process(self._home, "worker", str(directory.path), log=directory.log)
        self._children[run_id] = child
        return child.pid

    def poll(self, row: RunRow, directory: RunDirectory) -> Poll:
        """Whether a worker lives: by its process if it is our child, else by its lock."""
        child = self._children.get(row.id)
        exit_code = child.poll() if child is not None else None
        if child is not None and exit_code is None:
            return Poll(alive=True)
        # Our child may have found another worker there, one that was slow to start and taken for dead.
        if is_held(directory.lock):
            self._seen_at_work.add((row.id, row.started_at))
            return Poll(alive=True)
        if child is not None:
            del self._children[row.id]
            return Poll(alive=False, exit_code=exit_code)
        return Poll(alive=self._may_be_starting(row, directory))

    def stop(self, row: RunRow, *, force: bool) -> bool:
        """Ask the worker to stop (it saves its checkpoint), or kill it with all it has started.

        False where it cannot be told which process it is: one that is about to start says so in a moment.
        """
        child = self._children.get(row.id)
        if child is None or child.poll() is not None:
            worker = RunDirectory(self._home.runs / row.id).read_worker()
            return send_signal(worker, signal.SIGKILL if force else signal.SIGTERM, group=force)
        with contextlib.suppress(ProcessLookupError):
            if force:
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.terminate()
        return True

    def _may_be_starting(self, row: RunRow, directory: RunDirectory) -> bool:
        """Whether a worker that another runner has started may be on its way to its lock.

        Its time counts from this runner's first look, because the time of day in the table may be from before or after
        the clock was set.
        """
        run = (row.id, row.started_at)
        gone = row.pid is not None and process_begun(row.pid) is None
        if gone or run in self._seen_at_work or directory.read_outcome() is not None:
            return False
        return time.monotonic() - self._first_seen.setdefault(run, time.monotonic()) < STARTUP_S
