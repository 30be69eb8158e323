"""The image files of a dataset, in a folder or in a zip that is read in place.

A dataset is known by its content, not by where it lies: every file has a *fingerprint*, its size and
CRC-32. A zip carries both in its table of contents; for a folder they are computed once and remembered
beside each file's size and time of change, as version control does, so that a second start reads no
image and a changed file is noticed. A CRC finds accidents and duplicates; it is no defence against
forgery, and need not be: the files are the user's own.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from medpriv_core.datasets.images import decode_image, to_square
from medpriv_core.errors import DatasetError, ImageError
from medpriv_core.home import explain_disk_errors, read_json, write_json
from medpriv_core.progress import ProgressCallback, no_progress

IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png")
MAX_FILES = 300_000
MAX_FILE_BYTES = 512 * 1024**2

Fingerprint = tuple[int, int]  # size in bytes, CRC-32


class FileSource(Protocol):
    """A tree of files; names are relative, with "/" between their parts."""

    location: Path
    names: Sequence[str]  # sorted; without what archivers and file managers leave behind

    def read(self, name: str) -> bytes:
        """The file's bytes; raises ``ImageError`` if they cannot be had."""
        ...

    def fingerprints(self, names: Sequence[str], progress: ProgressCallback) -> list[Fingerprint]:
        """Size and CRC-32 of each file, in the order of ``names``."""
        ...


def open_files(path: Path, *, memory: Path | None = None) -> FileSource:
    """The files of a folder or of a zip.

    ``memory`` is a folder in which fingerprints are remembered. Raises ``DatasetError`` if ``path`` is
    neither, cannot be read, or is a zip with names that lead out of it.
    """
    try:
        if path.is_dir():
            return FolderFiles(path, memory)
        if path.is_file():
            return ZipFiles(path)
    except PermissionError as error:
        raise DatasetError(f"medpriv may not read {error.filename or path}. Change its permissions.") from error
    raise DatasetError(f"There is no folder or file at {path}. Check the path.")


class FolderFiles:
    """Files in a folder, links followed (shared disks often hold datasets behind links)."""

    def __init__(self, folder: Path, memory: Path | None = None) -> None:
        self.location = folder
        self.names: Sequence[str] = sorted(self._walk())
        digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:24]
        self._memory = memory / f"{digest}.json" if memory else None

    def read(self, name: str) -> bytes:
        try:
            return (self.location / name).read_bytes()
        except OSError as error:
            raise ImageError(f"The file {name} cannot be read ({error.strerror}). Restore or remove it.") from error

    def fingerprints(self, names: Sequence[str], progress: ProgressCallback) -> list[Fingerprint]:
        known = (read_json(self._memory) if self._memory else None) or {}
        stamps = [self._stamp(name) for name in names]
        # name -> [size, time of change in ns, CRC-32]
        wanted = [name for name, stamp in zip(names, stamps, strict=True) if known.get(name, [])[:2] != stamp]
        phase = "Reading files"
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                for done, (name, crc) in enumerate(zip(wanted, pool.map(self._crc, wanted), strict=True)):
                    progress(phase, done, len(wanted))
                    known[name] = [0, 0, crc]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        for name, stamp in zip(names, stamps, strict=True):
            known[name] = [*stamp, known[name][2]]
        if wanted and self._memory:
            with explain_disk_errors(self._memory):
                write_json(self._memory, known)
        return [(known[name][0], known[name][2]) for name in names]

    def _walk(self) -> Iterable[str]:
        visited: set[str] = set()
        count = 0
        for folder, folders, files in os.walk(self.location, onerror=_raise, followlinks=True):
            real = os.path.realpath(folder)
            if real in visited:  # a link that leads back up
                folders.clear()
                continue
            visited.add(real)
            count += len(files)
            if count > MAX_FILES:
                raise DatasetError(
                    f"{self.location} holds more than {MAX_FILES:,} files. Give the dataset's own folder."
                )
            relative = Path(folder).relative_to(self.location)
            yield from (name for file in files if not is_junk(name := (relative / file).as_posix()))

    def _stamp(self, name: str) -> list[int]:
        try:
            status = os.stat(self.location / name)
        except OSError as error:
            raise ImageError(f"The file {name} cannot be read ({error.strerror}). Restore or remove it.") from error
        return [status.st_size, status.st_mtime_ns]

    def _crc(self, name: str) -> int:
        return zlib.crc32(self.read(name))


class ZipFiles:
    """Files in a zip, read in place: nothing is ever extracted. Safe to read from several threads."""

    def __init__(self, path: Path) -> None:
        self.location = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
            raise DatasetError(
                f"{path} is not a zip file, or is cut short. Give a folder or a sound zip; download it again if needed."
            ) from error
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            name = member.filename.replace("\\", "/")
            if _leads_out(name):
                raise DatasetError(
                    f"The zip {path} holds the name {member.filename!r}, which leads out of the archive. medpriv does "
                    "not open such files; download the dataset again from its source."
                )
            if not member.is_dir() and not is_junk(name):
                self._members[name] = member
        self.names: Sequence[str] = sorted(self._members)

    def read(self, name: str) -> bytes:
        member = self._members[name]
        if member.flag_bits & 0x1:
            raise ImageError(f"The file {name} in the zip is encrypted. Unpack it yourself and give the folder.")
        if member.file_size > MAX_FILE_BYTES:
            raise ImageError(f"The file {name} in the zip unpacks to more than {MAX_FILE_BYTES // 1024**2} MiB.")
        try:
            return self._zip.read(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise ImageError(f"The file {name} in the zip is damaged. Download the zip again.") from error

    def fingerprints(self, names: Sequence[str], progress: ProgressCallback) -> list[Fingerprint]:
        del progress  # the table of contents has them all
        return [(self._members[name].file_size, self._members[name].CRC) for name in names]


@dataclass(frozen=True)
class FileSplit:
    """A split whose images are files; see ``datasets.base.Split``."""

    files: FileSource
    names: Sequence[str]
    ids: Sequence[str]
    labels: np.ndarray
    channels: int

    def image(self, index: int) -> Image.Image:
        """The image at its own size; raises ``ImageError``."""
        return decode_image(self.files.read(self.names[index]), channels=self.channels, name=self.names[index])

    def square(self, index: int, size: int) -> np.ndarray:
        """The image squashed to ``uint8`` (size, size, channels), faster than by way of ``image``."""
        name = self.names[index]
        return to_square(decode_image(self.files.read(name), channels=self.channels, name=name, at_least=size), size)


def content_key(name: str, splits: Iterable[FileSplit], progress: ProgressCallback = no_progress) -> str:
    """Digest of the fingerprints, labels and ids of all splits, in their order."""
    digest = hashlib.sha256(name.encode())
    for split in splits:
        prints = split.files.fingerprints(split.names, progress)
        for label, id_, (size, crc) in zip(split.labels.tolist(), split.ids, prints, strict=True):
            digest.update(f"{label} {size} {crc} {id_}\n".encode())
        digest.update(b"--\n")
    return digest.hexdigest()[:32]


def is_image(name: str) -> bool:
    """Whether the name ends as the name of a JPEG or PNG file."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_junk(name: str) -> bool:
    """Whether a file is what macOS or Windows leave in folders and zips (".DS_Store", "._x", "__MACOSX/x")."""
    *folders, file = name.split("/")
    return file.startswith(".") or file in ("Thumbs.db", "desktop.ini") or "__MACOSX" in folders


def _leads_out(name: str) -> bool:
    return name.startswith("/") or re.match(r"[A-Za-z]:", name) is not None or ".." in name.split("/")


def _raise(error: OSError) -> None:
    raise error
