"""The files of a dataset in a zip, read in place: nothing is ever unpacked to the disk.

Neither its table of contents nor its members are believed (``medpriv_core.zips``), and what unpacks to hundreds of
times its size is not read: no picture does that, unless it was made to.
"""

from __future__ import annotations

import contextlib
import os
import re
import weakref
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from medpriv_core.datasets.file_kinds import check_not_packed, what_is, with_article
from medpriv_core.datasets.file_source import MAX_FILE_BYTES, MAX_FILES, Fingerprint
from medpriv_core.datasets.names import is_junk
from medpriv_core.errors import DatasetError, ImageError
from medpriv_core.extras import is_installed
from medpriv_core.progress import ProgressCallback
from medpriv_core.regular_file import has_changed, open_regular
from medpriv_core.zips import DAMAGE, TooManyMembers, UnpacksToMore, head, open_zip, unpack

# Above so many bytes a member may not unpack to more than so many times its size.
_ALWAYS_READ_BYTES = 64 * 1024**2
_MOST_TIMES = 100

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


class ZipFiles:
    """A ``file_source.FileSource``; safe to read from several threads. Raises ``DatasetError`` for no sound zip."""

    folders: Sequence[str] = ()

    def __init__(self, path: Path) -> None:
        self.location = path
        self.litter = self.overwritten = 0
        self._file = open_regular(path, called=str(path), error=DatasetError)
        weakref.finalize(self, self._file.close)
        self._opened = os.fstat(self._file.fileno())
        self._zip = _open_zip(path, self._file)
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
        self.names: Sequence[str] = sorted(self._members)
        check_members(path, self._members.values())

    def read(self, name: str, most_bytes: int = MAX_FILE_BYTES) -> bytes:
        """See ``file_source.FileSource``."""
        member = self._members[name]
        if member.file_size > most_bytes:
            raise _too_much(name, most_bytes)
        if member.file_size > max(_ALWAYS_READ_BYTES, _MOST_TIMES * member.compress_size):
            raise ImageError(
                f"The file {name} in the zip unpacks to {member.file_size / 1024**2:,.0f} MiB, more than "
                f"{_MOST_TIMES} times what it takes in the zip, and is not read. Unpack the zip, and give the folder."
            )
        with self._explained(name, most_bytes):
            return unpack(self._zip, member, most_bytes=most_bytes)

    def head(self, name: str, length: int) -> bytes:
        """See ``file_source.FileSource``."""
        with self._explained(name, MAX_FILE_BYTES):
            return head(self._zip, self._members[name], length)

    def fingerprints(self, names: Sequence[str], progress: ProgressCallback) -> list[Fingerprint]:
        """See ``file_source.FileSource``."""
        del progress  # the table of contents has them all
        return [(self._members[name].file_size, self._members[name].CRC) for name in names]

    @contextlib.contextmanager
    def _explained(self, name: str, most_bytes: int) -> Iterator[None]:
        try:
            yield
        except (UnpacksToMore, MemoryError) as error:
            raise _too_much(name, most_bytes) from error
        except DAMAGE as error:
            if has_changed(self._file, self._opened):
                raise ImageError(
                    f"The zip {self.location} changed while it was read. Try again when nothing writes to it any more."
                ) from error
            raise ImageError(f"The file {name} in the zip is damaged. Download the zip again.") from error


def check_members(path: Path, members: Iterable[zipfile.ZipInfo]) -> None:
    """Raise ``DatasetError`` if a member is encrypted or packed in a way that cannot be unpacked here."""
    for member in members:
        if member.flag_bits & 0x1 or member.compress_type == 99:
            raise DatasetError(
                f"The zip {path} is encrypted ({member.filename}). Unpack it with its password, and give the folder."
            )
        method, module = _METHODS.get(member.compress_type, (f"method {member.compress_type}", None))
        if module is None or not is_installed(module):
            raise DatasetError(
                f"The zip {path} is sound, but compressed by {method}, which medpriv cannot unpack. Unpack it "
                'yourself and give the folder, or compress it again by "Deflate".'
            )


def _open_zip(path: Path, file: BinaryIO) -> zipfile.ZipFile:
    """The zip at ``path``; raises ``DatasetError`` that says what the file is instead."""
    try:
        return open_zip(file, most_members=MAX_FILES)
    except TooManyMembers as error:
        raise DatasetError(f"{path} holds more than {MAX_FILES:,} files. Give the dataset's own zip.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"The zip {path} says that its names are in UTF-8, and they are not. Unpack it, and give the folder."
        ) from error
    except DAMAGE as error:
        kind = what_is(path)
        check_not_packed(path, kind, "the folder")
        if kind == "zip":
            raise DatasetError(f"The zip {path} is cut short or damaged. Download it again.") from error
        raise DatasetError(
            f"{path} is not a zip file: it is {with_article(kind)}.{_what_instead(path, kind)}"
        ) from error


def _what_instead(path: Path, kind: str) -> str:
    if kind in ("text", "image"):
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


def _leads_out(name: str) -> bool:
    return name.startswith("/") or re.match(r"[A-Za-z]:", name) is not None or ".." in name.split("/")


def _too_much(name: str, most_bytes: int) -> ImageError:
    return ImageError(f"The file {name} in the zip unpacks to more than {most_bytes // 1024**2} MiB.")
