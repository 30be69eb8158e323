"""Colour profiles: what the numbers of a file mean, brought to sRGB, which screens show."""

from __future__ import annotations

import io

from PIL import Image, ImageCms

DAMAGED_PROFILE = "Its colour profile cannot be used; colours are shown as stored."
_MODES = ("L", "RGB", "CMYK")


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The image ("L", "RGB" or "CMYK") in sRGB: "L" stays "L", the others become "RGB".

    Raises ``ImageCms.PyCMSError`` if the profile is damaged or of another colour space than the image.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except OSError as error:
        raise ImageCms.PyCMSError(str(error)) from error
    # sRGB has three channels; grey comes out with three equal ones.
    converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None
    return converted.convert("L") if image.mode == "L" else converted


def to_srgb_or_note(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """As ``to_srgb``, but an unusable profile only adds a sentence to ``notes``."""
    if not profile or image.mode not in _MODES:
        return image
    try:
        return to_srgb(image, profile)
    except ImageCms.PyCMSError:
        if DAMAGED_PROFILE not in notes:
            notes.append(DAMAGED_PROFILE)
        return image
