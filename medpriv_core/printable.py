"""Text that any screen, log or file can take.

Names of files are bytes on most systems. Where they are no UTF-8, Python carries the odd bytes through as halves of
surrogate pairs, which work for opening the file and for nothing else: printing them, or sending them to a browser,
fails. Control characters in a name could move a terminal's cursor.

>>> printable("caf\\udce9.png"), storable("a\\ud800\\r\\n")
('caf\\ufffd.png', 'a\\ufffd\\r\\n')
"""

from __future__ import annotations

import re

# Longer than any name of a file; a sentence that repeats what somebody gave must stay one that can be read.
_ENDLESS = re.compile(r"\S{600,}")
_LONGEST = 4000
_UNPRINTABLE = re.compile(r"[\ud800-\udfff\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")


def printable(text: str) -> str:
    """``text`` with U+FFFD for each character that has no UTF-8 or controls a terminal; newline and tab stay."""
    return _UNPRINTABLE.sub("\ufffd", text)


def storable(text: str) -> str:
    """``text`` with U+FFFD for each character that has no UTF-8, and that no table or file could hold."""
    return _NOT_UTF8.sub("\ufffd", text)


def is_storable(text: str) -> bool:
    """Whether every character has UTF-8."""
    return _NOT_UTF8.search(text) is None


def brief(text: str) -> str:
    """``text`` without the middle of words, or of all of it, that are longer than anybody reads.

    >>> len(brief("There is no run " + 5000 * "9" + "."))
    417
    """
    text = _ENDLESS.sub(lambda word: _ends(word[0], 300, 100), text)
    return text if len(text) <= _LONGEST else _ends(text, 3 * _LONGEST // 4, _LONGEST // 4)


def _ends(text: str, first: int, last: int) -> str:
    return f"{text[:first]}…{text[-last:]}"
