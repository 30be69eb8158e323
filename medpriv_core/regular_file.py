"""Opening files that somebody names: ordinary files only, no larger than agreed, and never read beyond their end.

A path may lead to a pipe, on which reading waits for ever, to a device that never ends, to a file that the system makes
while it is read, or to one that another program is writing. So a file is looked at before it is opened (opening some
devices is already an act), opened without waiting, and looked at once more through the open descriptor, which nobody
can exchange any more. Links are followed: what counts is where they lead.

What is read is as long as the file was when it was opened; if it changed meanwhile, that is said.
"""

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from medpriv_core.errors import MedprivError

_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"))
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# File systems whose files are answers of the system: some never end, some wait, none says how long it is.
_MADE_WHILE_READ = {
    "proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "configfs", "pstore", "bpf", "devpts",
    "mqueue", "fusectl", "binfmt_misc", "efivarfs", "nsfs", "rpc_pipefs", "selinuxfs", "smackfs",
}  # fmt: skip
_MOUNTS = Path("/proc/self/mountinfo")


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Whether an ordinary file is there; false, and no error, for whatever else a path may be or lead to."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def stat_regular(
    path: Path, *, called: str, error: type[MedprivError], most_bytes: int | None = None
) -> os.stat_result:
    """What the system says of the file; raises ``error`` as ``open_regular`` does, without opening it."""
    try:
        found = os.stat(path)
    except (OSError, ValueError) as failure:
        raise _refusal(failure, called, error) from failure
    _check(found, called, error, most_bytes)
    return found


def open_regular(path: Path, *, called: str, error: type[MedprivError], most_bytes: int | None = None) -> BinaryIO:
    """The file, open for reading bytes; the caller closes it.

    ``called`` is what sentences call it, such as "the image scan.png". Raises ``error`` if nothing is there, if it is a
    folder, a pipe, a socket, a device or a file that the system makes while it is read, if it has more than
    ``most_bytes``, or if it may not be read.
    """
    stat_regular(path, called=called, error=error, most_bytes=most_bytes)
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as failure:
        raise _refusal(failure, called, error) from failure
    try:
        _check(os.fstat(descriptor), called, error, most_bytes)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, *, called: str, error: type[MedprivError], most_bytes: int) -> bytes:
    """All bytes of the file; raises ``error`` as ``open_regular`` does, and if the file changed while it was read."""
    return b"".join(regular_pieces(path, called=called, error=error, most_bytes=most_bytes, piece_bytes=most_bytes + 1))


def regular_pieces(
    path: Path, *, called: str, error: type[MedprivError], most_bytes: int, piece_bytes: int = 1 << 20
) -> Iterator[bytes]:
    """The bytes of the file, some at a time; raises ``error`` as ``read_regular`` does, at the end if it changed."""
    with open_regular(path, called=called, error=error, most_bytes=most_bytes) as file:
        before = os.fstat(file.fileno())
        count = 0
        try:
            # One more than it had is enough to know that it grew.
            while piece := file.read(min(piece_bytes, before.st_size + 1 - count)):
                count += len(piece)
                yield piece
        except OSError as failure:
            raise _refusal(failure, called, error) from failure
        if count != before.st_size or has_changed(file, before):
            raise error(f"{_capital(called)} changed while it was read. Try again when nothing writes to it any more.")


def has_changed(file: BinaryIO, before: os.stat_result) -> bool:
    """Whether an open file has another size or time of change than ``before``."""
    now = os.fstat(file.fileno())
    return (before.st_size, before.st_mtime_ns) != (now.st_size, now.st_mtime_ns)


def _check(found: os.stat_result, called: str, error: type[MedprivError], most_bytes: int | None) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise error(f"{_capital(called)} is a folder and not a file. Give the file itself.")
    if not stat.S_ISREG(found.st_mode):
        kind = next((words for is_kind, words in _KINDS if is_kind(found.st_mode)), "something else")
        raise error(
            f"{_capital(called)} is {kind} and not an ordinary file. Copy what it holds into a file, and give that."
        )
    if _is_made_while_read(found.st_dev):
        raise error(
            f"{_capital(called)} is made by the system while it is read, as files in /proc are. Copy what it holds "
            "into a file elsewhere, and give that."
        )
    if most_bytes is not None and found.st_size > most_bytes:
        raise error(
            f"{_capital(called)} has {found.st_size / 2**20:,.0f} MB; up to {most_bytes / 2**20:,.0f} MB are read. "
            "Give a smaller one."
        )


def _refusal(failure: OSError | ValueError, called: str, error: type[MedprivError]) -> MedprivError:
    if isinstance(failure, FileNotFoundError | NotADirectoryError):
        return error(f"{_capital(called)} does not exist. Check its name and place.")
    if isinstance(failure, PermissionError):
        return error(f"medpriv may not read {called}. Change its permissions.")
    if isinstance(failure, OSError) and failure.errno == errno.ELOOP:
        return error(f"{_capital(called)} is a link that leads in a circle. Give the file itself.")
    reason = failure.strerror if isinstance(failure, OSError) and failure.strerror else "no such name can be"
    return error(f"{_capital(called)} cannot be opened ({reason}). Check its name and place.")


@functools.lru_cache(maxsize=256)
def _is_made_while_read(device: int) -> bool:
    """Whether the file system with this number is one of the system's own. Known on Linux alone."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        place, _, source = line.partition(" - ")
        if place.split()[2:3] == [number]:
            return source.split()[:1] != [] and source.split()[0] in _MADE_WHILE_READ
    return False


def _capital(called: str) -> str:
    return called[:1].upper() + called[1:]
