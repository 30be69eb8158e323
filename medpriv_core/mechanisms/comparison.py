"""One picture beside its noised versions, as in Figure 2 of the paper.

Every panel is drawn independently: publishing the same noise scaled by 1 and by 2 would let anybody
subtract it away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from medpriv_core.mechanisms.laplace import clamp, saturated_share, to_bytes, to_unit
from medpriv_core.mechanisms.picture_noise import PictureNoise

PAPER_BETAS = (1.0, 2.0, 4.0)  # Figure 2
# Blur of 8 pixels at a side of 256, the one that science's denoising table found best at beta 1 to 4.
BLUR_SHARE = 8 / 256
# Sides above this are measured on every second, third, ... value: a correlation needs no more.
MEASURED_SIDE = 256


@dataclass(frozen=True)
class NoisedPanel:
    """A noised version of one picture, as it is shown."""

    noise: PictureNoise
    pixels: np.ndarray  # uint8, clamped, shape of the picture
    saturated_share: float  # share of values that became pure black or white, 0 to 1
    blurred_correlation: float | None  # with the original, after one Gaussian blur; None for a flat picture


def noised_panel(picture: np.ndarray, noise: PictureNoise, *, seed: tuple[int, ...]) -> NoisedPanel:
    """One noised version of a picture, and what became of the picture.

    Args:
        picture: uint8 array (h, w, channels).
        noise: The mechanism with its parameters.
        seed: Makes a demonstration repeatable; give every panel another one. A mechanism that is fit for release draws
            from the operating system's generator and ignores it.

    Returns:
        The clamped picture, and what was measured on it.

    Raises:
        SettingError: The picture has no pixels, or is too small for the mechanism.
        MissingExtraError: The mechanism draws with OpenDP, which is not installed.
    """
    released = noise.release(to_unit(picture), np.random.default_rng(seed))
    shown = clamp(released)
    return NoisedPanel(
        noise=noise,
        pixels=to_bytes(shown),
        saturated_share=saturated_share(released),
        blurred_correlation=_blurred_correlation(to_unit(picture), shown),
    )


def _blurred_correlation(clean: np.ndarray, shown: np.ndarray) -> float | None:
    """Of the original with the simplest attack: neighbouring pixels averaged with a Gaussian of 1/32 of the side."""
    height, width, channels = clean.shape
    factor = -(-max(height, width) // MEASURED_SIDE)
    if factor > 1:
        # Averages of whole cells, which is a first part of the blur.
        cropped = height // factor * factor, width // factor * factor
        cells = (cropped[0] // factor, factor, cropped[1] // factor, factor, channels)
        clean, shown = (maps[: cropped[0], : cropped[1]].reshape(cells).mean((1, 3)) for maps in (clean, shown))
    sigma = BLUR_SHARE * max(shown.shape[:2])
    blurred = scipy.ndimage.gaussian_filter(shown, sigma=(sigma, sigma, 0), mode="nearest", truncate=3)
    if np.ptp(clean) == 0 or np.ptp(blurred) < 1e-6:
        return None
    return float(np.corrcoef(clean.ravel(), blurred.ravel())[0, 1])
