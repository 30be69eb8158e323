"""PNG, JPEG and TIFF. Runs in the decoding child.

Pictures of 8 bits come out as their camera and their colour profile meant them: EXIF orientation applied, colours
in sRGB, transparency laid on black. Grey of more bits keeps its values and gets windows, as a radiograph of
12 bits in a TIFF of 16 would otherwise be black.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFile, ImageOps

from medpriv_core.datasets.images import MAX_PIXELS
from medpriv_core.errors import ImageError
from medpriv_core.uploads.colour import to_srgb
from medpriv_core.uploads.decoded import Decoded
from medpriv_core.uploads.frames import (
    MAX_FRAMES,
    MAX_SIDE,
    plan_frames,
    resized,
    resized_image,
    without_equal_channels,
)

_REDUCED_RESOLUTION = 1  # bit of TIFF's tag NewSubfileType: a small copy of another page
_NEW_SUBFILE_TYPE, _BITS_PER_SAMPLE, _PHOTOMETRIC = 254, 258, 262
_WHITE_IS_ZERO = 0
_PNG_BIT_DEPTH = 24  # place of that byte in the file


def decode_raster(data: bytes, kind: str) -> Decoded:
    """Decode the pages of a TIFF, or the one picture of a PNG or JPEG.

    Raises ``ImageError`` for what medpriv refuses, and whatever Pillow raises for a damaged file.
    """
    with Image.open(io.BytesIO(data), formats=(kind,)) as image:
        _check_pixels(image)
        if kind == "PNG" and getattr(image, "is_animated", False):
            raise ImageError("This is an animated PNG, which is not read. Save the wanted picture by itself.")
        numbers = _full_pages(image) if kind == "TIFF" else [0]
        return _decode_pages(image, numbers, _bits(image, data))


def _full_pages(image: ImageFile.ImageFile) -> list[int]:
    """Numbers of the pages that are no small copies of others."""
    count = getattr(image, "n_frames", 1)
    if count > MAX_FRAMES:
        raise ImageError(f"This file holds {count} pages; up to {MAX_FRAMES} are read. Export a part of them.")
    full = []
    for number in range(count):
        image.seek(number)
        if not _tag(image, _NEW_SUBFILE_TYPE, 0) & _REDUCED_RESOLUTION:
            full.append(number)
    return full or [0]


@dataclass(frozen=True)
class _Page:
    """One page as it is kept; ``size`` (width, height) as it is stored, ``low`` and ``high`` its extreme values."""

    pixels: np.ndarray
    size: tuple[int, int]
    inverted: bool
    low: float
    high: float
    notes: tuple[str, ...]

    @property
    def layout(self) -> tuple[object, ...]:
        """What all pages of a file must have in common."""
        return self.size, self.inverted, self.pixels.ndim, self.pixels.dtype


def _decode_pages(image: ImageFile.ImageFile, numbers: list[int], bits: int) -> Decoded:
    pages: list[_Page] = []
    for number in numbers:
        if image.tell() != number:
            image.seek(number)
        pages.append(_read_page(image, count=len(numbers), bits=bits))
        if pages[-1].layout != pages[0].layout:
            raise ImageError("The pages of this TIFF differ in size or colour. Save the wanted page by itself.")
    stack = without_equal_channels(np.stack([page.pixels for page in pages]))
    notes = tuple(dict.fromkeys(note for page in pages for note in page.notes))
    decoded = Decoded(stack, *pages[0].size, bits, notes=notes)
    if stack.dtype == np.uint8:
        return decoded
    return replace(
        decoded,
        windowed=True,
        inverted=pages[0].inverted,
        scales=((1.0, 0.0),) * len(pages),
        low=min(page.low for page in pages),
        high=max(page.high for page in pages),
    )


def _read_page(image: ImageFile.ImageFile, *, count: int, bits: int) -> _Page:
    """The page at which ``image`` stands, shrunk as one of ``count``."""
    _check_pixels(image)
    size, deep = image.size, image.mode in ("I", "F") or image.mode.startswith("I;16")
    # Pillow turns white-is-zero around for 8 bits, not for more.
    inverted = deep and _tag(image, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO
    # A JPEG is decoded at a half, a quarter or an eighth where that is still twice what is kept.
    image.draft(None, (2 * MAX_SIDE, 2 * MAX_SIDE))
    image.load()
    lying = image.size
    ImageOps.exif_transpose(image, in_place=True)
    if image.size != lying:
        size = size[::-1]
    if deep:
        values = _deep_values(image, bits)
        plan = plan_frames(*size, frames=count, bytes_per_pixel=values.itemsize)
        return _Page(resized(values, plan.size), size, inverted, float(values.min()), float(values.max()), plan.notes)
    profile = image.info.get("icc_profile")
    shown = _grey_or_colour(image)
    plan = plan_frames(*size, frames=count, bytes_per_pixel=1 if shown.mode == "L" else 3)
    # Shrunk first: a colour transform of every pixel of a large photograph takes memory and time.
    srgb, notes = to_srgb(resized_image(shown, plan.size), profile)
    pixels = np.asarray(srgb if srgb.mode in ("L", "RGB") else srgb.convert("RGB"))
    return _Page(pixels, size, inverted, 0, 255, plan.notes + notes)


def _check_pixels(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"This picture has {width:,} × {height:,} pixels, {width * height / 1e6:,.0f} million in all; up to "
            f"{MAX_PIXELS // 10**6} million are read. Save it smaller."
        )


def _deep_values(image: Image.Image, bits: int) -> np.ndarray:
    """Grey values of more than 8 bits, (h, w) of ``uint16``, ``int16`` or ``float32``."""
    values = np.asarray(image)
    if image.mode in ("I", "F") and bits > 16:
        return finite(values)
    # Pillow reads unsigned 16 bits as "I;16" (older ones: PNG as "I"), signed ones as "I".
    return values.astype(np.uint16 if image.format == "PNG" or image.mode != "I" else np.int16)


def finite(values: np.ndarray) -> np.ndarray:
    """``float32`` with the smallest finite value in place of what is not a number; all such is an ``ImageError``."""
    values = values.astype(np.float32, copy=False)
    sound = np.isfinite(values)
    if sound.all():
        return values
    if not sound.any():
        raise ImageError("None of the values in this picture is a number. Export it again from its source.")
    return np.where(sound, values, values[sound].min())


def _grey_or_colour(image: Image.Image) -> Image.Image:
    """The image as "L", "RGB" or "CMYK", the modes that colour profiles know; transparency laid on black."""
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, image.convert("RGBA")).convert("RGB")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _bits(image: ImageFile.ImageFile, data: bytes) -> int:
    """Bits of one channel as stored; Pillow has reduced colour of 16 bits by the time it tells."""
    return data[_PNG_BIT_DEPTH] if image.format == "PNG" else _tag(image, _BITS_PER_SAMPLE, 8)


def _tag(image: Image.Image, number: int, otherwise: int) -> int:
    """A tag of a TIFF page; ``otherwise`` for other kinds of files and missing tags."""
    value = getattr(image, "tag_v2", {}).get(number, otherwise)
    return int(value[0] if isinstance(value, tuple) else value)
