"""PNG, JPEG, TIFF, GIF, WebP and BMP. For an upload this runs in the decoding child.

Pictures of 8 bits come out as their camera and their colour profile meant them: EXIF orientation applied, colours
in sRGB, transparency laid on black. Grey of more bits keeps its values and gets windows, as a radiograph of
12 bits in a file of 16 would otherwise be black; so does colour of 16 bits that fills no more than 12.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, ImageFile, ImageOps, TiffImagePlugin, WebPImagePlugin

from medpriv_core.pictures.codestreams import refuse_by_kind_of_jpeg
from medpriv_core.pictures.colour import to_srgb
from medpriv_core.pictures.decoded import Decoded
from medpriv_core.pictures.frames import FOR_A_PAGE, Wanted, first_of
from medpriv_core.pictures.kinds import Kind
from medpriv_core.pictures.pages import (
    Page,
    assembled,
    grey_or_colour,
    grey_page,
    plain,
    refuse_too_many_pixels,
    shown_page,
)
from medpriv_core.pictures.parts import count_gif_frames
from medpriv_core.pictures.wide_colours import colours_from_wide, grey_from_wide, is_wide_png, read_wide_png

# Importing these registers their formats; Pillow loads PNG and JPEG by itself.
_REGISTERED = (BmpImagePlugin, GifImagePlugin, TiffImagePlugin, WebPImagePlugin)
# ``refuse_too_many_pixels`` comes right after the header is read, with a lower limit and a sentence of what to do.
Image.MAX_IMAGE_PIXELS = None
# Of damaged metadata, which do not touch the pixels.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_PNG_BIT_DEPTH = 24  # place of that byte in the file


def decode_raster(data: bytes, kind: Kind, wanted: Wanted = FOR_A_PAGE) -> Decoded:
    """Decode the pages of a TIFF, or the one picture (of an animation the first) of another kind.

    Raises ``ImageError`` for what medpriv refuses, and whatever Pillow raises for a damaged file.
    """
    if kind == "TIFF":
        from medpriv_core.pictures.tiff import tiff_pages

        return assembled(tiff_pages(data, wanted), wanted)
    with open_raster(data, kind) as image:
        return assembled(_only_page(image, data, wanted), wanted)


def open_raster(data: bytes, kind: Kind) -> ImageFile.ImageFile:
    """The file with its header read and its number of pixels checked."""
    try:
        image = Image.open(io.BytesIO(data), formats=(kind,))
    except Exception:
        if kind == "JPEG":
            refuse_by_kind_of_jpeg(data)
        raise
    refuse_too_many_pixels(*image.size)
    return image


def is_ready(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Whether Pillow alone brings the picture to 8 bits as ``decode_raster`` would; false for all TIFF."""
    if image.format == "TIFF" or is_deep(image):
        return False
    return image.format != "PNG" or not is_wide_png(data)


def ready_picture(
    image: ImageFile.ImageFile, data: bytes, *, luma: bool, at_least: int | None
) -> tuple[Image.Image, tuple[str, ...]]:
    """The picture of a file that ``is_ready``, "L" or "RGB" at its own size, and notes.

    The same pixels as by ``decode_raster``, without a detour by arrays: datasets have thousands of such files. With
    ``luma`` a colour JPEG comes out as its luma alone; with ``at_least`` it may come out smaller, neither side below
    twice that.
    """
    profile = image.info.get("icc_profile")
    notes = _animation_notes(image, data)
    # The luma plane needs no colours decoded; but a profile is about colours.
    image.draft("L" if luma and not profile else None, (2 * at_least, 2 * at_least) if at_least else image.size)
    load(image, data)
    ImageOps.exif_transpose(image, in_place=True)
    shown, more_notes = to_srgb(grey_or_colour(image), profile)
    return plain(shown), notes + more_notes


def is_deep(image: Image.Image) -> bool:
    """Whether the image has one channel of more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def load(image: ImageFile.ImageFile, data: bytes) -> None:
    """Decode the pixels; raises ``ImageError`` if the file is sound but of a kind that Pillow does not decode."""
    try:
        image.load()
    except Exception:
        if image.format == "JPEG":
            refuse_by_kind_of_jpeg(data)
        raise


def pillow_page(
    image: ImageFile.ImageFile, data: bytes, *, bits: int, inverted: bool, dtype: str, count: int, wanted: Wanted
) -> Page:
    """The page at which ``image`` stands, one of ``count``; ``dtype`` is that of its grey values, if deep or signed."""
    refuse_too_many_pixels(*image.size)
    size, profile = image.size, image.info.get("icc_profile")
    if wanted.max_side is not None:
        # A JPEG is decoded at a half, a quarter or an eighth where that is still twice what is kept.
        image.draft(None, (2 * wanted.max_side, 2 * wanted.max_side))
    load(image, data)
    lying = image.size
    ImageOps.exif_transpose(image, in_place=True)
    if image.size != lying:
        size = size[::-1]
    if is_deep(image) or dtype == "int8":
        return grey_page(_typed(np.asarray(image), dtype), bits=bits, inverted=inverted, count=count, wanted=wanted)
    return shown_page(image, size=size, bits=bits, profile=profile, count=count, wanted=wanted)


def _typed(values: np.ndarray, dtype: str) -> np.ndarray:
    """Pillow keeps small and unsigned numbers in types of others; their bits are right."""
    values, wanted = values.astype(values.dtype.newbyteorder("="), copy=False), np.dtype(dtype)
    return values.view(wanted) if values.dtype.itemsize == wanted.itemsize else values.astype(wanted)


def _only_page(image: ImageFile.ImageFile, data: bytes, wanted: Wanted) -> Iterator[Page]:
    bits, notes = data[_PNG_BIT_DEPTH] if image.format == "PNG" else 8, _animation_notes(image, data)
    if image.format == "PNG" and is_wide_png(data):
        values = read_wide_png(data)
        if values.shape[2] == 2:
            page = grey_page(grey_from_wide(values), bits=bits, inverted=False, count=1, wanted=wanted)
        else:
            colours, more_notes = colours_from_wide(values, bits=bits)
            notes += more_notes
            profile = image.info.get("icc_profile")
            page = shown_page(colours, size=colours.size, bits=bits, profile=profile, count=1, wanted=wanted)
    else:
        page = pillow_page(image, data, bits=bits, inverted=False, dtype="uint16", count=1, wanted=wanted)
    yield replace(page, notes=notes + page.notes)


def _animation_notes(image: ImageFile.ImageFile, data: bytes) -> tuple[str, ...]:
    # A JPEG of several pictures holds a second view or a preview, not an animation.
    if image.format not in ("JPEG", "MPO") and getattr(image, "is_animated", False):
        # To count those of a GIF, Pillow draws them one by one.
        count = count_gif_frames(data) if image.format == "GIF" else getattr(image, "n_frames", 2)
        return (first_of(count, "images, one after the other"),)
    return ()
