"""What the start of a JPEG or JPEG 2000 stream says of its picture, read without decoding it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from medpriv_core.errors import ImageError

_JPEG = b"\xff\xd8"
_JPEG_2000 = b"\xff\x4f\xff\x51"
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xDA))
_START_OF_SCAN, _APP0, _APP14 = 0xDA, 0xE0, 0xEE
_BASELINE, _PROGRESSIVE = (0xC0, 0xC1), 0xC2
_LOSSLESS, _JPEG_LS = (0xC3, 0xC7, 0xCB, 0xCF), 0xF7
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), _JPEG_LS)
_INSTEAD = "Save it as an ordinary JPEG, a PNG or a TIFF, or keep it in its DICOM."


@dataclass(frozen=True)
class Stream:
    """Facts of a stream: ``process`` is the marker of its frame (0xC0 baseline, ...), 0 for JPEG 2000."""

    process: int
    width: int
    height: int
    components: int
    precision: int
    signed: bool = False
    adobe: bool = False
    colours: Literal["", "rgb", "ybr"] = ""  # what three components of a JPEG say of themselves

    @property
    def family(self) -> str:
        """ "JPEG", "extended JPEG", "lossless JPEG", "JPEG-LS" or "JPEG 2000"."""
        if not self.process:
            return "JPEG 2000"
        if self.process == _JPEG_LS:
            return "JPEG-LS"
        if self.process in _LOSSLESS:
            return "lossless JPEG"
        return "JPEG" if self.precision == 8 else "extended JPEG"


def stream_facts(data: bytes) -> Stream | None:
    """What a stream says of itself; None if it is of neither kind or ends before it says so."""
    if data[4:8] == b"jP  ":  # the stream in a file of its own, as some put it into a DICOM
        data = data[max(0, data.find(_JPEG_2000)) :]
    if data.startswith(_JPEG_2000):
        return _jpeg_2000(data)
    return _jpeg(data) if data.startswith(_JPEG) else None


def refuse_by_kind_of_jpeg(data: bytes) -> None:
    """Raise ``ImageError`` if a JPEG is whole but of a kind that is not read; else return."""
    facts = stream_facts(data)
    if facts is None or facts.family == "JPEG":
        return
    bits = f" of {facts.precision} bits" if facts.precision != 8 else ""
    raise ImageError(f"This is an image in {facts.family}{bits}, which is not read outside a DICOM. {_INSTEAD}")


def _jpeg(data: bytes) -> Stream | None:
    place, transform, jfif = 2, None, False
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker in _WITHOUT_LENGTH:
            place += 2
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        body = data[place + 4 : place + 2 + length]
        if marker == _APP0 and body.startswith(b"JFIF"):
            jfif = True
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            transform = body[11]
        elif marker in _FRAMES and len(body) >= 6:
            components = body[5]
            names = bytes(body[6 : 6 + 3 * components : 3])
            rgb = transform == 0 or (transform is None and not jfif and names in (b"RGB", b"rgb"))
            return Stream(
                process=marker,
                width=int.from_bytes(body[3:5], "big"),
                height=int.from_bytes(body[1:3], "big"),
                components=components,
                precision=body[0],
                adobe=transform is not None,
                colours="" if components != 3 else "rgb" if rgb else "ybr" if jfif or transform == 1 else "",
            )
        elif marker == _START_OF_SCAN:
            return None
        place += 2 + length
    return None


def _jpeg_2000(data: bytes) -> Stream | None:
    if len(data) < 44:
        return None
    numbers = [int.from_bytes(data[place : place + 4], "big") for place in range(8, 24, 4)]
    precision = data[42]
    return Stream(
        process=0,
        width=numbers[0] - numbers[2],
        height=numbers[1] - numbers[3],
        components=int.from_bytes(data[40:42], "big"),
        precision=(precision & 0x7F) + 1,
        signed=bool(precision & 0x80),
    )
