"""JSON files of ours, read as if anybody could have written them.

A run may have been imported, a disk may have lost a block, somebody may have edited a file by hand. What Python's own
reader takes without a word then breaks something far away: numbers that are not finite, whole numbers of thousands of
digits, brackets within brackets, a name that stands twice, halves of surrogate pairs, a named pipe in the place of a
file. Here all of that is one ``Unreadable``, whose text is a clause that says what is wrong:

>>> parse_json('{"steps": 1e999}')
Traceback (most recent call last):
...
medpriv_core.strict_json.Unreadable: it holds a number that is not finite
>>> parse_json('{"steps": 10}')
{'steps': 10}

What type a value must have is for the readers to say (``medpriv_core.records``).
"""

from __future__ import annotations

import errno
import io
import json
import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

MB = 1 << 20
MOST_BYTES = 16 * MB
DEEPEST = 12
LONGEST_TEXT = 100_000
LARGEST_WHOLE = 2**64 - 1  # what file systems number their files with

# Names of figures come again and again in the files of thousands of runs; one text serves them all.
_NAMES: dict[str, str] = {}
_MOST_NAMES = 4096
_NO_FILE = {errno.ENXIO, errno.ENODEV, errno.ELOOP, errno.EISDIR}
_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Unreadable(ValueError):
    """What lies there is not as medpriv writes it; the text is a clause."""


class _ToRead(Protocol):
    def read(self, size: int, /) -> bytes: ...


class NoJson(Unreadable):
    """Not even JSON, as where a write was cut short."""


def open_regular(path: Path | str, *, most_bytes: int | None = MOST_BYTES) -> io.BufferedReader:
    """A regular file to read from; raises ``Unreadable`` for one that is too large, and for what is no file.

    ``most_bytes`` is None where any size is right. A named pipe or a device is never waited for. Raises
    ``FileNotFoundError`` where there is nothing, and ``OSError`` where the system refuses.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_WAIT)
    except NotADirectoryError:
        raise Unreadable("a file lies where its folder should be") from None
    except OSError as error:
        if error.errno in _NO_FILE:
            raise Unreadable("it is no file") from None
        raise
    try:
        _check_kind(os.fstat(descriptor), most_bytes)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path | str, *, most_bytes: int = MOST_BYTES) -> bytes:
    """All of a regular file; arguments and errors are those of ``open_regular``."""
    with open_regular(path, most_bytes=most_bytes) as file:
        content = read_at_most(file, most_bytes + 1, likely=os.fstat(file.fileno()).st_size + 1)
    if len(content) > most_bytes:  # it grew meanwhile
        raise _too_large(most_bytes)
    return content


def read_at_most(file: _ToRead, most_bytes: int, *, likely: int = MB) -> bytes:
    """What is left of a file, ``most_bytes`` of it at most.

    ``file.read(most_bytes)`` takes that much memory before it looks how much there is, and in the server the allocator
    fills it (``server/memory.py``): of a file of some lines, hundredths of a second for each. So it is read in pieces,
    the first of ``likely`` bytes.
    """
    pieces: list[bytes] = []
    left, wanted = most_bytes, max(1, likely)
    while left > 0:
        wanted = min(wanted, left)
        pieces.append(file.read(wanted))
        left -= len(pieces[-1])
        if len(pieces[-1]) < wanted:
            break
        wanted = MB
    return b"".join(pieces)


def read_json_file(path: Path | str, *, most_bytes: int = MOST_BYTES, file_names: bool = False) -> Any:
    """The value in a JSON file; arguments and errors are those of ``read_regular`` and ``parse_json``."""
    return parse_json(read_regular(path, most_bytes=most_bytes), file_names=file_names)


def parse_json(content: bytes | str, *, deepest: int = DEEPEST, file_names: bool = False) -> Any:
    """The value in JSON text of UTF-8, at most ``deepest`` lists and objects in each other.

    Numbers are finite, whole ones fit into 64 bits, names stand once in an object, and texts can be shown; with
    ``file_names`` they may also be names of files that are no UTF-8, as Python carries them. Raises ``Unreadable``.
    """
    try:
        text = content.decode() if isinstance(content, bytes) else content
        value = json.loads(text, parse_constant=_not_finite, object_pairs_hook=_object)
    except Unreadable:
        raise
    except UnicodeDecodeError:
        raise NoJson("it is no text of UTF-8") from None
    except RecursionError:
        raise Unreadable("its values lie too deep in each other") from None
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            raise NoJson("it is no JSON") from None
        raise Unreadable("it holds a number with too many digits") from None
    _check(value, deepest, "surrogateescape" if file_names else "strict")
    return value


def _check_kind(status: os.stat_result, most_bytes: int | None) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise Unreadable("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("it is no file")
    if most_bytes is not None and status.st_size > most_bytes:
        raise _too_large(most_bytes)


def _too_large(most_bytes: int) -> Unreadable:
    return Unreadable(f"it has more than the {most_bytes // MB} MB that such a file may have")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len(_NAMES) > _MOST_NAMES:
        _NAMES.clear()
    values = {_NAMES.setdefault(name, name) if name.isidentifier() else name: value for name, value in pairs}
    if len(values) < len(pairs):
        raise Unreadable("a name stands in it twice")
    return values


def _not_finite(_name: str) -> NoReturn:
    raise Unreadable("it holds a number that is not finite")


def _check(value: Any, deepest: int, odd_bytes: str) -> None:
    kind = type(value)
    if kind is float:
        if not math.isfinite(value):
            _not_finite("")
    elif kind is str:
        _check_text(value, odd_bytes)
    elif kind is int:
        if not -LARGEST_WHOLE <= value <= LARGEST_WHOLE:
            raise Unreadable("it holds a number with too many digits")
    elif kind is dict or kind is list:
        if deepest == 0:
            raise Unreadable("its values lie too deep in each other")
        if kind is dict:
            for name in value:
                _check_text(name, odd_bytes)
        for part in value.values() if kind is dict else value:
            _check(part, deepest - 1, odd_bytes)


def _check_text(text: str, odd_bytes: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise Unreadable("it holds a text that is far too long")
    if not text.isascii():
        try:
            text.encode(errors=odd_bytes)
        except UnicodeEncodeError:
            raise Unreadable("it holds a text with halves of characters") from None
