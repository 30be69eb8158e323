"""From a path as somebody gives it, on a page, on the command line or in a variable, to the file or folder meant.

Paths come with quotes around them (a file manager's "copy as path"), as ``file://`` addresses (dragged into a window),
with a blank at the end, or from another system. What was meant is plain in most cases; where it is not, the sentence
says what stands in the way.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from medpriv_core.errors import DatasetError, MedprivError, SettingError

_QUOTES = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": "\u201d",
    "\u201e": "\u201c",
    "\u2018": "\u2019",
    "\u00ab": "\u00bb",
}
_INVISIBLE = "\u200b\u202a\u202c\ufeff"
_WINDOWS = re.compile(r"(?:[A-Za-z]:(?:[\\/]|$)|\\\\)")
_WEB = re.compile(r"(?:https?|ftp|s3|gs)://", re.IGNORECASE)
MOST_CHARACTERS = 4000


def given_path(text: str, *, error: type[MedprivError] = SettingError) -> Path:
    """The path that was meant; nothing need be there. It is as relative as what was given.

    Raises ``error`` if there is none, for an address on the web, the home of a user who does not exist, more characters
    than a path can have and, except on Windows, for a path of Windows.

    >>> given_path("'/data/a scan.png'"), given_path("file:///data/a%20scan.png")
    (PosixPath('/data/a scan.png'), PosixPath('/data/a scan.png'))
    """
    for reading in _readings(text):
        if os.path.lexists(reading):  # false, and no error, for a name that cannot be
            return Path(reading)
    return Path(_meant(text, error))


def find_place(typed: str | os.PathLike[str], *, error: type[MedprivError] = DatasetError) -> Path:
    """The folder or ordinary file that was meant, as an absolute path.

    Raises ``error`` as ``given_path`` does, and if nothing is there, it may not be looked at, or it is something else,
    such as a pipe or a device.
    """
    text = os.fspath(typed)
    for reading in _readings(text):
        place = Path(reading).absolute()
        try:
            mode = os.stat(place).st_mode
        except PermissionError as failure:
            raise error(f"medpriv may not read {place}. Change its permissions.") from failure
        except OSError as failure:
            if failure.errno == errno.ELOOP:
                raise error(f"{place} is a link that leads in a circle. Give the folder or file itself.") from failure
            continue
        except ValueError:  # a name that cannot be
            continue
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise error(f"{place} is neither a folder nor an ordinary file. Check the path.")
        return place
    raise error(f"There is no folder or file at {Path(_meant(text, error)).absolute()}. Check the path.")


def _readings(text: str) -> list[str]:
    """What the text may stand for, as it is first: a folder's name may well end in a blank."""
    bare = _unquoted(text)
    readings = [text, bare]
    if address := _of_address(bare):
        readings.append(address)
    readings.append(re.sub(r"\\(.)", r"\1", bare))  # dragged into a terminal: "my\ folder"
    readings.append(os.path.expandvars(bare))
    if os.name != "nt" and re.match(r"[A-Za-z]:[\\/]", bare):  # in WSL
        readings.append(f"/mnt/{bare[0].lower()}/" + bare[3:].replace("\\", "/"))
    return [_at_home(reading) for reading in readings if 0 < len(reading) <= MOST_CHARACTERS]


def _meant(text: str, error: type[MedprivError]) -> str:
    """The likeliest reading of a path where nothing is."""
    bare = _unquoted(text)
    if not bare:
        raise error("No path was given. Give the place of a folder or file on this computer.")
    if len(bare) > MOST_CHARACTERS:
        raise error(f"This path has {len(bare):,} characters; no folder or file has so long a path. Check it.")
    if _WEB.match(bare):
        raise error(f"{bare} is an address on the web. Download it first, and give the place of the file here.")
    if os.name != "nt" and _WINDOWS.match(bare):
        raise error(
            f"{bare} is a path of Windows, and medpriv runs on another system here. Give the path as this system "
            "calls it (under WSL, drive C: is /mnt/c)."
        )
    if bare.lower().startswith("file:") and _of_address(bare) is None:
        raise error(f"{bare} lies on another machine, or is no path. Copy the file here, and give its path.")
    meant = _of_address(bare) or bare
    if meant.startswith("~") and _at_home(meant) == meant:
        raise error(f"There is no user {meant[1:].split('/')[0]!r} on this computer. Check the path {meant}.")
    return _at_home(meant)


def _of_address(text: str) -> str | None:
    """The path that a file:// address stands for; None for anything else."""
    if not text.lower().startswith("file:"):
        return None
    try:
        address = urlsplit(text)
    except ValueError:  # such as "file://["
        return None
    if address.netloc not in ("", "localhost"):
        return None
    path = unquote(address.path, errors="surrogateescape")
    return path[1:] if os.name == "nt" else path


def _unquoted(text: str) -> str:
    bare = text.strip().strip(_INVISIBLE).strip()
    while len(bare) > 1 and bare[0] in _QUOTES and bare[-1] in (_QUOTES[bare[0]], bare[0]):
        bare = bare[1:-1].strip()
    return bare


def _at_home(text: str) -> str:
    """With the folder of the user for "~", where there is one."""
    try:
        return os.path.expanduser(text)
    except ValueError:  # no user's name can have a zero byte
        return text
