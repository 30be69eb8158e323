"""From what a person typed to a folder or file, and what kind of file that is.

Paths come with quotes around them (a file manager's "copy as path"), as ``file://`` addresses (dragged into a window),
with a blank at the end, or from another system. What was meant is plain in most cases; where it is not, the sentence
says what stands in the way. "Damaged, download it again" is only said of what is damaged.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from medpriv_core.errors import DatasetError

_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u201e": "\u201c", "\u2018": "\u2019", "\u00ab": "\u00bb"}
_WINDOWS = re.compile(r"(?:[A-Za-z]:(?:[\\/]|$)|\\\\)")
MOST_CHARACTERS = 4000

# First bytes -> what the file is.
_KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"PK\x07\x08", "zip"),
    (0, b"Rar!\x1a\x07", "RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (257, b"ustar", "tar archive"),
    (0, b"\x1f\x8b", "file packed by gzip"),
    (0, b"BZh", "file packed by bzip2"),
    (0, b"\xfd7zXZ\x00", "file packed by xz"),
    (0, b"\x28\xb5\x2f\xfd", "file packed by Zstandard"),
    (0, b"\x89HDF", "HDF5 file"),
    (0, b"\x93NUMPY", "single numpy array"),
    (0, b"SQLite format 3", "database"),
    (0, b"%PDF", "PDF document"),
    (0, b"MZ", "program for Windows"),
    (0, b"\xff\xd8\xff", "picture"),
    (0, b"\x89PNG\r\n", "picture"),
    (0, b"GIF8", "picture"),
    (0, b"BM", "picture"),
    (0, b"II*\x00", "picture"),
    (0, b"MM\x00*", "picture"),
    (8, b"WEBP", "picture"),
    (128, b"DICM", "picture"),
)
_PACKED = re.compile(r"archive|packed")


def find_place(typed: str | os.PathLike[str]) -> Path:
    """The folder or file that was meant, as an absolute path; raises ``DatasetError`` if there is none."""
    text = os.fspath(typed)
    for candidate in _readings(text):
        found = _look(candidate)
        if found is not None:
            return found
    bare = _unquoted(text)
    if not bare:
        raise DatasetError("No path was given. Give the place of a folder or file on this computer.")
    if len(bare) > MOST_CHARACTERS:
        raise DatasetError(f"This path has {len(bare):,} characters; no folder or file has so long a path. Check it.")
    if re.match(r"(?:https?|ftp|s3|gs)://", bare, re.IGNORECASE):
        raise DatasetError(f"{bare} is an address on the web. Download it first, and give the place of the file here.")
    if os.name != "nt" and _WINDOWS.match(bare):
        raise DatasetError(
            f"{bare} is a path of Windows, and medpriv runs on another system here. Give the path as this system "
            "calls it (under WSL, drive C: is /mnt/c)."
        )
    if bare.startswith("~") and os.path.expanduser(bare) == bare:
        raise DatasetError(f"There is no user {bare[1:].split('/')[0]!r} on this computer. Check the path {bare}.")
    meant = _of_address(bare) or bare
    raise DatasetError(f"There is no folder or file at {_absolute(meant)}. Check the path.")


def what_is(path: Path) -> str:
    """What kind of file lies at ``path``, by its first bytes: "zip", "RAR archive", "picture", "empty file", ..."""
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except PermissionError as error:
        raise DatasetError(f"medpriv may not read {path}. Change its permissions.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}).") from error
    return kind_of(head)


def kind_of(head: bytes) -> str:
    """What a file is whose first 512 bytes (all, if it has fewer) are ``head``; "file" where that is not known.

    >>> kind_of(b"<!DOCTYPE html><html>"), kind_of(b"PK\\x03\\x04"), kind_of(b"id_code,diagnosis")
    ('web page', 'zip', 'text')
    """
    if not head:
        return "empty file"
    for at, magic, kind in _KINDS:
        if head[at : at + len(magic)] == magic:
            return kind
    if re.match(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body|\?xml)", head, re.IGNORECASE):
        return "web page"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text"
    if not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head):
        try:
            head.decode("utf-8")
        except UnicodeDecodeError as error:
            return "text" if error.start >= len(head) - 3 else "file"
        return "text"
    return "file"


def with_article(kind: str) -> str:
    """Such as "a picture", "an empty file" or "text"."""
    if kind == "text":
        return kind
    return f"{'an' if kind.startswith(('e', 'HDF')) else 'a'} {kind}"


def check_not_packed(path: Path, kind: str, wanted: str) -> None:
    """Raise ``DatasetError`` if ``kind`` is an archive of a sort that medpriv does not read."""
    name = path.name.lower()
    if re.search(r"\.(zip|7z)\.\d{3}$|\.z\d\d$|\.part\d+\.rar$", name):
        raise DatasetError(f"{path} is one part of an archive that was split. Unpack all parts, and give {wanted}.")
    if _PACKED.search(kind):
        if re.search(r"\.(tar\.\w+|tgz|tbz2?|txz)$", name):
            kind = "tar archive"
        raise DatasetError(
            f"{path} is {with_article(kind)}, which medpriv does not open. Unpack it, and give {wanted}."
        )


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
    return readings


def _of_address(text: str) -> str | None:
    """The path that a file:// address stands for; None for anything else."""
    if not text.lower().startswith("file:"):
        return None
    address = urlsplit(text)
    if address.netloc not in ("", "localhost"):
        return None
    path = unquote(address.path, errors="surrogateescape")
    return path[1:] if os.name == "nt" else path


def _unquoted(text: str) -> str:
    bare = text.strip().strip("\u200b\u202a\u202c\ufeff").strip()
    while len(bare) > 1 and bare[0] in _QUOTES and bare[-1] in (_QUOTES[bare[0]], bare[0]):
        bare = bare[1:-1].strip()
    return bare


def _look(text: str) -> Path | None:
    if not text or len(text) > MOST_CHARACTERS:
        return None
    place = _absolute(text)
    try:
        mode = os.stat(place).st_mode
    except PermissionError as error:
        raise DatasetError(f"medpriv may not read {place}. Change its permissions.") from error
    except (OSError, ValueError):
        return None
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise DatasetError(f"{place} is neither a folder nor an ordinary file. Check the path.")
    return place


def _absolute(text: str) -> Path:
    return Path(os.path.expanduser(text)).absolute()
