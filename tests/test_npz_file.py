"""Headers of arrays that ask for more than is there, and arrays of every layout that come out as numpy reads them."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest

from medpriv_core.npz_file import read_array, read_header
from medpriv_core.zips import DAMAGE
from tests.unpacking import counted_unpacking


def member(header: dict[str, Any] | bytes, numbers: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """An npy file with this header, whatever follows it."""
    text = header if isinstance(header, bytes) else repr(header).encode()
    width = 2 if version == (1, 0) else 4
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(width, "little") + text + numbers


def described(shape: object, descr: object = "|u1", fortran_order: object = False) -> dict[str, Any]:
    return {"descr": descr, "fortran_order": fortran_order, "shape": shape}


def npz(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipFile:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("a.npy", content)
    return zipfile.ZipFile(stream)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        np.asfortranarray(np.arange(24, dtype=">i8").reshape(2, 3, 4)),
        np.arange(300_000, dtype=np.float32),
        np.array(7),
        np.zeros((0, 5), np.int16),
        np.array([(1, 2.5)], dtype=[("a", "<i4"), ("b", "<f8")]),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_arrays_are_those_that_numpy_reads(array: np.ndarray, packed: bool) -> None:
    stream = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(stream, a=array)
    with zipfile.ZipFile(stream) as archive:
        header = read_header(archive, "a")
        read = read_array(archive, "a", header)
    stream.seek(0)
    wanted = np.load(stream)["a"]
    assert (read.shape, read.dtype, header.shape) == (wanted.shape, wanted.dtype, array.shape)
    assert np.array_equal(read, wanted)


@pytest.mark.parametrize(
    "content",
    [
        member(described((10**12,))),
        member(described((10**12,), "<f8"), bytes(1000)),
        member(described((2**62, 2**62))),
        member(described((999,)), bytes(1000)),
        member(described((1001,)), bytes(1000)),
        member(described((-5, -200)), bytes(1000)),
        member(described((10**12,), "|S0")),
        member(described((10**12, 0))) + b"x",
        member(described((10,), ("|u1", (100,))), bytes(1000)),
        member(described((1000,), "nonsense"), bytes(1000)),
        member(described([1000]), bytes(1000)),
        member(described((1000,), fortran_order="yes"), bytes(1000)),
        member(b"(" * 5000 + b")" * 5000),
        member(b"{'shape': (1,)}"),
        member(b"not Python at all {"),
        member(b"'" * 20_000),
        member(b"", version=(9, 9)),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 100_000,
        b"\x93NUM",
        b"",
    ],
    ids=range(20),
)
def test_a_header_that_asks_for_more_than_is_there_is_no_array(content: bytes) -> None:
    with npz(content) as archive, pytest.raises(ValueError, match=r"is not an array|another size"):
        read_header(archive, "a")


def test_no_more_of_a_member_is_unpacked_than_a_header_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = counted_unpacking(monkeypatch)
    with (
        npz(b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(32 << 20)) as archive,
        pytest.raises(ValueError, match=r"is not an array|another size"),
    ):
        read_header(archive, "a")
    assert sum(unpacked) <= 1 << 18


def test_pickles_are_told_by_their_header_and_never_loaded() -> None:
    with npz(member(described((1,), "|O"), pickle.dumps([1]))) as archive:
        header = read_header(archive, "a")
        assert header.dtype.hasobject
        with pytest.raises(ValueError, match="pickled"):
            read_array(archive, "a", header)


def test_damage_within_the_numbers_is_found() -> None:
    content = member(described((250_000,)), bytes(range(250)) * 1000)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.npy", content)
    data = bytearray(stream.getvalue())
    data[data.index(bytes(range(250))) + 150_000] ^= 1
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        header = read_header(archive, "a")
        with pytest.raises(DAMAGE):
            read_array(archive, "a", header)


def test_a_missing_array_is_a_missing_key() -> None:
    with npz(b"") as archive, pytest.raises(KeyError):
        read_header(archive, "b")
