"""The image files of a dataset, in a folder or in a zip that is read in place.

A dataset is known by its content, not by where it lies: every file has a *fingerprint*, its size and
CRC-32. A zip carries both in its table of contents; for a folder they are computed once and remembered
beside each file's size and time of change, as version control does, so that a second start reads no
image and a changed file is noticed. A CRC finds accidents and duplicates; it is no defence against
forgery, and need not be: the files are the user's own.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from medpriv_core.datasets.images import decode_image, to_square
from medpriv_core.datasets.names import is_junk
from medpriv_core.datasets.places import check_not_packed, what_is, with_article
from medpriv_core.errors import DataHomeError, DatasetError, ImageError
from medpriv_core.home import explain_disk_errors, read_json, write_json
from medpriv_core.printable import printable
from medpriv_core.progress import ProgressCallback, no_progress

MAX_FILES = 300_000
MAX_FILE_BYTES = 512 * 1024**2

Fingerprint = tuple[int, int]  # size in bytes, CRC-32

# How members of zips may be packed (PKWARE's APPNOTE 4.4.5), and the module of Python that unpacks them.
_METHODS: dict[int, tuple[str, str | None]] = {
    0: ("nothing", "zlib"),
    8: ("Deflate", "zlib"),
    9: ("Deflate64", None),
    12: ("bzip2", "bz2"),
    14: ("LZMA", "lzma"),
    93: ("Zstandard", "compression.zstd"),
    95: ("xz", None),
    98: ("PPMd", None),
}


class FileSource(Protocol):
    """A tree of files; names are relative, with "/" between their parts."""

    location: Path
    names: Sequence[str]  # sorted; without what archivers and file managers leave behind
    litter: int  # how many files those were
    overwritten: int  # files that an archive holds under a name that comes again later
    folders: Sequence[str]  # those that hold the names; empty for an archive

    def read(self, name: str) -> bytes:
        """The file's bytes; raises ``ImageError`` if they cannot be had."""
        ...

    def head(self, name: str, length: int) -> bytes:
        """The file's first bytes; raises ``ImageError`` if they cannot be had."""
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

    overwritten = 0

    def __init__(self, folder: Path, memory: Path | None = None) -> None:
        self.location = folder
        self.litter = 0
        folders: list[str] = []
        self.folders: Sequence[str] = folders
        self.names: Sequence[str] = sorted(self._walk(folders))
        digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:24]
        self._memory = memory / f"{digest}.json" if memory else None

    def read(self, name: str) -> bytes:
        size, _ = self._stamp(name)
        if size > MAX_FILE_BYTES:
            raise ImageError(f"The file {name} has more than {MAX_FILE_BYTES // 1024**2} MiB. Remove it.")
        return self.head(name, -1)

    def head(self, name: str, length: int) -> bytes:
        self._stamp(name)
        try:
            with open(self.location / name, "rb") as file:
                return file.read(length)
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
            # It only spares reading them again: on a full or read-only disk they are looked at all the same.
            with suppress(DataHomeError), explain_disk_errors(self._memory):
                write_json(self._memory, known)
        return [(known[name][0], known[name][2]) for name in names]

    def _walk(self, folders_seen: list[str]) -> Iterable[str]:
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
            folders_seen.append(relative.as_posix())
            kept = [name for file in files if not is_junk(name := (relative / file).as_posix())]
            self.litter += len(files) - len(kept)
            yield from kept

    def _stamp(self, name: str) -> list[int]:
        try:
            status = os.stat(self.location / name)
        except OSError as error:
            raise ImageError(f"The file {name} cannot be read ({error.strerror}). Restore or remove it.") from error
        if not stat.S_ISREG(status.st_mode):  # reading from a pipe or a device would never end
            raise ImageError(f"{name} in {self.location} is no ordinary file. Remove it.")
        return [status.st_size, status.st_mtime_ns]

    def _crc(self, name: str) -> int:
        return zlib.crc32(self.read(name))


class ZipFiles:
    """Files in a zip, read in place: nothing is ever extracted. Safe to read from several threads."""

    folders: Sequence[str] = ()

    def __init__(self, path: Path) -> None:
        self.location = path
        self.litter = self.overwritten = 0
        self._zip = _open_zip(path)
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            name = _member_name(member)
            if _leads_out(name):
                raise DatasetError(
                    f"The zip {path} holds the name {member.filename!r}, which leads out of the archive. medpriv does "
                    "not open such files; download the dataset again from its source."
                )
            if member.is_dir():
                continue
            if is_junk(name):
                self.litter += 1
                continue
            self.overwritten += name in self._members
            self._members[name] = member
            if len(self._members) > MAX_FILES:
                raise DatasetError(f"{path} holds more than {MAX_FILES:,} files. Give the dataset's own zip.")
        self.names: Sequence[str] = sorted(self._members)
        check_members(path, self._members.values())

    def read(self, name: str) -> bytes:
        if self._members[name].file_size > MAX_FILE_BYTES:
            raise ImageError(f"The file {name} in the zip unpacks to more than {MAX_FILE_BYTES // 1024**2} MiB.")
        return self.head(name, -1)

    def head(self, name: str, length: int) -> bytes:
        try:
            with self._zip.open(self._members[name]) as file:
                return file.read(length)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, lzma.LZMAError) as error:
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
            digest.update(f"{label} {size} {crc} {printable(id_)}\n".encode())
        digest.update(b"--\n")
    return digest.hexdigest()[:32]


def inner_archives(files: FileSource) -> str:
    """A sentence on the archives among the files, where what was looked for may lie; empty if there are none."""
    packed = [name for name in files.names if re.search(r"\.(zip|rar|7z|tar|tgz|tbz2?|txz|t?gz|npz)$", name.lower())]
    if files.names and all(name.endswith(".npy") for name in files.names):
        return " It is an npz file of arrays: if it is MedMNIST's, add it as pneumoniamnist or retinamnist."
    if not packed:
        return ""
    others = f" and {len(packed) - 1:,} more" if len(packed) > 1 else ""
    inside = ", and give the folder" if not files.folders else " or, if it is a zip or npz, give that file itself"
    return f" It holds the archive {packed[0]}{others}: unpack it{inside}."


def _open_zip(path: Path) -> zipfile.ZipFile:
    """The zip at ``path``; raises ``DatasetError`` that says what the file is instead."""
    try:
        return zipfile.ZipFile(path)
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"The zip {path} says that its names are in UTF-8, and they are not. Unpack it, and give the folder."
        ) from error
    except PermissionError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        kind = what_is(path)
        check_not_packed(path, kind, "the folder")
        if kind == "zip":
            raise DatasetError(f"The zip {path} is cut short or damaged. Download it again.") from error
        raise DatasetError(
            f"{path} is not a zip file: it is {with_article(kind)}.{_what_instead(path, kind)}"
        ) from error


def _what_instead(path: Path, kind: str) -> str:
    if kind in ("text", "picture"):
        return f" Give the folder that holds images and table; it lies in {path.parent}."
    if kind == "web page":
        return " The site may have wanted a login: download the dataset in a browser where you are logged in."
    return " Give the dataset's folder or zip."


def _member_name(member: zipfile.ZipInfo) -> str:
    """The name as its maker meant it: many programs write UTF-8 without the mark for it."""
    name = member.filename
    if not member.flag_bits & 0x800 and not name.isascii():
        with contextlib.suppress(UnicodeError):  # else it is a name in the zip's own alphabet
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def check_members(path: Path, members: Iterable[zipfile.ZipInfo]) -> None:
    """Raise ``DatasetError`` if a member is encrypted or packed in a way that cannot be unpacked here."""
    for member in members:
        if member.flag_bits & 0x1 or member.compress_type == 99:
            raise DatasetError(
                f"The zip {path} is encrypted ({member.filename}). Unpack it with its password, and give the folder."
            )
        method, module = _METHODS.get(member.compress_type, (f"method {member.compress_type}", None))
        if module is None or not _is_there(module):
            raise DatasetError(
                f"The zip {path} is sound, but compressed by {method}, which medpriv cannot unpack. Unpack it "
                'yourself and give the folder, or compress it again by "Deflate".'
            )


@functools.cache
def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its package is not there either
        return False


def _leads_out(name: str) -> bool:
    return name.startswith("/") or re.match(r"[A-Za-z]:", name) is not None or ".." in name.split("/")


def _raise(error: OSError) -> None:
    raise error
