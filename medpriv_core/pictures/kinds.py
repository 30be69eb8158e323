"""What a file is, told by its first bytes: never by its name, which anybody may change.

Of the kinds that are not read, those that people do try are called by their name, so that the sentence says what to
do instead. Looking at a few bytes needs no parser, so this happens in the web process; everything after it happens
in a child (``uploads/isolation.py``).
"""

from __future__ import annotations

import zlib
from pathlib import PurePath
from typing import Literal

from medpriv_core.errors import ImageError

Kind = Literal["PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP", "DICOM"]

# How the names of files that are read may end, in lower case; what decides is what is in the file.
READABLE_SUFFIXES = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".gif", ".webp", ".bmp", ".dib",
    ".dcm", ".dicom", ".ima",
)  # fmt: skip
READABLE_IN_WORDS = "PNG, JPEG, TIFF, GIF, WebP, BMP or DICOM"

_READ: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),  # above 4 GB in principle; small ones exist
    (0, b"MM\0+", "TIFF"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"WEBP", "WEBP"),
)
_JPEG_LS = b"\xf7"  # marker that follows the start of such a picture
_UNPACK = "Unpack it, and choose the image in it."
_INSTEAD = "Save the image as PNG, JPEG, TIFF or DICOM, and choose that."
_VIDEO = "Save one frame of it as PNG or JPEG, and choose that."
_NOT_READ = (
    (0, b"\xff\xd8\xff" + _JPEG_LS, "a JPEG-LS image outside a DICOM", _INSTEAD),
    (4, b"ftypavif", "an AVIF image", _INSTEAD),
    (4, b"ftypavis", "an AVIF image", _INSTEAD),
    *((4, b"ftyp" + brand, "a HEIC photograph", _INSTEAD) for brand in (b"hei", b"hev", b"mif1", b"msf1")),
    (4, b"ftyp", "a video", _VIDEO),
    (8, b"AVI ", "a video", _VIDEO),
    (0, b"\x1a\x45\xdf\xa3", "a video", _VIDEO),
    (0, b"\0\0\x01\xba", "a video", _VIDEO),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image outside a DICOM", _INSTEAD),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image outside a DICOM", _INSTEAD),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image", _INSTEAD),
    (0, b"\xff\x0a", "a JPEG XL image", _INSTEAD),
    (0, b"II\xbc", "a JPEG XR image", _INSTEAD),
    (0, b"8BPS", "a Photoshop image", _INSTEAD),
    (0, b"\0\0\x01\0", "an icon", _INSTEAD),
    (0, b"v/1\x01", "an OpenEXR image", _INSTEAD),
    (0, b"SIMPLE  =", "a FITS image", _INSTEAD),
    *((0, b"P%d\n" % number, "an image of the PNM family (PGM, PPM)", _INSTEAD) for number in range(1, 7)),
    (0, b"%!PS", "a PostScript document", _INSTEAD),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript document", _INSTEAD),
    (0, b"%PDF", "a PDF document", _INSTEAD),
    (0, b"{\\rtf", "a text document", _INSTEAD),
    (0, b"\xd0\xcf\x11\xe0", "an Office document", _INSTEAD),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (0, b"7z\xbc\xaf", "a 7z archive", _UNPACK),
    (0, b"BZh", "a file packed with bzip2", _UNPACK),
    (0, b"\xfd7zXZ", "a file packed with xz", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a file packed with zstd", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (344, b"n+1\0", "a NIfTI volume", "Export the slice as PNG or DICOM, and choose that."),
    (344, b"ni1\0", "a NIfTI volume", "Export the slice as PNG or DICOM, and choose that."),
    (0, b"NRRD", "an NRRD volume", "Export the slice as PNG or DICOM, and choose that."),
    (0, b"ObjectType", "a MetaImage volume", "Export the slice as PNG or DICOM, and choose that."),
    (0, b"\x93NUMPY", "a NumPy array", _INSTEAD),
    (0, b"\x89HDF", "an HDF5 file", _INSTEAD),
    (0, b"MATLAB ", "a MATLAB file", _INSTEAD),
    (0, b"SQLite format", "a database", _INSTEAD),
    (0, b"\0\x05\x16\x07", "a companion that macOS puts beside a file", "Choose the file without ._ before its name."),
    (0, b"version https://git-lfs", "a pointer of Git LFS and not the file itself", "Fetch it with: git lfs pull"),
)
_BMP_HEADER_LENGTHS = (12, 16, 40, 52, 56, 64, 108, 124)
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<!--")

# A DICOM file wrapped for secrecy (PS3.15) is a CMS message; this is the identifier of enveloped data, in DER.
_ENVELOPED_DATA = bytes.fromhex("2a864886f70d010703")
# Files of before 1993, and some of today, start with the first element of group 2 or 8, in either byte order.
_FIRST_GROUPS = (b"\x02\x00\x00\x00", b"\x08\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00", b"\x00\x08\x00")
_DICOM_ENDINGS = (".dcm", ".dicom", ".ima")


def kind_of(name: str, data: bytes) -> Kind:
    """The kind of the file; ``name`` matters only for a DICOM file without its mark.

    Raises ``ImageError`` if the file is empty or of no kind that is read; the sentence says what it is.
    """
    if not data:
        raise ImageError("This file is empty. Choose another, or export it again.")
    # First, because the 128 bytes before the mark are free, and some files are a TIFF and a DICOM at once.
    if data[128:132] == b"DICM":
        return "DICOM"
    # Before all others, of which there are many to try: most files of datasets are of this kind.
    if data.startswith(b"\xff\xd8\xff") and data[3:4] != _JPEG_LS:
        return "JPEG"
    for offset, signature, kind in _READ:
        if data.startswith(signature, offset):
            return kind
    if data[:1] == b"\x30" and _ENVELOPED_DATA in data[:64]:
        raise ImageError("This file is encrypted. Export it without encryption.")
    for offset, signature, what, advice in _NOT_READ:
        if data.startswith(signature, offset):
            raise ImageError(f"This is {what}, which is not read. {advice}")
    # Two letters alone would also begin a text.
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADER_LENGTHS:
        return "BMP"
    _refuse_archives(data)
    if data.startswith(_FIRST_GROUPS):
        return "DICOM"
    _refuse_texts(data)
    if PurePath(name).suffix.lower() in _DICOM_ENDINGS:
        return "DICOM"
    raise ImageError(f"This file is not an image of a known kind. {_INSTEAD}")


def _refuse_archives(data: bytes) -> None:
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        first = data[30 : 30 + int.from_bytes(data[26:28], "little")]
        if first.endswith(b".npy"):
            raise ImageError(
                "This is a NumPy archive (.npz), which holds many arrays and is not read as an image. Save the wanted "
                "one as PNG; a whole dataset can be added by: datasets add"
            )
        if first == b"[Content_Types].xml" or first.startswith(b"_rels/"):
            raise ImageError(f"This is an Office document, which is not read. {_INSTEAD}")
        raise ImageError(f"This is a zip archive and not an image. {_UNPACK}")
    if data.startswith(b"\x1f\x8b"):
        raise ImageError(f"This is {_gzipped(data)} and not the image itself. {_UNPACK}")


def _gzipped(data: bytes) -> str:
    try:
        start = zlib.decompressobj(wbits=31).decompress(data[:4096], 1024)
    except zlib.error:
        start = b""
    for offset, signature, what in (
        (128, b"DICM", "a DICOM file packed with gzip (.dcm.gz)"),
        (344, b"n+1\0", "a NIfTI volume packed with gzip (.nii.gz)"),
        (257, b"ustar", "a tar archive packed with gzip (.tar.gz)"),
    ):
        if start.startswith(signature, offset):
            return what
    return "an archive packed with gzip (.gz)"


def _refuse_texts(data: bytes) -> None:
    start = data[:2048].removeprefix(b"\xef\xbb\xbf")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        start = data[:2048].decode("utf-16", "ignore").encode()
    words = start.lstrip().lower()
    if words.startswith(_HTML_STARTS) or (words.startswith(b"<?xml") and b"<html" in words):
        raise ImageError(
            "This is a web page and not an image: it was saved in place of the image, or a login page came instead. "
            "Open the address in a browser, and save the image itself."
        )
    if words.startswith(b"<svg") or (words.startswith(b"<?xml") and b"<svg" in words):
        raise ImageError(f"This is a drawing (SVG), which is not read. {_INSTEAD}")
    if words.startswith(b"data:image/"):
        raise ImageError(f"This is an image written out as text (base64), which is not read. {_INSTEAD}")
    if words and b"\0" not in start and all(byte >= 32 or byte in b"\t\n\r\f" for byte in start):
        try:
            start.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start < len(start) - 4:  # the last letter may be cut in two
                return
        raise ImageError(f"This is a text, so this file is not an image of a known kind. {_INSTEAD}")
