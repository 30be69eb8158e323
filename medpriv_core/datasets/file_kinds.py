"""What kind of file lies in the place of a dataset, by its first bytes.

"Damaged, download it again" is only said of what is damaged: a tar archive, a login page or a table in the place of a
zip is called what it is. From what a person typed to the place itself: ``medpriv_core.given_paths``.
"""

from __future__ import annotations

import re
from pathlib import Path

from medpriv_core.errors import DatasetError
from medpriv_core.regular_file import open_regular

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
    (0, b"\xff\xd8\xff", "image"),
    (0, b"\x89PNG\r\n", "image"),
    (0, b"GIF8", "image"),
    (0, b"BM", "image"),
    (0, b"II*\x00", "image"),
    (0, b"MM\x00*", "image"),
    (8, b"WEBP", "image"),
    (128, b"DICM", "image"),
)
_PACKED = re.compile(r"archive|packed")


def what_is(path: Path) -> str:
    """What kind of file lies at ``path``, by its first bytes: "zip", "RAR archive", "image", "empty file", ..."""
    with open_regular(path, called=str(path), error=DatasetError) as file:
        try:
            return kind_of(file.read(512))
        except OSError as error:
            raise DatasetError(f"{path} cannot be read ({error.strerror}).") from error


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
    """Such as "an image", "an empty file" or "text"."""
    if kind == "text":
        return kind
    return f"{'an' if kind.startswith(('e', 'image', 'HDF')) else 'a'} {kind}"


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
