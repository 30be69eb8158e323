"""Zips from anywhere: their table of contents and their members, read within limits.

A zip says of itself how many members it has and how large they are, and it may lie. Python's ``zipfile`` reads the
whole table before anybody can count it (some 46 bytes a member in the file, half a kilobyte in memory), and unpacks as
much at once as it is asked for, whatever the table says of the member. So the table is counted as it comes from the
file, and members are unpacked in small pieces.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

# Zips keep local times; this one is the earliest that they can hold.
NO_DATE = (1980, 1, 1, 0, 0, 0)
MOST_TABLE_BYTES = 128 * 2**20
_MEMBER = b"PK\x01\x02"  # what each line of the table begins with
# Deflate makes at most 1,032 bytes of one. Of bzip2 and LZMA, which make far more, zipfile unpacks all that 4 KiB of
# the file hold, however little is asked for.
_PIECE_BYTES = {zipfile.ZIP_STORED: 1 << 18, zipfile.ZIP_DEFLATED: 1 << 18}
_SMALL_PIECE_BYTES = 1 << 12

# Damage shows inside zipfile and its decompressors in all these ways; NotImplementedError is a RuntimeError, names that
# are not UTF-8 a ValueError.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    OverflowError,
)


class TooManyMembers(Exception):
    """A zip whose table of contents is longer than anybody wants to read."""


class UnpacksToMore(Exception):
    """A member that unpacks to more than it may."""


def open_zip(file: BinaryIO, *, most_members: int) -> zipfile.ZipFile:
    """The zip in an open file, which stays open as long as its caller wants.

    Raises ``TooManyMembers``, and whatever zipfile raises for a damaged file.
    """
    return zipfile.ZipFile(cast(BinaryIO, _Counted(file, most_members)))


def pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The unpacked bytes of a member, some at a time; raises what zipfile raises for damage."""
    with archive.open(member) as packed:
        while piece := packed.read(_piece_bytes(member)):
            yield piece


def head(archive: zipfile.ZipFile, member: zipfile.ZipInfo, length: int) -> bytes:
    """The first bytes of a member, all of them if it has no more; raises what zipfile raises for damage."""
    start = b""
    with archive.open(member) as packed:
        while piece := packed.read(min(_piece_bytes(member), length - len(start))):
            start += piece
    return start


def unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, most_bytes: int) -> bytes:
    """All bytes of a member; raises ``UnpacksToMore`` beyond ``most_bytes``, and what zipfile raises for damage."""
    unpacked = bytearray()
    for piece in pieces(archive, member):
        unpacked += piece
        if len(unpacked) > most_bytes:
            raise UnpacksToMore(member.filename)
    if len(unpacked) != member.file_size:
        raise zipfile.BadZipFile("a member that is not as long as its table says")
    return bytes(unpacked)


def _piece_bytes(member: zipfile.ZipInfo) -> int:
    return _PIECE_BYTES.get(member.compress_type, _SMALL_PIECE_BYTES)


class _Counted(io.RawIOBase):
    """A file of which no more is read at once than a table of contents may be, and no table of too many members."""

    def __init__(self, file: BinaryIO, most_members: int) -> None:
        self._file = file
        self._most_members = most_members

    def read(self, size: int | None = -1) -> bytes:
        """As that of the file."""
        everything = size is None or size < 0
        data = self._file.read(MOST_TABLE_BYTES + 1 if everything else min(cast(int, size), MOST_TABLE_BYTES + 1))
        if len(data) > MOST_TABLE_BYTES or data.count(_MEMBER) > self._most_members:
            raise TooManyMembers
        return data

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """As that of the file."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """As that of the file."""
        return self._file.tell()

    def seekable(self) -> bool:
        """A zip is read from its end."""
        return True

    def readable(self) -> bool:
        """Nothing is ever written."""
        return True
