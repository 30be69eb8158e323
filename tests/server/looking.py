"""Looking at a process from outside: what lies in its memory, and in the files that it has open (Linux)."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

_CHUNK = 16 * 2**20
_WRITABLE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw")


def holds(pid: int, wanted: bytes) -> bool:
    """Whether ``wanted`` stands anywhere in the memory of a process that it can write."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for found in map(_WRITABLE.match, maps.splitlines()):
            if found is None:
                continue
            start, end = (int(number, 16) for number in found.groups())
            before = b""
            while start < end:
                piece = b""
                # A region may have gone, or may not be readable, as those of the graphics card.
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    memory.seek(start)
                    piece = memory.read(min(_CHUNK, end - start))
                if wanted in piece or wanted in before + piece[: len(wanted)]:
                    return True
                before = piece[-len(wanted) :]
                start += len(piece) or _CHUNK
    return False


def open_files_with(pid: int, wanted: bytes) -> list[str]:
    """The files that a process has open and that begin with or hold ``wanted``, deleted ones included."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # Gone in the meantime, or a pipe or socket, which is not for reading.
        with contextlib.suppress(OSError):
            target = os.readlink(link)
            if target.startswith("/") and not target.startswith("/dev/") and wanted in link.read_bytes():
                found.append(target)
    return found
