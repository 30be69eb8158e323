"""Opening a file that somebody uploaded: bytes in, pictures out, nothing kept of whose they are.

The bytes stay in memory: they go to a decoding child by a pipe, and only pixels and a handful of numbers come
back (``decoded.py`` lists them all). Names, dates and the other identifiers of a DICOM header never reach this
process, so no message, log or export can hold them; nor does any error repeat the file's name.
"""

from __future__ import annotations

from medpriv_core.errors import ImageError
from medpriv_core.pictures.kinds import kind_of
from medpriv_core.uploads.isolation import decode_apart
from medpriv_core.uploads.upload import Upload, make_upload

MAX_UPLOAD_MB = 64  # as maxUploadSize in .streamlit/config.toml, which refuses larger ones before they arrive


def open_upload(name: str, data: bytes, *, visitor: str = "") -> Upload:
    """Open a PNG, JPEG, TIFF (its pages are the frames), GIF, WebP, BMP or DICOM file.

    Takes 0.2 to 1 s for ordinary files, at most ``isolation.MAX_TIME_S``, and 64 MiB for as long as the upload
    lives. ``name`` serves only to try a DICOM that lacks its mark, ``visitor`` to tell one from another: each has one
    picture read at a time. Raises ``ImageError``, whose sentence says what
    is wrong with the file and what to do.
    """
    if len(data) > MAX_UPLOAD_MB * 2**20:
        raise ImageError(
            f"This file has {len(data) / 2**20:.0f} MB; up to {MAX_UPLOAD_MB} MB are read. "
            "Shrink the image, or upload a part of it."
        )
    kind = kind_of(name, data)
    return make_upload(kind, decode_apart(kind, data, visitor=visitor))
