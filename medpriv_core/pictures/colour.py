"""What the colour numbers of a file mean, brought to 8 bits of sRGB, which screens show."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

DAMAGED_PROFILE = "Its colour profile cannot be used; colours are shown as stored."
# A photograph never stays below a sixteenth of its range; data of 12 bits or fewer in 16 always does.
_SURELY_FEWER_BITS = 2**12
_D50 = (0.9642, 1.0, 0.8249)
_D50_TO_SRGB = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, tuple[str, ...]]:
    """The image ("L", "RGB" or "CMYK") in sRGB, and a note if the profile is damaged or of another colour space.

    With a sound profile "L" stays "L" and the others become "RGB"; else the image is returned as it is.
    """
    if not profile:
        return image, ()
    try:
        transform = _transform(profile, image.mode)
        if transform is None:
            return image, ()
        # sRGB has three channels; grey comes out with three equal ones.
        converted = transform.apply(image)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image, (DAMAGED_PROFILE,)
    return converted.convert("L") if image.mode == "L" else converted, ()


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the profile to sRGB; None if that changes nothing. All pictures of a camera share one profile."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    if mode not in ("L", "RGB"):
        return transform
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    grid = levels if mode == "L" else np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, len(levels), 3)
    probe = Image.fromarray(np.atleast_2d(grid))
    changed = np.asarray(transform.apply(probe)).astype(int)
    kept = np.asarray(probe.convert("RGB")).astype(int)
    return None if np.abs(changed - kept).max() <= 1 else transform


def lab_to_srgb(lightness: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (white point D50; L* from 0 to 100), each (h, w), as ``uint8`` (h, w, 3) of sRGB.

    By the formulas of CIE 15 and IEC 61966-2-1; colours that a screen cannot show are clipped.
    """
    fy = (lightness.astype(np.float32) + 16) / 116
    f = np.stack([fy + a.astype(np.float32) / 500, fy, fy - b.astype(np.float32) / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * (108 / 841)) * np.array(_D50, np.float32)
    linear = np.clip(xyz @ np.array(_D50_TO_SRGB, np.float32).T, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * curved).astype(np.uint8)


def in_8_bits(colours: np.ndarray, *, bits: int, used: int) -> np.ndarray:
    """Colours of ``bits`` bits as ``uint8``; ``used`` are those that ``bits_used`` found."""
    if bits == used == 8:
        return colours.astype(np.uint8, copy=False)
    highest = 2**used - 1
    # Whole numbers only, rounded; 32 bits times 255 fit into 64.
    scaled = (np.minimum(colours, highest).astype(np.uint64) * 255 + highest // 2) // highest
    return scaled.astype(np.uint8)


def bits_used(highest: int, bits: int) -> tuple[int, tuple[str, ...]]:
    """The bits that colours fill, by their highest value, and a note if these are fewer than the ``bits`` stored.

    Data of 12 bits in 16 would come out black. Anything brighter than that is left as it is: it may be a dark picture.
    """
    if bits <= 12 or highest >= 2 ** (bits - 16) * _SURELY_FEWER_BITS:
        return bits, ()
    used = max(8, int(highest).bit_length())
    return used, (f"Stored with {bits} bits a colour, of which {used} are used; shown by these.",)
