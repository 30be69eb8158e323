"""What a decoder found in a file: pixels and the facts needed to show them, and nothing of whose they are.

The record of an upload crosses a pipe from the child that decoded it. It travels as one line of JSON and the bytes of
the frames: unlike a pickle, reading it can run no code, whatever the file did to the child.
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
from medpriv_core.pictures.frames import MAX_HELD_BYTES
from medpriv_core.pictures.windows import HeaderWindow

DAMAGED = (
    "This file is damaged or cut short, so its image cannot be read. Export it again from its source, or replace it "
    "by a sound copy."
)
TOO_MUCH_MEMORY = "This image needs more memory than reading it may take. Export it smaller."
# So many pixels are read, whoever asks: a PNG of one colour may be a few kilobytes on disk and gigabytes in memory.
MAX_PIXELS = 64_000_000
_DTYPES = ("uint8", "uint16", "int16", "float32")


@dataclass(frozen=True)
class Decoded:
    """Frames and how to turn them into grey or colour.

    ``frames`` is (n, h, w) of ``uint8``, ``uint16``, ``int16`` or ``float32`` for grey, (n, h, w, 3) ``uint8`` for
    colour. A grey value is ``stored * slope + intercept`` with the pair of its frame in ``scales``; ``ends`` are the
    smallest and largest such value of each frame, ``low`` and ``high`` those of the file. ``width``, ``height`` and
    ``bits`` (of one channel) are those of the file. With ``windowed`` false, grey is ready to be shown. ``windows``
    holds those of the header: one list for all frames, or one for each.
    """

    frames: np.ndarray
    width: int
    height: int
    bits: int
    windowed: bool = False
    inverted: bool = False
    hounsfield: bool = False
    scales: tuple[tuple[float, float], ...] = ()
    ends: tuple[tuple[float, float], ...] = ((0.0, 255.0),)
    windows: tuple[tuple[HeaderWindow, ...], ...] = ((),)
    tables: dict[str, tuple[float, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def low(self) -> float:
        """The smallest value of the file."""
        return min(low for low, _ in self.ends)

    @property
    def high(self) -> float:
        """The largest value of the file."""
        return max(high for _, high in self.ends)


def send(decoded: Decoded, stream: BinaryIO) -> None:
    """Write the record to a pipe."""
    frames = np.ascontiguousarray(decoded.frames)
    facts = {
        entry.name: getattr(decoded, entry.name) for entry in dataclasses.fields(Decoded) if entry.name != "frames"
    }
    facts["windows"] = [[dataclasses.asdict(window) for window in windows] for windows in decoded.windows]
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
    facts["windows"] = tuple(tuple(HeaderWindow(**window) for window in windows) for windows in facts["windows"])
    for name in ("scales", "ends"):
        facts[name] = tuple((first, second) for first, second in facts[name])
    facts["tables"] = {name: tuple(table) for name, table in facts["tables"].items()}
    facts["notes"] = tuple(facts["notes"])
    return Decoded(frames=frames, **facts)


def _send_line(facts: dict[str, object], stream: BinaryIO) -> None:
    stream.write(json.dumps(facts).encode() + b"\n")
