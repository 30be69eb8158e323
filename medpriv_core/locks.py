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
_ASKED_S = 1.0  # whoever asks whether a lock is held holds it for a moment


def lock_at(path: Path) -> FileLock:
    """The lock whose file is ``path``, not yet held; only this account can open the file."""
    return FileLock(path, mode=FILE_MODE)


class KeptLock:
    """A lock that is held for hours, and taken again if somebody removes its file.

    Without the file nobody else can tell that it is held: a second one would take up the same work.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = lock_at(path)
        self._file: tuple[int, int] | None = None

    def acquire(self, *, timeout: float) -> None:
        """Wait ``timeout`` seconds at most; raises ``filelock.Timeout`` if another one holds it all the time."""
        self._lock.acquire(timeout=timeout)
        self._file = self._there()

    def keep(self) -> bool:
        """Take it again if its file is not there any more; False if another one was quicker.

        Cheap enough for every batch. A disk that refuses leaves things as they are until the next time.
        """
        there = self._there()
        if there == self._file and there is not None:
            return True
        again = lock_at(self._path)
        try:
            again.acquire(timeout=_ASKED_S)
        except Timeout:
            return False
        except OSError:
            return True
        self._lock.release()
        self._lock, self._file = again, self._there()
        return True

    def release(self) -> None:
        """Let go of it."""
        self._lock.release()

    def _there(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path, follow_symlinks=False)
        except OSError:
            return None
        return found.st_dev, found.st_ino


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
