"""Paths as people give them: with the quotes of another program, as ``file://`` addresses, from Windows."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from medpriv_core.errors import SettingError

_QUOTES = ('""', "''", "“”", "‘’", "«»", "``")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\[^\\]")
_WEB = re.compile(r"(https?|ftp|s3|gs)://", re.IGNORECASE)


def given_path(text: str) -> Path:
    """The path that was meant: quotes around it, ``file://`` and ``~`` are resolved; nothing need be there.

    Raises ``SettingError`` for an address on the web and, except on Windows, for a path of Windows.

    >>> given_path("'/data/a scan.png'"), given_path("file:///data/a%20scan.png")
    (PosixPath('/data/a scan.png'), PosixPath('/data/a scan.png'))
    """
    if _exists(text):
        return Path(text)
    meant = text.strip()
    while len(meant) > 1 and meant[0] + meant[-1] in _QUOTES:
        meant = meant[1:-1].strip()
    if meant.lower().startswith("file:"):
        address = urlsplit(meant)
        meant = unquote(address.path)
        if os.name == "nt":
            meant = meant.lstrip("/")
        elif address.netloc not in ("", "localhost"):
            raise SettingError(f"{text} lies on another machine ({address.netloc}). Copy it here, and give its path.")
    if _WEB.match(meant):
        raise SettingError(f"{text} is an address on the web. Download the file, and give the path where it lies.")
    if os.name != "nt" and _WINDOWS.match(meant) and not _exists(meant):
        raise SettingError(
            f"{text} is a path of Windows, and medpriv runs on another system here. Give the path as this system "
            "writes it, such as /home/me/file."
        )
    try:
        return Path(meant).expanduser()
    except RuntimeError:  # no such user
        return Path(meant)


def _exists(text: str) -> bool:
    try:
        return bool(text) and os.path.lexists(text)
    except (OSError, ValueError):
        return False
