"""How a worker is started, watched and stopped. Here: a process on this machine.

A launcher has four methods, ``slots``, ``start``, ``poll`` and ``stop``, and a line in ``LAUNCHERS``; one for a
cluster's scheduler would have the same. A worker is asked to stop by a file in its run's folder, which needs no
launcher; ``stop`` is quicker, and ends one that does not listen. Whatever a launcher says, the truth about a run's end
is its ``outcome.json``.
"""

from __future__ import annotations

import functools
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from medpriv_core.home import DataHome
from medpriv_core.locks import is_held
from medpriv_core.processes import ask_to_end, command_line, environment, kill_all, process_begun, start_process
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spare import Spare
from medpriv_core.runs.store import LOCAL, RunRow

_MOST_DIGITS = 10  # of the number of a process
# Of the drivers of NVIDIA and AMD; PyTorch calls the devices of both CUDA.
_SIGNS = (Path("/proc/driver/nvidia/gpus"), Path("/dev/kfd"))
COUNT_WITHIN_S = 120.0  # loading torch from a slow disk

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Poll:
    """What is known about a worker: alive or not, and how its process ended if that is known."""

    alive: bool
    exit_code: int | None = None  # negative: killed by that signal


class Launcher(Protocol):
    """Says where runs may be computed, and starts, polls and stops their workers.

    A worker is known by a handle, one line of text that ``start`` returns and the table of runs keeps (``row.handle``),
    so that the launcher of a later process finds it again.
    """

    def slots(self, wanted: str) -> Sequence[str]:
        """Its devices for a run whose setting is ``wanted`` (auto, cpu, cuda, ...), the best first; each takes one."""

    def start(self, row: RunRow, directory: RunDirectory) -> str:
        """Start the worker on the device ``row.slot``, and return its handle.

        Raises ``OSError`` or ``DataHomeError`` where that fails.
        """

    def poll(self, row: RunRow, directory: RunDirectory) -> Poll:
        """Whether the worker lives."""

    def stop(self, row: RunRow, *, force: bool) -> bool:
        """Ask the worker to look for the file at once, or kill it; False where it cannot be told which one it is."""


@runtime_checkable
class KeepsReady(Protocol):
    """A launcher that can have a worker wait for the next run."""

    def keep_ready(self, running: int) -> bool:
        """Called at each look, with the number of its runs that train; whether a worker waits."""

    def let_go(self) -> None:
        """The runner leaves: no worker is to wait any more."""


class LocalLauncher:
    """Workers as subprocesses in sessions of their own, so that they outlive runner and app."""

    def __init__(self, home: DataHome) -> None:
        self._home = home
        self._spare = Spare(home)
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @staticmethod
    def slots(wanted: str) -> Sequence[str]:
        """Every CUDA device for a run that names none of them; without one, ``auto`` is the machine itself."""
        if wanted not in ("auto", "cuda"):
            return (wanted,)
        cuda = tuple(f"cuda:{number}" for number in range(count_cuda_devices()))
        if wanted == "cuda":
            return cuda or ("cuda:0",)  # where the worker says what is missing
        return cuda or ("mps" if sys.platform == "darwin" else "cpu",)

    def keep_ready(self, running: int) -> bool:
        """Keep a worker waiting while somebody is about to launch a run and a device is free for it."""
        return self._spare.keep(room=running == 0 or running < len(self.slots("auto")))

    def let_go(self) -> None:
        """Let the waiting worker leave."""
        self._spare.let_go()

    def start(self, row: RunRow, directory: RunDirectory) -> str:
        """Start the worker and return its process by number and beginning; raises ``OSError`` where that fails.

        One that waits is taken; else a process is started.
        """
        device = row.slot if row.slot.startswith("cuda:") else None
        child = self._spare.hand_over(directory, device)
        if child is None:
            more = ("--device", device) if device else ()
            child = start_process(self._home, "worker", str(directory.path), *more, log=directory.log)
        self._children[row.id] = child
        return handle_of({"pid": child.pid, "begun": process_begun(child.pid)}) or ""

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
        return Poll(alive=_may_be_there(row.handle) and directory.is_at_work(row.started_at))

    def stop(self, row: RunRow, *, force: bool) -> bool:
        """Ask the worker to stop (it saves its checkpoint), or kill it with all it has started.

        False where it cannot be told which process it is: one that is about to start says so in a moment.
        """
        end = kill_all if force else ask_to_end
        # A runner that was killed had no time to note the handle, and one of 0.1.0 noted the number only.
        said = RunDirectory(self._home.runs / row.id).read_worker()
        return any(end(worker) for worker in (_identity(row.handle), said))


@functools.cache
def count_cuda_devices() -> int:
    """How many CUDA devices PyTorch sees on this machine, as it says itself in a process of its own.

    So this process needs no torch, and what hides devices (``CUDA_VISIBLE_DEVICES``, a torch for CPUs alone) counts.
    Asked once, and only where something of a graphics card is to be seen; 1 where the answer does not come.
    """
    if not (any(path.exists() for path in _SIGNS) or shutil.which("nvidia-smi")):
        return 0
    try:
        options: dict[str, Any] = {"env": environment(), "capture_output": True, "timeout": COUNT_WITHIN_S}
        return int(subprocess.run(command_line("devices"), **options, check=True).stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        log.warning("PyTorch did not say how many CUDA devices there are (%s); runs take turns on the first", error)
        return 1


# Each makes the launcher of a data home; a run in the table names one of them.
LAUNCHERS: dict[str, Callable[[DataHome], Launcher]] = {LOCAL: LocalLauncher}


def handle_of(worker: Mapping[str, Any]) -> str | None:
    """The handle of a process of this machine, known by ``processes.own_identity``; None where that is not whole."""
    return None if worker.get("pid") is None else f"{worker['pid']} {worker.get('begun') or ''}".strip()


def _identity(handle: str | None) -> dict[str, Any]:
    number, _, begun = (handle or "").partition(" ")
    # Of a damaged table it may be anything, and Python makes no number of thousands of digits.
    whole = number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS
    return {"pid": int(number), "begun": begun or None} if whole else {}


def _may_be_there(handle: str | None) -> bool:
    """False where the process is gone for certain, or another one has its number."""
    worker = _identity(handle)
    if not worker:
        return True
    begun = process_begun(worker["pid"])
    return begun is not None and worker["begun"] in (None, begun)
