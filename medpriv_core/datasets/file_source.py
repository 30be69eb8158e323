"""What the readers of datasets see of a folder or zip, and how much of either is read at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from medpriv_core.progress import ProgressCallback

MAX_FILES = 300_000  # with folders
MAX_FILE_BYTES = 512 * 1024**2

Fingerprint = tuple[int, int]  # size in bytes, CRC-32


class FileSource(Protocol):
    """A tree of files; names are relative, with "/" between their parts."""

    location: Path
    names: Sequence[str]  # sorted; without what archivers and file managers leave behind
    litter: int  # how many files those were
    overwritten: int  # files that an archive holds under a name that comes again later
    folders: Sequence[str]  # those that hold the names; empty for an archive

    def read(self, name: str, most_bytes: int = MAX_FILE_BYTES) -> bytes:
        """The file's bytes; raises ``ImageError`` if they cannot be had, or are more than ``most_bytes``."""
        ...

    def head(self, name: str, length: int) -> bytes:
        """The file's first bytes; raises ``ImageError`` if they cannot be had."""
        ...

    def fingerprints(self, names: Sequence[str], progress: ProgressCallback) -> list[Fingerprint]:
        """Size and CRC-32 of each file, in the order of ``names``."""
        ...
