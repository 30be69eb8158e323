"""Colour profiles: what the numbers of a file mean, brought to sRGB, which screens show."""

from __future__ import annotations

import io

from PIL import Image, ImageCms

DAMAGED_PROFILE = "Its colour profile cannot be used; colours are shown as stored."


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, tuple[str, ...]]:
    """The image ("L", "RGB" or "CMYK") in sRGB, and a note if the profile is damaged or of another colour space.

    With a sound profile "L" stays "L" and the others become "RGB"; else the image is returned as it is.
    """
    if not profile:
        return image, ()
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        # sRGB has three channels; grey comes out with three equal ones.
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image, (DAMAGED_PROFILE,)
    assert converted is not None
    return converted.convert("L") if image.mode == "L" else converted, ()
