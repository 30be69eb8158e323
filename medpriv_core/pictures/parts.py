"""How many parts a file is made of, counted before a reader walks through them one by one.

A file of a few megabytes can consist of hundreds of thousands of pages, frames, segments or properties, or state pixels
by the billion in some kilobytes. Readers look at each, some of them at all that came before it, and a minute later they
are still at it. The counts here cost next to nothing and stop at a limit. What is damaged is left to the readers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from medpriv_core.errors import ImageError
from medpriv_core.pictures.codestreams import stream_facts
from medpriv_core.pictures.decoded import MAX_PIXELS
from medpriv_core.pictures.frames import MAX_FRAMES, MAX_TOTAL_PIXELS, refuse_too_many_frames
from medpriv_core.pictures.kinds import Kind

MAX_PARTS = 200_000
_MAX_BLOCKS = 4_000_000  # of at most 255 bytes, in a GIF
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # each begins an item of a DICOM sequence, in either byte order
_SCAN = b"\xff\xda"
_START_OF_SCAN = 0xDA
# Bytes of a value of each TIFF type (TIFF 6.0, section 2, and BigTIFF).
_TIFF_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
_WIDTH, _LENGTH = 256, 257
_SHORT, _LONG = 3, 4
# Values of the properties of a page, and of all pages, that are read: so many times the bytes of the file.
_MOST_TIMES_OF_PAGE, _MOST_TIMES, _ALWAYS_READ_BYTES = 2, 16, 256 * 2**20


def refuse_too_many_parts(kind: Kind, data: bytes) -> None:
    """Raise ``ImageError`` for a file of so many parts, or pixels in all, that reading it would take minutes."""
    if kind == "TIFF":
        _refuse_tiff(data)
    elif kind == "PNG":
        names = _within(MAX_PARTS, _png_chunks(data))
        refuse_too_many_frames(sum(name == b"fcTL" for name in names), "images")
    elif kind == "GIF":
        refuse_too_many_frames(count_gif_frames(data), "images")
    elif kind == "WEBP":
        names = _within(MAX_PARTS, _riff_chunks(data))
        refuse_too_many_frames(sum(name == b"ANMF" for name in names), "images")
    elif kind == "JPEG":
        for _ in _within(MAX_PARTS, _jpeg_segments(data)):
            pass
        facts = stream_facts(data)
        # Of a progressive JPEG every scan goes over all pixels.
        if facts is not None and data.count(_SCAN) * _pixels(facts.width, facts.height) > MAX_TOTAL_PIXELS:
            raise ImageError("This JPEG is built up in far more steps than an image needs. Save it again.")
    elif kind == "DICOM" and max(map(data.count, _ITEMS)) > MAX_PARTS:
        raise _too_many()


def count_gif_frames(data: bytes) -> int:
    """Pictures in a GIF, counted up to one more than are read; Pillow would draw each to count them."""
    place = 13 + _gif_colours(data[10:11])
    frames = blocks = 0
    while place < len(data) and frames <= MAX_FRAMES:
        if data[place] == 0x2C:
            frames += 1
            place += 11 + _gif_colours(data[place + 9 : place + 10])
        elif data[place] == 0x21:
            place += 2
        else:
            if data[place] == 0x3B:
                break
            place, blocks = place + 1, blocks + 1  # Pillow too passes over what does not belong
            if blocks > _MAX_BLOCKS:
                raise _too_many()
            continue
        while length := data[place] if place < len(data) else 0:
            blocks += 1
            if blocks > _MAX_BLOCKS:
                raise _too_many()
            place += 1 + length
        place += 1
    return frames


def _gif_colours(packed: bytes) -> int:
    """Bytes of the table of colours that belongs to a packed field."""
    return 3 * 2 ** ((packed[0] & 7) + 1) if packed and packed[0] & 0x80 else 0


def _png_chunks(data: bytes) -> Iterator[bytes]:
    place = 8
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        yield name
        if name == b"IEND":
            return
        place += 12 + length


def _riff_chunks(data: bytes) -> Iterator[bytes]:
    place = 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        yield name
        place += 8 + length + length % 2


def _jpeg_segments(data: bytes) -> Iterator[bytes]:
    """The markers before the first scan."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != _START_OF_SCAN:
        marker = data[place + 1]
        yield data[place + 1 : place + 2]
        if marker == 0xFF:  # filling
            place += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD9:  # without a length
            place += 2
        else:
            place += 2 + max(2, int.from_bytes(data[place + 2 : place + 4], "big"))


def _refuse_tiff(data: bytes) -> None:
    order, pages = ("<" if data[:2] == b"II" else ">"), set[int]()
    big = data[2:4] in (b"+\0", b"\0+")
    first, count, entry, after = (8, "Q", "HHQ8s", "Q") if big else (4, "H", "HHI4s", "I")
    inline = 8 if big else 4
    pixels = entries = read = 0
    try:
        (place,) = struct.unpack_from(order + after, data, first)
        while place and place not in pages:  # a chain may lead in a circle
            pages.add(place)
            refuse_too_many_frames(len(pages), "pages")
            (here,) = struct.unpack_from(order + count, data, place)
            entries += here
            if entries > MAX_PARTS:
                raise _too_many()
            start = place + struct.calcsize(count)
            end = start + here * struct.calcsize(order + entry)
            sides, of_page = {_WIDTH: 0, _LENGTH: 0}, 0
            for tag, kind, number, value in struct.iter_unpack(order + entry, data[start:end]):
                size = number * (_TIFF_BYTES[kind] if kind < len(_TIFF_BYTES) else 0)
                if size > inline:
                    (at,) = struct.unpack(order + after, value)
                    of_page += max(0, min(size, len(data) - at))
                elif tag in sides and kind in (_SHORT, _LONG) and number == 1:
                    (sides[tag],) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), value)
            read += of_page
            if of_page > _MOST_TIMES_OF_PAGE * len(data) or read > _MOST_TIMES * len(data) + _ALWAYS_READ_BYTES:
                raise _too_many()
            pixels += _pixels(sides[_WIDTH], sides[_LENGTH])
            refuse_too_many_frames(len(pages), "pages", pixels=pixels)
            (place,) = struct.unpack_from(order + after, data, end)
    except struct.error:
        return  # the chain leads out of the file: damage


def _pixels(width: int, height: int) -> int:
    """Of one picture, not more than are read: of one with more the readers say so."""
    return min(width * height, MAX_PIXELS)


def _within(most: int, names: Iterator[bytes]) -> Iterator[bytes]:
    for count, name in enumerate(names):
        if count >= most:
            raise _too_many()
        yield name


def _too_many() -> ImageError:
    return ImageError("This file consists of far more parts than an image has. Save the image again as PNG.")
