"""Colours, and grey with transparency, of 16 bits: Pillow would keep the upper eight and drop the rest unsaid.

Of a radiograph of 12 bits that was saved as colour of 16, the upper eight bits are black. The lower eight are had by
letting Pillow read the file once more in the other byte order.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageFile, ImageOps

from medpriv_core.pictures.colour import bits_used, in_8_bits

_IHDR = slice(12, 29)  # its name and its body in a PNG; the checksum follows
PNG_HEADER = 29  # bytes of a PNG up to there
_DEPTH, _COLOUR_TYPE = 24, 25  # places of those bytes
_GREY_ALPHA, _COLOUR_ALPHA = 4, 6
_OTHER_ORDER = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if sys.byteorder == "little" else ";16L"}


def is_deep_png(data: bytes) -> bool:
    """Whether a PNG, of which ``PNG_HEADER`` bytes are enough, has 16 bits a channel."""
    return data[12:16] == b"IHDR" and data[_DEPTH : _DEPTH + 1] == b"\x10"


def is_wide_png(data: bytes) -> bool:
    """Whether a PNG has more than one channel of 16 bits."""
    return is_deep_png(data) and data[_COLOUR_TYPE] in (2, _GREY_ALPHA, _COLOUR_ALPHA)


def read_wide_png(data: bytes) -> np.ndarray:
    """The values of such a PNG, upright, ``uint16`` (h, w, c): grey and alpha, RGB, or RGB and alpha."""
    if data[_COLOUR_TYPE] == _GREY_ALPHA:
        # Two channels of 16 bits and four of 8 are packed alike.
        header = data[12:24] + bytes([8, _COLOUR_ALPHA]) + data[26:29]
        data = data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            halves = np.asarray(image).astype(np.uint16)
        return halves[:, :, 0::2] * 256 + halves[:, :, 1::2]
    with Image.open(io.BytesIO(data), formats=("PNG",)) as upper, Image.open(io.BytesIO(data)) as lower:
        values = both_halves(upper, lower)
        transparent = upper.info.get("transparency")
    if isinstance(transparent, tuple) and values.shape[2] == 3:
        alpha = np.where((values == np.array(transparent, np.uint16)).all(axis=2), 0, 65535).astype(np.uint16)
        return np.concatenate([values, alpha[:, :, np.newaxis]], axis=2)
    return values


def both_halves(upper: ImageFile.ImageFile, lower: ImageFile.ImageFile) -> np.ndarray:
    """``uint16`` values, upright, of the same page of a TIFF or PNG, opened twice and not yet decoded."""
    tiles = []
    for tile in lower.tile:
        mode, *others = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        for order, other in _OTHER_ORDER.items():
            if str(mode).endswith(order):
                mode = mode.removesuffix(order) + other
                break
        else:
            raise ValueError("no order of bytes in the mode")
        tiles.append(tile._replace(args=(mode, *others) if others else mode))
    lower.tile = tiles
    for image in (upper, lower):
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    return np.asarray(upper).astype(np.uint16) * 256 + np.asarray(lower)


def grey_from_wide(values: np.ndarray) -> np.ndarray:
    """Grey (h, w) of values (h, w, 2) with their alpha, laid on black."""
    grey, alpha = values[:, :, 0], values[:, :, 1]
    if (alpha == 65535).all():
        return grey
    return ((grey.astype(np.uint32) * alpha + 32767) // 65535).astype(np.uint16)


def colours_from_wide(values: np.ndarray, *, bits: int) -> tuple[Image.Image, tuple[str, ...]]:
    """ "RGB" or "RGBA" of 8 bits from unsigned values (h, w, 3 or 4) of more, and a note if fewer are used."""
    used, notes = bits_used(int(values[:, :, :3].max()), bits)
    colours = in_8_bits(values[:, :, :3], bits=bits, used=used)
    if values.shape[2] == 4:
        alpha = in_8_bits(values[:, :, 3:], bits=bits, used=bits)
        colours = np.concatenate([colours, alpha], axis=2)
    return Image.fromarray(np.ascontiguousarray(colours)), notes
