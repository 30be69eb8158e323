"""TIFF, the format in which anything can be stored: by Pillow where it is known to be right, else by tifffile.

Pillow has the compressions (LZW, fax, JPEG), tifffile the types of numbers. What Pillow silently gets wrong goes to
tifffile: numbers of 16 bits or more in planes of their own, and signed or floating-point ones that are big-endian and
compressed. What neither reads is refused by the name of the compression or of the numbers.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from medpriv_core.errors import ImageError
from medpriv_core.pictures.colour import lab_to_srgb
from medpriv_core.pictures.frames import Wanted, refuse_too_many_frames
from medpriv_core.pictures.pages import Page, grey_page, refuse_too_many_pixels, shown_page, upright
from medpriv_core.pictures.raster import open_raster, pillow_page
from medpriv_core.pictures.wide_colours import both_halves, colours_from_wide, grey_from_wide

_REDUCED_RESOLUTION = 1  # bit of the tag NewSubfileType: a small copy of another page
_NEW_SUBFILE_TYPE, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION = 254, 258, 259, 262, 274
_PLANES, _SUBSAMPLING, _EXTRA, _SAMPLE_FORMAT, _ICC = 284, 530, 338, 339, 34675
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB, _ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
_IMAGE_DEPTH = 32997
_MULTIPLIED_ALPHA, _ALPHA = 1, 2
_UNSIGNED, _SIGNED, _FLOATING, _COMPLEX = 1, 2, 3, (5, 6)
_SEPARATE = 2
_ROWS_AT_ONCE = 256
_MOST_CHANNELS = 8
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("tifffile").propagate = False  # its messages quote the file
_EXPORT = "Save it uncompressed, or as PNG."


def tiff_pages(data: bytes, wanted: Wanted) -> Iterator[Page]:
    """All pages that are no small copies of others. Raises ``ImageError``, and what the two readers raise."""
    if _pillow_is_right(data):
        with open_raster(data, "TIFF") as image:
            numbers = _full_pages(image)
            for number in numbers:
                image.seek(number)
                yield _by_pillow(image, data, number, count=len(numbers), wanted=wanted)
        return
    yield from _by_tifffile(data, wanted)


def _pillow_is_right(data: bytes) -> bool:
    try:
        with open_raster(data, "TIFF") as image:
            return all(_is_page_for_pillow(image, number) for number in _full_pages(image))
    except ImageError:
        raise
    except Exception:  # tifffile will say what the file is
        return False


def _full_pages(image: ImageFile.ImageFile) -> list[int]:
    count = getattr(image, "n_frames", 1)
    refuse_too_many_frames(count, "pages")
    full = []
    for number in range(count):
        image.seek(number)
        if not _tag(image, _NEW_SUBFILE_TYPE, 0) & _REDUCED_RESOLUTION:
            full.append(number)
    return full or [0]


def _is_page_for_pillow(image: ImageFile.ImageFile, number: int) -> bool:
    image.seek(number)
    tags: Any = getattr(image, "tag_v2", {})
    bits, formats = set(tags.get(_BITS, (1,))), set(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)))
    photometric, planes = _tag(image, _PHOTOMETRIC, _BLACK_IS_ZERO), _tag(image, _PLANES, 1)
    compressed = _tag(image, _COMPRESSION, 1) != 1
    if len(bits) > 1 or len(formats) > 1 or photometric in (_LAB, _ICC_LAB) or _tag(image, _IMAGE_DEPTH, 1) > 1:
        return False
    (depth,), (number_format,) = bits, formats
    if photometric == _YCBCR and not compressed and tuple(tags.get(_SUBSAMPLING, (2, 2))) != (1, 1):
        return False
    if number_format == _UNSIGNED:
        # Colours already multiplied by their alpha would be divided by it, one byte after the other.
        multiplied = tuple(tags.get(_EXTRA, ()))[:1] == (_MULTIPLIED_ALPHA,)
        colours = photometric in (_RGB, _CMYK) and depth == 16 and planes != _SEPARATE and not multiplied
        return depth <= 8 or colours or (depth in (12, 16, 32) and len(tags.get(_BITS, (1,))) == 1)
    # Pillow takes the order of bytes of the file for that of what the decompressor gave.
    swapped = compressed and tags.prefix == b"MM"
    return (number_format, depth) in ((_SIGNED, 8), (_SIGNED, 16), (_SIGNED, 32), (_FLOATING, 32)) and not swapped


def _by_pillow(image: ImageFile.ImageFile, data: bytes, number: int, *, count: int, wanted: Wanted) -> Page:
    bits = _tag(image, _BITS, 1)
    photometric = _tag(image, _PHOTOMETRIC, _BLACK_IS_ZERO)
    if bits == 16 and photometric == _RGB:
        refuse_too_many_pixels(*image.size)
        profile = image.info.get("icc_profile")
        with open_raster(data, "TIFF") as upper, open_raster(data, "TIFF") as lower:
            upper.seek(number)
            lower.seek(number)
            values = both_halves(upper, lower)
        return _wide_page(values, bits=16, profile=profile, count=count, wanted=wanted)
    kind = {_UNSIGNED: "uint", _SIGNED: "int", _FLOATING: "float"}[_tag(image, _SAMPLE_FORMAT, _UNSIGNED)]
    # Pillow turns white-is-zero around for 8 bits, not for more.
    inverted = photometric == _WHITE_IS_ZERO and bits > 8
    dtype = f"{kind}{16 if bits == 12 else max(bits, 8)}"
    return pillow_page(image, data, bits=bits, inverted=inverted, dtype=dtype, count=count, wanted=wanted)


def _by_tifffile(data: bytes, wanted: Wanted) -> Iterator[Page]:
    # Imported here: it takes a quarter of a second, and ordinary files do without it.
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        refuse_too_many_frames(len(file.pages), "pages")
        pages: list[Any] = [page for page in file.pages if isinstance(page, tifffile.TiffPage)]
        full = [page for page in pages if not page.subfiletype & _REDUCED_RESOLUTION] or pages[:1]
        for page in full:
            refuse_too_many_pixels(page.imagewidth, page.imagelength)
            _refuse_more_than_a_picture(page)
            values = upright(_channels_last(page, _values_of(page)), int(_page_tag(page, _ORIENTATION, 1)))
            yield _page_of(page, values, count=len(full), wanted=wanted)


def _refuse_more_than_a_picture(page: Any) -> None:
    """Before memory is taken for all of it."""
    if page.imagedepth > 1:
        raise ImageError("This TIFF holds a volume in one page, which is not read. Save the wanted slice as PNG.")
    if page.samplesperpixel > _MOST_CHANNELS:
        raise ImageError(f"This TIFF holds {page.samplesperpixel} channels in one page. Save the wanted one by itself.")


def _values_of(page: Any) -> np.ndarray:
    if int(page.sampleformat or 1) in _COMPLEX:
        raise ImageError(f"This TIFF holds complex numbers, which are not an image. {_EXPORT}")
    compression = getattr(page.compression, "name", str(page.compression))
    try:
        return np.asarray(page.asarray())
    except (ValueError, KeyError, NotImplementedError) as error:
        words = str(error)
        if "imagecodecs" in words or "COMPRESSION" in words or "compression" in words or "not supported" in words:
            how = "uncompressed" if compression == "NONE" else f"compressed as {compression}"
            raise ImageError(
                f"This TIFF holds {page.bitspersample}-bit numbers, {how}, in a way that is not read. {_EXPORT}"
            ) from None
        raise


def _channels_last(page: Any, values: np.ndarray) -> np.ndarray:
    axes = page.axes
    if axes not in ("YX", "YXS", "SYX"):
        raise ImageError(f"This TIFF holds more than an image in one page, which is not read. {_EXPORT}")
    return np.moveaxis(values, 0, -1) if axes == "SYX" else values


def _page_of(page: Any, values: np.ndarray, *, count: int, wanted: Wanted) -> Page:
    photometric, bits = int(page.photometric), int(page.bitspersample)
    profile = _page_tag(page, _ICC, None)
    alpha = tuple(int(extra) for extra in page.extrasamples or ())[:1] == (_ALPHA,)
    if values.ndim == 3 and photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
        if values.shape[2] > 2:
            raise ImageError(
                f"This TIFF holds {values.shape[2]} channels of grey in one page. Save the wanted one by itself."
            )
        # Laid on black, grey that is multiplied by its alpha is what it is.
        transparent = values.dtype == np.uint16 and alpha
        values = grey_from_wide(values) if transparent else values[:, :, 0]
    if values.ndim == 2 and photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
        if values.dtype == np.uint8:
            shown = Image.fromarray(values if photometric == _BLACK_IS_ZERO else 255 - values)
            return shown_page(shown, size=shown.size, bits=bits, profile=profile, count=count, wanted=wanted)
        inverted = photometric == _WHITE_IS_ZERO
        return grey_page(values, bits=bits, inverted=inverted, count=count, wanted=wanted)
    if values.ndim == 3 and photometric in (_LAB, _ICC_LAB) and values.shape[2] >= 3 and values.dtype.itemsize <= 2:
        shown = _lab(values[:, :, :3], signed=photometric == _LAB)
        return shown_page(shown, size=shown.size, bits=bits, profile=None, count=count, wanted=wanted)
    if values.ndim == 3 and photometric == _RGB and values.shape[2] >= 3:
        channels = 4 if values.shape[2] > 3 and alpha else 3
        return _wide_page(_unsigned(values[:, :, :channels]), bits=bits, profile=profile, count=count, wanted=wanted)
    name = getattr(page.photometric, "name", str(page.photometric))
    raise ImageError(
        f"This TIFF stores its colours as {name} of {bits} bits, which is not read. Save it as grey or RGB."
    )


def _unsigned(values: np.ndarray) -> np.ndarray:
    """Colours of 8, 16 or 32 bits; floating-point ones run from 0 to 1."""
    if values.dtype.kind == "f":
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        if not (low >= 0 and high <= 1):
            raise ImageError(
                f"The colours of this TIFF are floating-point numbers from {low:g} to {high:g}; only those from 0 to 1 "
                "have a known meaning. Save it with 8 or 16 bits."
            )
        return np.rint(np.nan_to_num(values.astype(np.float64)) * 65535).astype(np.uint16)
    if values.dtype.kind != "u" or values.dtype.itemsize > 4:
        raise ImageError("The colours of this TIFF are signed or of 64 bits, which is not read. Save it with 8 bits.")
    return values


def _wide_page(values: np.ndarray, *, bits: int, profile: bytes | None, count: int, wanted: Wanted) -> Page:
    colours, notes = colours_from_wide(values, bits=8 * values.dtype.itemsize)
    page = shown_page(colours, size=colours.size, bits=bits, profile=profile, count=count, wanted=wanted)
    return Page(page.pixels, page.size, page.bits, notes=notes + page.notes)


def _lab(values: np.ndarray, *, signed: bool) -> Image.Image:
    """CIE L*a*b* of 8 or 16 bits; a and b are signed, or count from the middle."""
    depth = 8 * values.dtype.itemsize
    plain = values.view(f"u{values.dtype.itemsize}")
    middle = 2 ** (depth - 1)
    if signed:
        plain = plain ^ np.array([0, middle, middle], plain.dtype)
    colours = np.empty(values.shape, np.uint8)
    for top in range(0, len(plain), _ROWS_AT_ONCE):  # as floats a large picture takes too much memory
        lightness, a, b = np.moveaxis(plain[top : top + _ROWS_AT_ONCE].astype(np.float32), -1, 0)
        unit = middle / 128
        colours[top : top + _ROWS_AT_ONCE] = lab_to_srgb(
            lightness * (100 / (2**depth - 1)), (a - middle) / unit, (b - middle) / unit
        )
    return Image.fromarray(colours)


def _page_tag(page: Any, number: int, otherwise: Any) -> Any:
    tag = page.tags.get(number)
    return otherwise if tag is None else tag.value


def _tag(image: Image.Image, number: int, otherwise: int) -> int:
    """A tag of a TIFF page; ``otherwise`` for missing tags."""
    value = getattr(image, "tag_v2", {}).get(number, otherwise)
    return int(value[0] if isinstance(value, tuple) else value)
