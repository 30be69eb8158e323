"""The files of a dataset in a folder, links followed: shared disks often hold datasets behind links.

Only ordinary files are read (``medpriv_core.regular_file``). A folder is listed entry by entry and with a limit, since
a link may lead to a whole disk.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from medpriv_core.datasets.file_source import MAX_FILE_BYTES, MAX_FILES, Fingerprint
from medpriv_core.datasets.fingerprints import read_fingerprints, write_fingerprints
from medpriv_core.datasets.names import is_junk
from medpriv_core.errors import DataHomeError, DatasetError, ImageError
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.regular_file import open_regular, read_regular, regular_pieces, stat_regular

LISTING, READING = "Listing files", "Reading files"
_TELL_EVERY = 1000  # entries


class FolderFiles:
    """A ``file_source.FileSource``; ``memory`` is a folder in which fingerprints are remembered.

    Raises ``DatasetError`` for a folder with far too many files, and ``OSError`` for one that cannot be listed.
    """

    overwritten = 0

    def __init__(self, folder: Path, memory: Path | None = None, progress: ProgressCallback = no_progress) -> None:
        self.location = folder
        self.litter = 0
        folders: list[str] = []
        self.folders: Sequence[str] = folders
        self.names: Sequence[str] = sorted(self._walk(folders, progress))
        digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:24]
        self._memory = memory / f"{digest}.json" if memory else None

    def read(self, name: str, most_bytes: int = MAX_FILE_BYTES) -> bytes:
        """See ``file_source.FileSource``."""
        place, called = self._place(name)
        return read_regular(place, called=called, error=ImageError, most_bytes=most_bytes)

    def head(self, name: str, length: int) -> bytes:
        """See ``file_source.FileSource``."""
        place, called = self._place(name)
        with open_regular(place, called=called, error=ImageError, most_bytes=MAX_FILE_BYTES) as file:
            try:
                return file.read(length)
            except OSError as error:
                raise ImageError(f"The file {name} cannot be read ({error.strerror}). Restore or remove it.") from error

    def fingerprints(self, names: Sequence[str], progress: ProgressCallback) -> list[Fingerprint]:
        """See ``file_source.FileSource``; what is remembered and has not changed is not read again."""
        known = read_fingerprints(self._memory) if self._memory else {}
        stamps = [self._stamp(name) for name in names]
        wanted = [name for name, stamp in zip(names, stamps, strict=True) if known.get(name, [])[:2] != stamp]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                for done, (name, crc) in enumerate(zip(wanted, pool.map(self._crc, wanted), strict=True)):
                    progress(READING, done, len(wanted))
                    known[name] = [0, 0, crc]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        for name, stamp in zip(names, stamps, strict=True):
            known[name] = [*stamp, known[name][2]]
        if wanted and self._memory:
            # It only spares reading them again: on a full or read-only disk they are looked at all the same.
            with suppress(DataHomeError):
                write_fingerprints(self._memory, known)
        return [(known[name][0], known[name][2]) for name in names]

    def _walk(self, folders_seen: list[str], progress: ProgressCallback) -> Iterator[str]:
        visited: set[str] = set()
        waiting = [self.location]
        count = 0
        while waiting:
            folder = waiting.pop()
            real = os.path.realpath(folder)
            if real in visited:  # a link that leads back up
                continue
            visited.add(real)
            relative = folder.relative_to(self.location)
            folders_seen.append(relative.as_posix())
            below: list[Path] = []
            with os.scandir(folder) as entries:
                for entry in entries:
                    count += 1
                    if count > MAX_FILES:
                        raise DatasetError(
                            f"{self.location} holds more than {MAX_FILES:,} files and folders. Give the dataset's own "
                            "folder."
                        )
                    if count % _TELL_EVERY == 0:
                        progress(LISTING, count, MAX_FILES)
                    if _is_folder(entry):
                        below.append(folder / entry.name)
                    elif is_junk(name := (relative / entry.name).as_posix()):
                        self.litter += 1
                    else:
                        yield name
            waiting += reversed(below)

    def _place(self, name: str) -> tuple[Path, str]:
        """Where a file lies, and what sentences call it."""
        return self.location / name, f"the file {name} in {self.location}"

    def _stamp(self, name: str) -> list[int]:
        place, called = self._place(name)
        status = stat_regular(place, called=called, error=ImageError, most_bytes=MAX_FILE_BYTES)
        return [status.st_size, status.st_mtime_ns]

    def _crc(self, name: str) -> int:
        place, called = self._place(name)
        crc = 0
        for piece in regular_pieces(place, called=called, error=ImageError, most_bytes=MAX_FILE_BYTES):
            crc = zlib.crc32(piece, crc)
        return crc


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False
