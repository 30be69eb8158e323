"""How alike two pictures are, in three numbers that fail in different ways.

PSNR (peak signal-to-noise ratio) counts squared errors, so a picture that is merely darker scores badly although
anyone would recognise it. The correlation ignores brightness and contrast. SSIM (structural similarity, Wang et al.
2004) compares small neighbourhoods: 1 for equal pictures, near 0 for unrelated ones.

None of the three is a privacy score when it is taken from a noised picture: that is unlike the original even where a
blur brings all of it back. What counts is the likeness of the best picture that an attacker makes of it
(``medpriv_core.attacks.undo``).

>>> picture = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
>>> likeness(picture, picture)
Likeness(psnr_db=inf, ssim=1.0, correlation=1.0)
>>> round(likeness(picture, 255 - picture).correlation, 6)
-1.0
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from medpriv_core.errors import SettingError

GAUSSIAN_WINDOW = 11  # what skimage takes for sigma = 1.5
SMALLEST_WINDOW = 7


@dataclass(frozen=True)
class Likeness:
    """Likeness of two pictures; higher is more alike."""

    psnr_db: float  # decibels; infinite for equal pictures
    ssim: float | None  # -1 to 1; None for pictures with a side under 7 pixels
    correlation: float | None  # Pearson's r, -1 to 1; None where a picture has one colour only


def likeness(original: np.ndarray, other: np.ndarray, *, data_range: float = 255.0) -> Likeness:
    """PSNR, SSIM and correlation of two pictures.

    SSIM has the Gaussian window of its authors (sigma 1.5); where the shorter side is under 11 pixels, fewer border
    pixels are left out of its average.

    Args:
        original: Array (h, w, channels) of any numeric type.
        other: Array of the same shape.
        data_range: Distance from black to white: 255 for bytes, 1 for pixels in [0, 1].

    Returns:
        The three figures; in all of them, higher is more alike.

    Raises:
        SettingError: The shapes differ, have not three dimensions, or there are no pixels.
    """
    if original.shape != other.shape or original.ndim != 3 or original.size == 0:
        raise SettingError(
            f"Only images of the same height, width and channels can be compared, not {original.shape} "
            f"and {other.shape}."
        )
    first, second = original.astype(np.float32), other.astype(np.float32)
    squared_error = float(np.mean((first - second) ** 2, dtype=np.float64))
    psnr_db = math.inf if squared_error == 0 else 10 * math.log10(data_range**2 / squared_error)
    return Likeness(psnr_db, _ssim(first, second, data_range), correlation(first, second))


def _ssim(first: np.ndarray, second: np.ndarray, data_range: float) -> float | None:
    shorter = min(first.shape[:2])
    if shorter < SMALLEST_WINDOW:
        return None
    # Imported here: pages that show no likeness need not wait for it.
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(
            first,
            second,
            data_range=data_range,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            win_size=GAUSSIAN_WINDOW if shorter >= GAUSSIAN_WINDOW else SMALLEST_WINDOW,
        )
    )


def correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Pearson's r of the values of two pictures of one shape, -1 to 1; None where one of them has one colour only."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    first, second = first.ravel().astype(np.float64), second.ravel().astype(np.float64)
    first, second = first - first.mean(), second - second.mean()
    r = float(first @ second / math.sqrt((first @ first) * (second @ second)))
    return min(1.0, max(-1.0, r))
