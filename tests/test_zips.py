"""Zips that say something else of themselves than is true."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest

from medpriv_core import zips
from medpriv_core.zips import DAMAGE, TooManyMembers, UnpacksToMore, open_zip, pieces, unpack
from tests.unpacking import counted_unpacking

PACKED_BY = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def with_size(data: bytes, size: int) -> bytes:
    """The zip of one member with another unpacked size in its headers."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", changed, changed.find(signature) + offset, size)
    return bytes(changed)


@pytest.mark.parametrize("method", PACKED_BY)
def test_members_come_out_as_they_went_in(method: int) -> None:
    content = bytes(range(256)) * 3000
    with open_zip(io.BytesIO(zipped({"a": content, "b": b""}, method)), most_members=2) as archive:
        assert unpack(archive, archive.getinfo("a"), most_bytes=len(content)) == content
        assert b"".join(pieces(archive, archive.getinfo("a"))) == content
        assert unpack(archive, archive.getinfo("b"), most_bytes=0) == b""


@pytest.mark.parametrize("method", PACKED_BY)
def test_reading_ends_at_the_limit_whatever_a_member_says(method: int, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = counted_unpacking(monkeypatch)
    with (
        open_zip(io.BytesIO(zipped({"bomb": bytes(16 << 20)}, method)), most_members=1) as archive,
        pytest.raises(UnpacksToMore),
    ):
        unpack(archive, archive.getinfo("bomb"), most_bytes=1 << 20)
    # Of bzip2 and LZMA what a few kilobytes hold comes at once; that is all of this one.
    assert sum(unpacked) <= (2 << 20 if method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) else 16 << 20)


@pytest.mark.parametrize("size", [10, 2**31])
def test_a_member_with_a_false_size_is_damaged(size: int) -> None:
    data = with_size(zipped({"a": bytes(100_000)}), size)
    with open_zip(io.BytesIO(data), most_members=1) as archive, pytest.raises(DAMAGE):
        unpack(archive, archive.getinfo("a"), most_bytes=2**31)


def test_a_table_of_far_too_many_members_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped({str(number): b"" for number in range(50)})
    with open_zip(io.BytesIO(data), most_members=50) as archive:
        assert len(archive.namelist()) == 50
    monkeypatch.setattr(zipfile, "ZipInfo", None)  # whatever makes one fails
    with pytest.raises(TooManyMembers):
        open_zip(io.BytesIO(data), most_members=49)


def test_a_table_that_is_said_to_have_gigabytes_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "MOST_TABLE_BYTES", 1000)
    data = bytearray(zipped({"a" * 2000: b""}))
    assert struct.unpack_from("<I", data, len(data) - 10)[0] > 1000
    with pytest.raises(TooManyMembers):
        open_zip(io.BytesIO(data), most_members=10)


def test_what_is_no_zip_is_damage() -> None:
    whole = zipped({"a": bytes(1000)})
    for data in (b"", b"PK", whole[:-30], whole[: len(whole) // 2], zlib.compress(whole), b"\0" * 100_000):
        with pytest.raises(DAMAGE):
            open_zip(io.BytesIO(data), most_members=10)


def test_a_local_header_that_is_cut_off_is_damage() -> None:
    data = bytearray(zipped({"a": b"x"}))
    struct.pack_into("<I", data, data.find(b"PK\x01\x02") + 42, len(data) - 5)  # where the member is said to begin
    with open_zip(io.BytesIO(data), most_members=10) as archive, pytest.raises(DAMAGE):
        unpack(archive, archive.getinfo("a"), most_bytes=10)
