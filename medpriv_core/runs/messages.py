"""Messages between two processes on a pipe: a header in JSON and the numbers of some arrays.

A pipe carries bytes without any mark of where a message ends, so each message says its length first. Nothing is
pickled, so neither side can make the other run code, and nothing touches the disk. The pipes are without buffers of
Python's own, in which the end of a picture would lie until the next message comes.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

_LENGTH = struct.Struct(">I")


class Sink(Protocol):
    """A pipe to write to, without a buffer of its own: takes some of the bytes and says how many."""

    def write(self, content: memoryview, /) -> int | None: ...


class Source(Protocol):
    """A pipe to read from, without a buffer of its own: fills some of the bytes and says how many, 0 at its end."""

    def readinto(self, content: memoryview, /) -> int | None: ...


def write_message(stream: Sink, header: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
    """Write one message; raises ``OSError`` if nobody reads any more."""
    shapes = [(array.dtype.str, array.shape) for array in arrays]
    content = json.dumps({"header": dict(header), "arrays": shapes}).encode()
    _write(stream, _LENGTH.pack(len(content)) + content)
    for array in arrays:
        _write(stream, array.tobytes())


def read_message(stream: Source) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The next message: header and arrays.

    Raises ``EOFError`` where the stream ends and ``ValueError`` for bytes that are no message.
    """
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    content = json.loads(_read(stream, length))
    arrays = []
    for name, shape in content["arrays"]:
        dtype = np.dtype(name)
        arrays.append(np.frombuffer(_read(stream, dtype.itemsize * math.prod(shape)), dtype).reshape(shape))
    return content["header"], arrays


def _write(stream: Sink, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[stream.write(rest) or 0 :]


def _read(stream: Source, count: int) -> bytearray:
    content = bytearray(count)
    rest = memoryview(content)
    while rest:
        if not (more := stream.readinto(rest)):
            raise EOFError
        rest = rest[more:]
    return content
