"""What a file is, told by its first bytes: never by its name, which anybody may change.

Only four kinds are read. Of the others, those that people do try are called by their name, so that the sentence
says what to do instead. Looking at a few bytes needs no parser, so this happens in the web process; everything
after it happens in a child (``isolation.py``).
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from medpriv_core.errors import ImageError

Kind = Literal["PNG", "JPEG", "TIFF", "DICOM"]

MAX_UPLOAD_MB = 64  # as maxUploadSize in .streamlit/config.toml, which refuses larger ones before they arrive

_READ: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # above 4 GB in principle; small ones exist
    (b"MM\0+", "TIFF"),
)
_NOT_READ = (
    (0, b"GIF8", "a GIF"),
    (8, b"WEBP", "a WebP picture"),
    (4, b"ftyphei", "a HEIC photograph"),
    (4, b"ftypmif1", "a HEIC photograph"),
    (4, b"ftyp", "a video"),
    (0, b"BM", "a BMP picture"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture outside a DICOM"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\x1f\x8b", "a compressed archive"),
    (344, b"n+1\0", "a NIfTI volume"),
    (344, b"ni1\0", "a NIfTI volume"),
    (0, b"NRRD", "an NRRD volume"),
)
_INSTEAD = "Save the picture as PNG, JPEG, TIFF or DICOM and upload that."

# A DICOM file wrapped for secrecy (PS3.15) is a CMS message; this is the identifier of enveloped data, in DER.
_ENVELOPED_DATA = bytes.fromhex("2a864886f70d010703")
# Files of before 1993, and some of today, start with the first element of group 2 or 8, in either byte order.
_FIRST_GROUPS = (b"\x02\x00\x00\x00", b"\x08\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00", b"\x00\x08\x00")
_DICOM_ENDINGS = (".dcm", ".dicom", ".ima")


def kind_of(name: str, data: bytes) -> Kind:
    """The kind of the file; ``name`` matters only for a DICOM file without its mark.

    Raises ``ImageError`` if the file is empty, above ``MAX_UPLOAD_MB`` or of none of the four kinds.
    """
    if not data:
        raise ImageError("This file is empty. Choose another, or export it again.")
    if len(data) > MAX_UPLOAD_MB * 2**20:
        raise ImageError(
            f"This file has {len(data) / 2**20:.0f} MB; up to {MAX_UPLOAD_MB} MB are read. "
            "Shrink the picture, or upload a part of it."
        )
    # First, because the 128 bytes before the mark are free, and some files are a TIFF and a DICOM at once.
    if data[128:132] == b"DICM":
        return "DICOM"
    for signature, kind in _READ:
        if data.startswith(signature):
            return kind
    if data[:1] == b"\x30" and _ENVELOPED_DATA in data[:64]:
        raise ImageError("This file is encrypted. Upload it without encryption.")
    for offset, signature, what in _NOT_READ:
        if data.startswith(signature, offset):
            raise ImageError(f"This is {what}, which is not read. {_INSTEAD}")
    if data.startswith(_FIRST_GROUPS) or PurePath(name).suffix.lower() in _DICOM_ENDINGS:
        return "DICOM"
    raise ImageError(f"This file is not a picture of a known kind. {_INSTEAD}")
