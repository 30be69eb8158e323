"""The process that waits for a run, from the inside (``runs.spare`` is the outside).

What a worker needs is loaded in a thread, so that an order can be taken meanwhile: from then on the process is a worker
like any other, which holds its lock, writes to its log and can be stopped, and goes on loading.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from medpriv_core.home import DataHome
from medpriv_core.jobs.process import EXIT_OK
from medpriv_core.private_files import open_private
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.training.worker import run_worker

# What a run loads before its first step.
MODULES = ("torch", "dp_accounting", "medpriv_core.training.session", "medpriv_core.training.loop")
LOOK_EVERY_S = 0.2


def wait_for_order(home: DataHome, orders: BinaryIO = sys.stdin.buffer) -> int:
    """Load what a run needs, wait for the line that names one, and train it; returns the worker's exit code.

    Leaves when ``orders`` ends before.
    """
    loading = threading.Thread(target=_load, daemon=True)
    loading.start()
    line = orders.readline()
    if not line.endswith(b"\n"):
        os._exit(EXIT_OK)  # in the middle of loading, too
    order = json.loads(line)
    directory = RunDirectory(Path(order["run"]))
    _become(directory)

    def loaded() -> bool:
        loading.join(LOOK_EVERY_S)
        return not loading.is_alive()

    return run_worker(directory.path, home, device=order["device"], loaded=loaded)


def _load() -> None:
    # What cannot be loaded is said by the run, which tries it again.
    with suppress(Exception):
        for name in MODULES:
            import_module(name)


def _become(directory: RunDirectory) -> None:
    """Write to the log of the run, and read nothing more, as a worker that was started for it."""
    with open_private(directory.log, "ab") as log, open(os.devnull, "rb") as nothing:
        sys.stdout.flush()
        sys.stderr.flush()
        for number in (sys.stdout.fileno(), sys.stderr.fileno()):
            os.dup2(log.fileno(), number)
        os.dup2(nothing.fileno(), 0)
