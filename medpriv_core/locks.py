"""Locks between processes: who holds the file's lock does the work, the others wait.

The operating system frees the lock when its owner dies, however it dies, so a free lock means that
nobody is at work.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from medpriv_core.home import explain_disk_errors
from medpriv_core.private_files import FILE_MODE, make_folder
from medpriv_core.progress import ProgressCallback, no_progress

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_POLL_S = 0.2


def lock_at(path: Path) -> FileLock:
    """The lock whose file is ``path``, not yet held; only this account can open the file."""
    return FileLock(path, mode=FILE_MODE)


@contextmanager
def hold_lock(path: Path, *, progress: ProgressCallback = no_progress, phase: str = "Waiting") -> Iterator[None]:
    """Hold the lock at ``path``, waiting for it as long as it takes.

    ``progress`` is called with ``phase`` while waiting, so waiting can be cancelled. Raises
    ``DataHomeError`` where the lock file cannot be written.
    """
    with explain_disk_errors(path.parent):
        make_folder(path.parent)
    lock = lock_at(path)
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

    Nothing is written, so that it can be told on a read-only disk too. Raises ``DataHomeError`` where the lock file may
    not be opened.
    """
    if path.is_symlink() or not path.exists():  # no lock of ours is a link
        return False
    with explain_disk_errors(path.parent):
        if fcntl is None:
            return _is_refused(path)
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two who ask do not take each other for the holder.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
    return False


def _is_refused(path: Path) -> bool:
    lock = lock_at(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
