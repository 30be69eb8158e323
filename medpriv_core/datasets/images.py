"""Image files of datasets and of the command line, and bringing them to one square size.

What a file is and which pixels it has is found in ``medpriv_core.pictures``, as for the pictures that are uploaded to
a page: a file gives the same picture, or the same refusal, wherever it is read. Here it becomes 8-bit grey ("L") or
colour ("RGB"). Grey of colour is Rec. 601 luma; of a file with several frames the first is taken, in its first
window, unless the owner of a dataset chose otherwise (``pictures.reading``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image

from medpriv_core.errors import ImageError
from medpriv_core.pictures.decoding import decode, told_as_damage
from medpriv_core.pictures.frames import FIRST_AS_STORED
from medpriv_core.pictures.kinds import READABLE_SUFFIXES, kind_of
from medpriv_core.pictures.parts import refuse_too_many_parts
from medpriv_core.pictures.raster import is_ready, open_raster, ready_picture
from medpriv_core.pictures.reading import AS_USUAL, Fit, Reading, Window
from medpriv_core.pictures.rendering import first_picture, window_notes
from medpriv_core.regular_file import read_regular

__all__ = ["READABLE_SUFFIXES", "ReadPicture", "decode_image", "read_picture", "to_square"]

MAX_FILE_MB = 512


@dataclass(frozen=True, eq=False)
class ReadPicture:
    """A picture, "L" or "RGB", and sentences on what was filled in or left out when it was read."""

    image: Image.Image
    notes: tuple[str, ...]


def decode_image(
    source: Path | bytes | BinaryIO,
    *,
    channels: int,
    name: str,
    at_least: int | None = None,
    reading: Reading = AS_USUAL,
    frame: int | None = None,
) -> Image.Image:
    """The picture of ``read_picture`` without its notes."""
    return read_picture(source, channels=channels, name=name, at_least=at_least, reading=reading, frame=frame).image


def read_picture(
    source: Path | bytes | BinaryIO,
    *,
    channels: int | None,
    name: str,
    at_least: int | None = None,
    reading: Reading = AS_USUAL,
    frame: int | None = None,
) -> ReadPicture:
    """Decode one image to mode "L" (``channels=1``) or "RGB" (``channels=3``); None takes what its header says.

    ``name`` is what errors call the image. With ``at_least`` (pixels) a JPEG may come out smaller than it is stored,
    but neither side below twice ``at_least``: libjpeg then skips work whose result the next resizing would throw
    away. ``reading`` says which window and which frame of a DICOM; ``frame`` (from 0) names one. Raises ``ImageError``
    if there is no such file, or if it is of a kind that is not read, is damaged or has too many pixels.
    """
    data = _contents(source, name)
    chosen: int | Literal["middle", "only"] = frame or 0
    if frame is None and reading.frames in ("middle", "refuse"):
        chosen = "middle" if reading.frames == "middle" else "only"
    try:
        return _read(data, channels=channels, name=name, at_least=at_least, window=reading.window, frame=chosen)
    except ImageError as error:
        raise ImageError(f"The image {name} cannot be read. {error}") from error


def to_square(image: Image.Image, size: int, fit: Fit = "squash") -> np.ndarray:
    """The image as a square, ``uint8`` of shape (size, size, channels).

    Squashed, the aspect ratio is not kept, as in the paper: cropping could cut off the finding, and padding
    adds pixels that are the same for everybody. Bicubic filter; Pillow widens it when shrinking,
    so that fine structure is averaged and not aliased.
    """
    if image.size != (size, size):
        wide, high = image.size
        shorter = min(wide, high)
        if fit == "pad":
            scale = size / max(wide, high)
            small = image.resize((max(1, round(wide * scale)), max(1, round(high * scale))), Image.Resampling.BICUBIC)
            image = Image.new(image.mode, (size, size))
            image.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
        else:
            left, top = (wide - shorter) / 2, (high - shorter) / 2
            box = (left, top, left + shorter, top + shorter) if fit == "crop" else (0, 0, wide, high)
            image = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels


def _read(
    data: bytes,
    *,
    channels: int | None,
    name: str,
    at_least: int | None,
    window: Window,
    frame: int | Literal["middle", "only"],
) -> ReadPicture:
    mode = {1: "L", 3: "RGB", None: None}[channels]
    kind = kind_of(name, data)
    if kind not in ("DICOM", "TIFF"):
        with told_as_damage():
            refuse_too_many_parts(kind, data)
            with open_raster(data, kind) as opened:
                if is_ready(opened, data):
                    image, notes = ready_picture(opened, data, luma=channels == 1, at_least=at_least)
                    return ReadPicture(image.convert(mode) if mode else image, notes)
    decoded = decode(kind, data, replace(FIRST_AS_STORED, frame=frame))
    pixels = first_picture(kind, decoded, window)
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))
    notes = window_notes(kind, decoded) if window == "file" else ()
    return ReadPicture(image.convert(mode) if mode else image, (*decoded.notes, *notes))


def _contents(source: Path | bytes | BinaryIO, name: str) -> bytes:
    if isinstance(source, bytes):
        return source
    if not isinstance(source, Path):
        return source.read()
    called = f"the image {name}"
    return read_regular(source, called=called, error=ImageError, most_bytes=MAX_FILE_MB * 2**20)
