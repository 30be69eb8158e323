"""The pages of a PNG, JPEG, TIFF, GIF, WebP or BMP, from whatever reader they come, as one record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from medpriv_core.errors import ImageError
from medpriv_core.pictures.colour import to_srgb
from medpriv_core.pictures.decoded import MAX_PIXELS, Decoded
from medpriv_core.pictures.frames import Wanted, first_of, plan_frames, resized, resized_image
from medpriv_core.pictures.values import kept

# Up to 8 bits, which Pillow calls grey where the palette is.
_ALWAYS_WITH_PALETTE = ("GIF", "BMP")


@dataclass(frozen=True)
class Page:
    """One page as it is kept; ``size`` (width, height) as it is stored, ``ends`` its smallest and largest value."""

    pixels: np.ndarray
    size: tuple[int, int]
    bits: int
    inverted: bool = False
    scale: tuple[float, float] = (1.0, 0.0)
    ends: tuple[float, float] = (0.0, 255.0)
    notes: tuple[str, ...] = ()

    @property
    def layout(self) -> tuple[object, ...]:
        """What all pages of a file must have in common."""
        return self.size, self.inverted, self.pixels.ndim, self.pixels.dtype


def refuse_too_many_pixels(width: int, height: int) -> None:
    """Raise ``ImageError`` above ``MAX_PIXELS``; called before anything is decoded."""
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"This image has {width:,} × {height:,} pixels, {width * height / 1e6:,.0f} million in all; up to "
            f"{MAX_PIXELS // 10**6} million pixels are read. Save it smaller."
        )


def grey_page(values: np.ndarray, *, bits: int, inverted: bool, count: int, wanted: Wanted) -> Page:
    """A page of grey values (h, w) that need a window, one of ``count``; ``inverted``: low values are bright."""
    stored = kept(values)
    size = (values.shape[1], values.shape[0])
    plan = plan_frames(*size, frames=count, bytes_per_pixel=stored.stored.itemsize, max_side=wanted.max_side)
    low, high = (float(end) * stored.slope + stored.intercept for end in (stored.stored.min(), stored.stored.max()))
    return Page(
        resized(stored.stored, plan.size),
        size,
        bits,
        inverted,
        scale=(stored.slope, stored.intercept),
        ends=(low, high),
        notes=stored.notes + plan.notes,
    )


def shown_page(
    image: Image.Image, *, size: tuple[int, int], bits: int, profile: bytes | None, count: int, wanted: Wanted
) -> Page:
    """A page of 8 bits that is shown as it is; ``size`` as stored, where ``image`` was decoded smaller."""
    shown = grey_or_colour(image)
    plan = plan_frames(*size, frames=count, bytes_per_pixel=1 if shown.mode == "L" else 3, max_side=wanted.max_side)
    # Shrunk first: a colour transform of every pixel of a large photograph takes memory and time.
    srgb, notes = to_srgb(resized_image(shown, plan.size), profile)
    return Page(np.asarray(plain(srgb)), size, bits, notes=plan.notes + notes)


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Values (h, w, ...) turned as the orientation of EXIF and TIFF (1 to 8) says; others change nothing."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return values


def grey_or_colour(image: Image.Image) -> Image.Image:
    """The image as "L", "RGB" or "CMYK", the modes that colour profiles know; transparency laid on black.

    Whether it is grey or colour is said by the kind of file and its header, never by the pixels: the releases of two
    pictures that differ in one value must not differ in their shape. So a palette is colours, also where all of them
    are grey: which of them a file holds may depend on its pixels.
    """
    grey = image.mode in ("1", "L", "LA", "La") and image.format not in _ALWAYS_WITH_PALETTE
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        shown = Image.alpha_composite(black, image.convert("RGBA")).convert("RGB")
        # Three equal channels, of which the luma is each.
        return shown.convert("L") if grey else shown
    if grey:
        return image if image.mode == "L" else image.convert("L")
    return image if image.mode in ("RGB", "CMYK") else image.convert("RGB")


def plain(image: Image.Image) -> Image.Image:
    """The image as "L" or "RGB"."""
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def assembled(pages: Iterable[Page], wanted: Wanted) -> Decoded:
    """One record of all pages, or of the first with the range of all. Raises ``ImageError`` if they differ in kind."""
    kept_pages: list[Page] = []
    ends: list[tuple[float, float]] = []
    notes: list[str] = []
    for page in pages:
        ends.append(page.ends)
        notes += page.notes
        if kept_pages and page.layout != kept_pages[0].layout:
            raise ImageError("The pages of this TIFF differ in size or colour. Save the wanted page by itself.")
        if not kept_pages or wanted.every_frame:
            kept_pages.append(page)
    if len(ends) > len(kept_pages):
        notes.append(first_of(len(ends), "pages"))
    first = kept_pages[0]
    decoded = Decoded(
        np.stack([page.pixels for page in kept_pages]),
        *first.size,
        first.bits,
        notes=tuple(dict.fromkeys(notes)),
    )
    if decoded.frames.dtype == np.uint8:
        return decoded
    return replace(
        decoded,
        windowed=True,
        inverted=first.inverted,
        scales=tuple(page.scale for page in kept_pages),
        ends=tuple(ends),
    )
