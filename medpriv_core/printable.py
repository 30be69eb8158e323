"""Text that any screen, log or file can take.

Names of files are bytes on most systems. Where they are no UTF-8, Python carries the odd bytes through as halves of
surrogate pairs, which work for opening the file and for nothing else: printing them, or sending them to a browser,
fails. Control characters in a name could move a terminal's cursor.

>>> printable("caf\\udce9.png")
'caf\\ufffd.png'
"""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile(r"[\ud800-\udfff\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """``text`` with U+FFFD for each character that has no UTF-8 or controls a terminal; newline and tab stay."""
    return _UNPRINTABLE.sub("\ufffd", text)
