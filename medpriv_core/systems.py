"""What Linux, macOS and Windows do each in their own way, with an equal for each: the one place that asks which it is.

A call that one system lacks is an ``AttributeError`` there, at the worst moment. So these calls stand here alone, and a
test looks for them elsewhere. What is not here has its equal where it is used: locks (``locks``), the rights of the
data home, which are looked at on POSIX only (``home_rights``), and limits of the decoding child (``uploads/child``).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

WINDOWS = os.name == "nt"
# Ends a process at once. On Windows every signal but Ctrl-C does.
KILL: int = getattr(signal, "SIGKILL", signal.SIGTERM)
# The exit code by which a parent sees that; Windows tells none.
KILLED = -9
_NEW_GROUP = 0x200  # CREATE_NEW_PROCESS_GROUP of Windows
# A reader, or a virus scanner, has a file open for milliseconds.
_REPLACE_WITHIN_S = 2.0


def apart() -> dict[str, Any]:
    """Arguments of ``Popen`` for a process that Ctrl-C in this terminal does not reach, and that outlives it."""
    return {"creationflags": _NEW_GROUP} if WINDOWS else {"start_new_session": True}


def signal_all(pid: int, number: int) -> None:
    """Send a signal to a process that was started ``apart``, and to all that it has started.

    On Windows only ``KILL`` reaches the others. Raises ``ProcessLookupError`` or ``PermissionError`` as ``os.kill``.
    """
    if not WINDOWS and os.getpgid(pid) == pid:
        os.killpg(pid, number)
    elif WINDOWS and number == KILL:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True, check=False)
    else:
        os.kill(pid, number)


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
