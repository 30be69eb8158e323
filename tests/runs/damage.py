"""Files damaged as disks, copies and people do it: one byte, half a file, an older one in its place."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

_moments = itertools.count(2_000_000_000)


def put(path: Path, content: bytes) -> None:
    """Write a file with a time of change of its own, so that whoever looks at it notices that it is another one."""
    path.write_bytes(content)
    moment = next(_moments) * 10**9
    os.utime(path, ns=(moment, moment))


def mutations(content: bytes, rng: random.Random, *, bytes_: int, cuts: int = 4) -> Iterator[bytes]:
    """Single bytes changed at random places, to a neighbour by one bit or to a digit, and the file cut short."""
    for number in range(bytes_):
        place = rng.randrange(len(content))
        byte = content[place] ^ (1 << rng.randrange(8)) if number % 2 else rng.choice(b"0123456789")
        if byte != content[place]:
            yield content[:place] + bytes([byte]) + content[place + 1 :]
    for _ in range(cuts):
        yield content[: rng.randrange(len(content))]
    yield b""
