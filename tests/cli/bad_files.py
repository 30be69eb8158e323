"""Files that nobody should be able to hurt medpriv with."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


class Trap:
    """Creates a file if it is ever unpickled."""

    def __init__(self, sprung: Path) -> None:
        self._sprung = sprung

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._sprung,)


def truncated_jpeg() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8)).save(stream, "JPEG")
    return stream.getvalue()[: stream.tell() // 2]


def png_bomb(side: int = 30_000) -> bytes:
    """A black PNG of ``side`` x ``side`` pixels, whole and valid."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    squeezer = zlib.compressobj(9)
    row = bytes(1 + side // 8 + 1)  # one bit a pixel, and the filter byte
    pixels = b"".join(squeezer.compress(row) for _ in range(side)) + squeezer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def trapped_pickle(sprung: Path) -> bytes:
    return pickle.dumps(Trap(sprung))


def empty_state_dict() -> bytes:
    """What ``torch.save({}, file)`` writes: the weights of a network without layers."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")
    return stream.getvalue()


BAD_PICTURES = {
    "cut.jpeg": (truncated_jpeg, "cut.jpeg cannot be read. This file is damaged or cut short"),
    "note.png": (lambda: b"not a picture\n", "note.png cannot be read. This is a text"),
    "empty.png": (lambda: b"", "empty.png cannot be read. This file is empty"),
    "bomb.png": (png_bomb, "30,000 × 30,000 pixels, 900 million in all; up to 64 million pixels are read"),
}
