"""Checksums: files that tell by themselves whether a byte of them has changed since they were written.

What epsilon or a result rests on is written with a checksum and compared with it when it is opened. One flipped bit of
a disk, half a copy, or an editor's slip is noticed, and nobody reckons with it. A checksum is no signature: whoever
means to deceive computes it anew.

=================  ====================================================================================================
JSON object        last key ``checksum``, over the other keys and values in one fixed way of writing; where they stand
                   and how the file is indented does not count
line of JSON       the same at the end of the line, over the bytes before it
other file         its digest stands in a JSON object beside it, or in one that is written together with it
=================  ====================================================================================================

A file of an earlier version has none. It is opened, as ``unsealed``, and nobody claims that it is whole. A damaged
checksum is not taken for a missing one: it begins with a word that no file of an earlier version has.

>>> sealed = seal({"steps": 200})
>>> unseal(sealed), unseal(sealed | {"steps": 1}).state, unseal({"steps": 200}).state
(Opened(values={'steps': 200}, state='sealed'), 'damaged', 'unsealed')
>>> line = seal_line({"epoch": 1})
>>> open_line(line), open_line(line.replace(b"1", b"3", 1)), open_line(b'{"epoch": 1}')
(b'{"epoch": 1}', None, b'{"epoch": 1}')
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from medpriv_core.atomic import write_json
from medpriv_core.strict_json import Unreadable, open_regular, read_json_file

KEY = "checksum"
State = Literal["missing", "damaged", "unsealed", "sealed"]

_WORD = "blake2b:"
_LINE_END = re.compile(rb', "checksum": "blake2b:([0-9a-f]{32})"\}\s*')


@dataclass(frozen=True)
class Opened:
    """What a file holds, without its checksum.

    values  None where there is no file, or no JSON in it
    state   unsealed: written by an earlier version, without a checksum
    why     it is damaged, as a clause
    """

    values: Any
    state: State
    why: str = field(default="its checksum does not fit", compare=False, repr=False)

    @property
    def sound(self) -> bool:
        """Whether the file is there and nothing speaks against it."""
        return self.state in ("sealed", "unsealed")


def seal(values: Mapping[str, Any]) -> dict[str, Any]:
    """The object with its checksum; raises ``ValueError`` for what JSON cannot hold."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values), allow_nan=False))
    return plain | {KEY: _WORD + _digest(_canonical(plain))}


def unseal(values: Any) -> Opened:
    """The object without its checksum, and whether that fits; anything but an object is damaged."""
    if not isinstance(values, dict):
        return Opened(values, "damaged", "it holds no values by name")
    rest = {name: value for name, value in values.items() if name != KEY}
    if KEY in values:
        try:
            whole = values[KEY] == _WORD + _digest(_canonical(rest))
        except (ValueError, RecursionError):  # a number or a depth that JSON cannot say again
            whole = False
        return Opened(rest, "sealed" if whole else "damaged")
    # One byte makes another key of it.
    torn = any(isinstance(value, str) and value.startswith(_WORD) for value in rest.values())
    return Opened(rest, "damaged" if torn else "unsealed")


def write_sealed(path: Path, values: Mapping[str, Any]) -> None:
    """Replace ``path`` by an object with its checksum in one step; its folder must be there."""
    write_json(path, seal(values), folder_too=False)


def sealed_bytes(values: Mapping[str, Any]) -> bytes:
    """The same as the bytes of a file."""
    return (json.dumps(seal(values), indent=2, allow_nan=False) + "\n").encode()


def read_sealed(path: Path) -> Opened:
    """What the JSON file at ``path`` holds; what is no object of JSON, or no file, is damaged."""
    try:
        return unseal(read_json_file(path, file_names=True))
    except FileNotFoundError:
        return Opened(None, "missing")
    except Unreadable as error:
        return Opened(None, "damaged", str(error))


def seal_line(values: Mapping[str, Any]) -> bytes:
    """One line of JSON with its checksum, without the end of the line; ``values`` has at least one key."""
    body = json.dumps(dict(values), allow_nan=False).encode()[:-1]
    return body + f', "{KEY}": "{_WORD}{_digest(body)}"}}'.encode()


def open_line(line: bytes) -> bytes | None:
    """The JSON in a line without its checksum; None where that does not fit. A line without one is as it is."""
    found = _LINE_END.search(line)
    if found is not None and found.end() == len(line):
        body = line[: found.start()]
        return body + b"}" if _digest(body).encode() == found[1] else None
    return None if _WORD.encode() in line or f'"{KEY}"'.encode() in line else line


def is_sealed_line(line: bytes) -> bool:
    """Whether a line has a checksum and it fits."""
    return _LINE_END.search(line) is not None and open_line(line) is not None


def file_checksum(path: Path) -> str:
    """The digest of a file's bytes, as records keep it; raises ``OSError``, or ``Unreadable`` for what is no file."""
    with open_regular(path, most_bytes=None) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


class Summing:
    """Writes into a file that is open, and sums what it writes as ``file_checksum`` does."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.blake2b(digest_size=16)

    def write(self, content: bytes | memoryview) -> None:
        """Write bytes, one after the other in memory."""
        self._digest.update(content)
        self._file.write(content)

    @property
    def checksum(self) -> str:
        """Of all that was written so far."""
        return self._digest.hexdigest()


def _canonical(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
