"""How large frames are kept, and bringing them there one by one.

An upload stays in memory as long as its session, so it may not grow with the file: a film of an ultrasound takes
gigabytes once decoded. The pages show at most 1024 pixels a side, so no frame is kept larger, and many frames are
kept smaller. Each frame is shrunk as soon as it is decoded, while it still has its full range of values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from medpriv_core.errors import ImageError

MAX_SIDE = 1024
MIN_SIDE = 16
MAX_FRAMES = 2000
# Of all frames together: reading so many takes some 20 seconds.
MAX_TOTAL_PIXELS = 2_000_000_000
MAX_HELD_BYTES = 64 * 2**20
_SMALLEST_USEFUL = 256  # frames that would have to be shrunk below this are too many
_MAX_ELONGATION = 4.0
_GAP = 2.0  # at most this many times the wanted size is left to the bicubic filter, the rest to plain averaging
_BAND_PIXELS = 2**21


@dataclass(frozen=True)
class Wanted:
    """How much of a file its reader keeps.

    With ``every_frame`` false only one of a DICOM, and the first of others; the range of values is that of all frames
    all the same, so that it looks as it does among the others. ``max_side`` is the longest side in pixels; None keeps
    the stored size. ``frame`` counts from 0; of an even number of frames, the middle one is the later of two; "only"
    refuses a DICOM with several.
    """

    every_frame: bool
    max_side: int | None
    frame: int | Literal["middle", "only"] = 0

    def frame_of(self, frames: int) -> int:
        """Which of so many frames is kept; raises ``ImageError`` where there are fewer."""
        if self.frame == "only" and frames > 1:
            raise ImageError(
                f"This file has {frames} frames, and files with several were not wanted. Export one of them."
            )
        if self.frame == "only":
            return 0
        chosen = frames // 2 if self.frame == "middle" else self.frame
        if chosen >= frames:
            raise ImageError(
                f"This file has {frames} frames, and frame {chosen + 1} was asked for. Add its dataset again."
            )
        return chosen


FOR_A_PAGE = Wanted(every_frame=True, max_side=MAX_SIDE)
FIRST_AS_STORED = Wanted(every_frame=False, max_side=None)


def first_of(frames: int, what: str = "frames") -> str:
    """The note that only the first was read."""
    return one_of(frames, 0, what)


def one_of(frames: int, chosen: int, what: str = "frames") -> str:
    """The note that only one was read, ``chosen`` counting from 0."""
    return f"This file holds {frames} {what}; {'the first' if chosen == 0 else f'number {chosen + 1}'} is read."


def refuse_too_many_frames(frames: int, what: str = "frames", *, pixels: int = 0) -> None:
    """Raise ``ImageError`` for more frames, or more pixels in all of them, than are read, whoever asks.

    Whoever counts frames may stop at one too many, so their number is not told.
    """
    if frames > MAX_FRAMES:
        raise ImageError(
            f"This file holds more than {MAX_FRAMES:,} {what}, the most that are read. Export a part of them."
        )
    if pixels > MAX_TOTAL_PIXELS:
        raise ImageError(
            f"The {what} of this file have more than {MAX_TOTAL_PIXELS / 1e9:g} billion pixels in all, the most that "
            "are read. Export a part of them."
        )


@dataclass(frozen=True)
class FramePlan:
    """Width and height (in pixels) at which every frame of a file is kept, and what the user is told of it."""

    size: tuple[int, int]
    notes: tuple[str, ...]


def check_side(width: int, height: int) -> None:
    """Raise ``ImageError`` for a picture too small to be noised and compared, on a page and by ``noise``."""
    if max(width, height) < MIN_SIDE:
        raise ImageError(
            f"This image has only {width} × {height} pixels. Choose one with at least {MIN_SIDE} on its longer side."
        )


def plan_frames(
    width: int,
    height: int,
    *,
    frames: int,
    bytes_per_pixel: int,
    pixel_aspect: float = 1.0,
    max_side: int | None = MAX_SIDE,
) -> FramePlan:
    """The size at which to keep ``frames`` frames of ``width`` x ``height`` stored pixels.

    ``pixel_aspect`` is the height of a stored pixel over its width; the plan makes pixels square by stretching the
    coarser axis, as viewers do, so nothing of the finer one is lost. With ``max_side`` None nothing is shrunk. Raises
    ``ImageError`` for too many frames and, where ``max_side`` is given, for pictures below ``MIN_SIDE`` pixels.
    """
    if max_side is not None:
        check_side(width, height)
    refuse_too_many_frames(frames)
    notes = []
    if not 1 / _MAX_ELONGATION <= pixel_aspect <= _MAX_ELONGATION:
        notes.append("Its pixels are far from square; they are shown as if they were.")
        pixel_aspect = 1.0
    wide, high = width * max(1.0, 1 / pixel_aspect), height * max(1.0, pixel_aspect)
    if max_side is None:
        return FramePlan((round(wide), round(high)), tuple(notes))
    scale = min(1.0, max_side / max(wide, high), math.sqrt(MAX_HELD_BYTES / (frames * wide * high * bytes_per_pixel)))
    if scale < 1 and scale * max(wide, high) < _SMALLEST_USEFUL:
        raise ImageError(f"This file holds {frames} frames, more than fit in memory. Export a part of them.")
    # Rounded down, for the total is bounded; but 95.999... is 96.
    size = (max(1, int(wide * scale + 1e-6)), max(1, int(high * scale + 1e-6)))
    if size != (width, height):
        notes.append(
            f"Stored with {width:,} × {height:,} pixels; shrunk to {size[0]:,} × {size[1]:,} when it was read."
        )
    return FramePlan(size, tuple(notes))


def resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One frame, (h, w) of any real type or (h, w, 3) ``uint8``, at ``size`` = (width, height), of the same type.

    Bicubic with Pillow's widening when shrinking, so that fine structure is averaged and not aliased; never
    beyond the values that were there.
    """
    if (values.shape[1], values.shape[0]) == size:
        return values
    if values.dtype == np.uint8:
        small = np.asarray(resized_image(Image.fromarray(values), size))
    else:
        small = _resized_floats(values, size)
        small = np.rint(small) if np.issubdtype(values.dtype, np.integer) else small
    return np.clip(small, values.min(), values.max()).astype(values.dtype)


def resized_image(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """An 8-bit image at ``size``, by the same rules as ``resized``."""
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=_GAP)


def _resized_floats(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """As Pillow does it with a reducing gap, but in bands: all of a large picture as floats takes too much memory."""
    height, width = values.shape
    factor = max(1, int(min(width / size[0], height / size[1]) / _GAP))
    rows = factor * max(1, _BAND_PIXELS // (factor * width))
    bands = [
        np.asarray(Image.fromarray(values[top : top + rows].astype(np.float32)).reduce(factor))
        for top in range(0, height, rows)
    ]
    reduced = Image.fromarray(np.concatenate(bands))
    # The last blocks may be cut off by the edge; the box says where the picture really ends.
    box = (0, 0, width / factor, height / factor)
    return np.asarray(reduced.resize(size, Image.Resampling.BICUBIC, box=box))
