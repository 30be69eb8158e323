"""Bringing a picture to the size and the mode in which it is noised and compared."""

from __future__ import annotations

import numpy as np
from PIL import Image

from medpriv_core.errors import SettingError
from medpriv_core.pictures.frames import MAX_SIDE, MIN_SIDE, resized


def fit(picture: np.ndarray, longer_side: int) -> np.ndarray:
    """The picture, ``uint8`` (h, w, c) with c = 1 or 3, with at most ``longer_side`` pixels on its longer side.

    The aspect ratio is kept to the nearest pixel. A smaller picture is returned as it is: enlarging would invent
    pixels, and each would count in epsilon. Raises ``SettingError`` outside 16..1024.

    >>> fit(np.zeros((300, 400, 1), np.uint8), 64).shape
    (48, 64, 1)
    """
    if not MIN_SIDE <= longer_side <= MAX_SIDE:
        raise SettingError(f"The longer side is {longer_side} pixels; it must be between {MIN_SIDE} and {MAX_SIDE}.")
    height, width, channels = picture.shape
    scale = longer_side / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = resized(picture[:, :, 0] if channels == 1 else picture, size)
    return small.reshape(size[1], size[0], channels)


def to_grey(picture: np.ndarray) -> np.ndarray:
    """The brightness (Rec. 601 luma) of a picture in colour, ``uint8`` (h, w, 3), as (h, w, 1).

    >>> to_grey(np.full((16, 16, 3), 7, np.uint8))[0, 0].tolist()
    [7]
    """
    return np.asarray(Image.fromarray(picture).convert("L"))[:, :, np.newaxis]
