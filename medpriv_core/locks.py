"""Locks between processes: who holds the file's lock does the work, the others wait.

The operating system frees the lock when its owner dies, however it dies, so a free lock means that
nobody is at work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from medpriv_core.home import explain_disk_errors
from medpriv_core.progress import ProgressCallback, no_progress

_POLL_S = 0.2


@contextmanager
def hold_lock(path: Path, *, progress: ProgressCallback = no_progress, phase: str = "Waiting") -> Iterator[None]:
    """Hold the lock at ``path``, waiting for it as long as it takes.

    ``progress`` is called with ``phase`` while waiting, so waiting can be cancelled. Raises
    ``DataHomeError`` where the lock file cannot be written.
    """
    with explain_disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    while True:
        try:
            with explain_disk_errors(path.parent):
                lock.acquire(timeout=_POLL_S)
            break
        except Timeout:
            progress(phase, 0, 0)
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether some process (this one included) holds the lock at ``path`` now.

    Raises ``DataHomeError`` where the lock file may not be opened.
    """
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        with explain_disk_errors(path.parent):
            lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
