"""Messages between two processes on a pipe: a header in JSON and the numbers of some arrays.

A pipe carries bytes without any mark of where a message ends, so each message says its length first. Nothing is
pickled, so neither side can make the other run code, and nothing touches the disk.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

_LENGTH = struct.Struct(">I")


def write_message(stream: BinaryIO, header: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
    """Write one message and flush; raises ``OSError`` if nobody reads any more."""
    shapes = [(array.dtype.str, array.shape) for array in arrays]
    content = json.dumps({"header": dict(header), "arrays": shapes}).encode()
    stream.write(_LENGTH.pack(len(content)) + content)
    for array in arrays:
        stream.write(array.tobytes())
    stream.flush()


def read_message(stream: BinaryIO) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The next message: header and arrays (read-only).

    Raises ``EOFError`` where the stream ends and ``ValueError`` for bytes that are no message.
    """
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    content = json.loads(_read(stream, length))
    arrays = []
    for name, shape in content["arrays"]:
        dtype = np.dtype(name)
        arrays.append(np.frombuffer(_read(stream, dtype.itemsize * math.prod(shape)), dtype).reshape(shape))
    return content["header"], arrays


def _read(stream: BinaryIO, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content
