"""One image beside its noised versions, as in Figure 2 of the paper.

Every panel is drawn independently: publishing the same noise scaled by 1 and by 2 would let anybody
subtract it away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from medpriv_core.mechanisms.laplace import add_laplace_noise, clamp, saturated_share, to_bytes, to_unit
from medpriv_core.spec import NoiseDraw

PAPER_BETAS = (1.0, 2.0, 4.0)  # Figure 2
# Blur of 8 pixels at a side of 256, the one that science's denoising table found best at beta 1 to 4.
BLUR_SHARE = 8 / 256


@dataclass(frozen=True)
class NoisedPanel:
    """A noised version of one image, as it is shown."""

    beta: float
    draw: NoiseDraw
    pixels: np.ndarray  # uint8, clamped, shape of the image
    saturated_share: float  # share of values that became pure black or white, 0 to 1
    blurred_correlation: float | None  # with the original, after one Gaussian blur; None for a flat picture


def noised_panel(image: np.ndarray, *, beta: float, draw: NoiseDraw, seed: tuple[int, ...]) -> NoisedPanel:
    """Noise ``image`` (uint8, shape (h, w, channels)) and measure what became of it.

    ``seed`` makes the demonstration repeatable; give every panel another one. Raises ``SettingError``
    for an impossible beta.
    """
    clean = to_unit(image)
    noised = add_laplace_noise(clean, beta=beta, draw=draw, rng=np.random.default_rng(seed))
    shown = clamp(noised)
    return NoisedPanel(
        beta=beta,
        draw=draw,
        pixels=to_bytes(shown),
        saturated_share=saturated_share(noised),
        blurred_correlation=_correlation(clean, blur(shown)),
    )


def blur(image: np.ndarray) -> np.ndarray:
    """The simplest attack: average neighbouring pixels with a Gaussian of 1/32 of the side."""
    width = BLUR_SHARE * image.shape[0]
    return gaussian_filter(image, sigma=(width, width, 0), mode="nearest", truncate=3)


def _correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    if np.ptp(first) == 0 or np.ptp(second) < 1e-6:
        return None
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
