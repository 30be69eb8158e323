"""Text that any screen, log or file can take.

Names of files are bytes on most systems. Where they are no UTF-8, Python carries the odd bytes through as halves of
surrogate pairs, which work for opening the file and for nothing else: printing them, or sending them to a browser,
fails. Control characters in a name could move a terminal's cursor.

>>> printable("caf\\udce9.png"), storable("a\\ud800\\r\\n")
('caf\\ufffd.png', 'a\\ufffd\\r\\n')
"""

from __future__ import annotations

import re

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
