"""What Linux, macOS and Windows do each in their own way, with an equal for each: the one place that asks which it is.

A call that one system lacks is an ``AttributeError`` there, at the worst moment. So these calls stand here alone, and a
test looks for them elsewhere. What is not here has its equal where it is used: locks (``locks``), the rights of the
data home, which are looked at on POSIX only (``home_rights``), and limits of the decoding child (``uploads/child``).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

WINDOWS = os.name == "nt"
# The exit code by which a parent sees that a process was killed; Windows tells none.
KILLED = -9
_NEW_GROUP = 0x200  # CREATE_NEW_PROCESS_GROUP of Windows
# A reader, or a virus scanner, has a file open for milliseconds.
_REPLACE_WITHIN_S = 2.0


def apart() -> dict[str, Any]:
    """Arguments of ``Popen`` for a process that Ctrl-C in this terminal does not reach, and that outlives it."""
    return {"creationflags": _NEW_GROUP} if WINDOWS else {"start_new_session": True}


def end_with_children(process: psutil.Process) -> None:
    """Kill a process that was started ``apart``, and all that it has started.

    On POSIX its group, to which also those belong whose parent has ended; Windows has none, and its descendants go.
    Raises ``psutil.Error``, ``ProcessLookupError`` or ``PermissionError``.
    """
    if not WINDOWS and os.getpgid(process.pid) == process.pid:
        os.killpg(process.pid, signal.SIGKILL)
        return
    for child in process.children(recursive=True) if WINDOWS else ():
        with suppress(psutil.Error):
            child.kill()
    process.kill()


def replace(source: Path, target: Path) -> None:
    """Rename a file or folder to ``target``, in whose place it comes; readers see the old or the new one.

    Windows refuses while somebody has either open, so there it is tried again for two seconds. Raises ``OSError``.
    """
    deadline = time.monotonic() + _REPLACE_WITHIN_S
    while True:
        try:
            os.replace(source, target)
        except PermissionError:
            if not WINDOWS or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def is_read_only(folder: Path) -> bool:
    """Whether the disk with this folder is mounted to be read only; False on Windows, which does not tell it so."""
    return not WINDOWS and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def peak_memory_bytes() -> float:
    """The most memory that this process ever held; on Windows, where Python cannot ask, not a number."""
    if WINDOWS:
        return float("nan")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)
