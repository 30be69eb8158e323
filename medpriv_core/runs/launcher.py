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
from medpriv_core.processes import start_process
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

    def stop(self, row: RunRow, *, force: bool) -> None: ...


class LocalLauncher:
    """Workers as subprocesses in sessions of their own, so that they outlive runner and app."""

    def __init__(self, home: DataHome) -> None:
        self._home = home
        self._children: dict[str, subprocess.Popen[bytes]] = {}

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
            return Poll(alive=True)
        if child is not None:
            del self._children[row.id]
            return Poll(alive=False, exit_code=exit_code)
        starting = time.time() - (row.started_at or 0) < STARTUP_S and directory.read_outcome() is None
        return Poll(alive=starting and (row.pid is None or _process_exists(row.pid)))

    def stop(self, row: RunRow, *, force: bool) -> None:
        """Ask the worker to stop (it saves its checkpoint), or kill it with all it has started."""
        pid = self._worker_pid(row)
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if force:
                os.killpg(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGTERM)

    def _worker_pid(self, row: RunRow) -> int | None:
        child = self._children.get(row.id)
        if child is not None and child.poll() is None:
            return child.pid
        directory = RunDirectory(self._home.runs / row.id)
        if not is_held(directory.lock):
            return row.pid
        # A runner that was killed in between may have started this worker and not noted its process.
        return directory.read_worker_pid() or row.pid


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
