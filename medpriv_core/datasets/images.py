"""Decoding image files that nobody has vouched for, and bringing them to one square size.

Files come from strangers' archives, so the header is read first and pixels are decoded only if there
is a sane number of them: a 30,000 x 30,000 PNG of one colour is a few kilobytes on disk and 2.7 GB in
memory. Only plain raster formats are tried; Pillow's other readers (some start external programs)
stay shut.

Everything becomes 8-bit grey ("L") or colour ("RGB"):

- 16-bit grey: the full range 0..65535 is scaled to 0..255 (Pillow's own conversion clips at 255);
- palette, CMYK, Lab and other colour spaces: converted to RGB; grey is Rec. 601 luma;
- transparency: laid on black, the background of radiographs and fundus photographs;
- EXIF orientation: applied, so that the picture stands as its camera meant it.
"""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, WebPImagePlugin

from medpriv_core.errors import ImageError

MAX_PIXELS = 64_000_000
# Importing the two plugins registers their formats; Pillow loads the other three by itself.
FORMATS = ("JPEG", "PNG", "BMP", TiffImagePlugin.TiffImageFile.format, WebPImagePlugin.WebPImageFile.format)

# Pillow warns of half of what it refuses; the limit above is lower, and is an error.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_WHAT_TO_DO = "Remove it or replace it by a sound copy."
_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, struct.error, MemoryError)


def decode_image(
    source: Path | bytes | BinaryIO, *, channels: int, name: str, at_least: int | None = None
) -> Image.Image:
    """Decode one image to mode "L" (``channels=1``) or "RGB" (``channels=3``).

    ``name`` is what errors call the image. With ``at_least`` (pixels) a JPEG may come out smaller than
    it is stored, but neither side below twice ``at_least``: libjpeg then skips work whose result the
    next resizing would throw away. Raises ``ImageError`` if the file is no image, is damaged or has
    more than ``MAX_PIXELS`` pixels.
    """
    mode = "L" if channels == 1 else "RGB"
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            _check_size(image, name)
            # Grey from a colour JPEG is its luma plane: no need to decode the colours.
            image.draft(mode, (2 * at_least, 2 * at_least) if at_least else image.size)
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _convert(image, mode, name)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name) from error
    except FileNotFoundError as error:
        raise ImageError(f"The image {name} does not exist. Check its name and place.") from error
    except PermissionError as error:
        raise ImageError(f"medpriv may not read the image {name}. Change its permissions.") from error
    except _UNREADABLE as error:
        raise ImageError(
            f"The image {name} cannot be read: it is damaged, cut short, or no image at all. {_WHAT_TO_DO}"
        ) from error


def to_square(image: Image.Image, size: int) -> np.ndarray:
    """The image squashed to a square, ``uint8`` of shape (size, size, channels).

    The aspect ratio is not kept, as in the paper: cropping could cut off the finding, and padding
    would add pixels that are the same for everybody. Bicubic filter; Pillow widens it when shrinking,
    so that fine structure is averaged and not aliased.
    """
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width} x {height} pixels")


def _too_large(name: str, size: str = "far too many pixels") -> ImageError:
    return ImageError(
        f"The image {name} has {size}; medpriv reads up to {MAX_PIXELS // 10**6} million pixels. "
        "Shrink it, or remove it."
    )


def _convert(image: Image.Image, mode: str, name: str) -> Image.Image:
    if image.mode == "F":
        raise ImageError(
            f"The image {name} has floating-point pixels, whose range is not known. Save it with 8 or 16 bits."
        )
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_16_bit(image, name).convert(mode)
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, opaque).convert(mode)
    if mode == "L" and image.mode not in ("1", "L", "RGB"):
        return image.convert("RGB").convert("L")
    return image.convert(mode)


def _from_16_bit(image: Image.Image, name: str) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(f"The image {name} has 32-bit pixels outside 0..65535. Save it with 8 or 16 bits.")
    # 65535 = 255 * 257: white stays white, and every step of 257 is one grey level (rounded).
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
