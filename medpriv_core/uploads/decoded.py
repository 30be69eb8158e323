"""What a decoder found in a file: pixels and the facts needed to show them, and nothing of whose they are.

The record crosses a pipe from the child that decoded it. It travels as one line of JSON and the bytes of the
frames: unlike a pickle, reading it can run no code, whatever the file did to the child.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Any, BinaryIO

import numpy as np

from medpriv_core.errors import ImageError
from medpriv_core.uploads.frames import MAX_HELD_BYTES
from medpriv_core.uploads.windows import HeaderWindow

DAMAGED = "This file is damaged or cut short, so its picture cannot be read. Export it again from its source."
_DTYPES = ("uint8", "uint16", "int16", "float32")


@dataclass(frozen=True)
class Decoded:
    """Frames and how to turn them into grey or colour.

    ``frames`` is (n, h, w) of ``uint8``, ``uint16``, ``int16`` or ``float32`` for grey, (n, h, w, 3) ``uint8`` for
    colour. A grey value is ``stored * slope + intercept`` with the pair of its frame in ``scales``; ``low`` and
    ``high`` are the smallest and largest such value of the file. ``width``, ``height`` and ``bits`` (of one
    channel) are those of the file. With ``windowed`` false, grey is ready to be shown.
    """

    frames: np.ndarray
    width: int
    height: int
    bits: int
    windowed: bool = False
    inverted: bool = False
    hounsfield: bool = False
    scales: tuple[tuple[float, float], ...] = ()
    low: float = 0.0
    high: float = 255.0
    windows: tuple[HeaderWindow, ...] = ()
    tables: dict[str, tuple[float, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def send(decoded: Decoded, stream: BinaryIO) -> None:
    """Write the record to a pipe."""
    frames = np.ascontiguousarray(decoded.frames)
    facts = {
        entry.name: getattr(decoded, entry.name) for entry in dataclasses.fields(Decoded) if entry.name != "frames"
    }
    facts["windows"] = [dataclasses.asdict(window) for window in decoded.windows]
    _send_line(facts | {"shape": frames.shape, "dtype": frames.dtype.name}, stream)
    stream.write(frames.data)


def send_refusal(sentence: str, stream: BinaryIO) -> None:
    """Write the reason why there is no picture."""
    _send_line({"refusal": sentence}, stream)


def receive(stream: BufferedReader) -> Decoded:
    """Read what ``send`` or ``send_refusal`` wrote; a refusal, or anything else, is raised as ``ImageError``."""
    try:
        facts = json.loads(stream.readline())
        if "refusal" in facts:
            raise ImageError(str(facts["refusal"]))
        return _assembled(facts, stream)
    except (ValueError, TypeError, KeyError):
        raise ImageError(DAMAGED) from None


def _assembled(facts: dict[str, Any], stream: BufferedReader) -> Decoded:
    shape, dtype = facts.pop("shape"), facts.pop("dtype")
    if dtype not in _DTYPES or math.prod(shape) * np.dtype(dtype).itemsize > MAX_HELD_BYTES:
        raise ValueError("not frames as a decoder sends them")
    frames = np.empty(shape, dtype)
    wanted = frames.data.cast("B")
    while wanted:
        count = stream.readinto(wanted)
        if not count:
            raise ValueError("fewer bytes than announced")
        wanted = wanted[count:]
    frames.flags.writeable = False
    facts["windows"] = tuple(HeaderWindow(**window) for window in facts["windows"])
    facts["scales"] = tuple((slope, intercept) for slope, intercept in facts["scales"])
    facts["tables"] = {name: tuple(table) for name, table in facts["tables"].items()}
    facts["notes"] = tuple(facts["notes"])
    return Decoded(frames=frames, **facts)


def _send_line(facts: dict[str, object], stream: BinaryIO) -> None:
    stream.write(json.dumps(facts).encode() + b"\n")
