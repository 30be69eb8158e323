"""One picture beside its noised versions, as in Figure 2 of the paper.

Every panel is drawn independently: publishing the same noise scaled by 1 and by 2 would let anybody
subtract it away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.mechanisms.laplace import clamp, saturated_share, to_bytes, to_unit
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.progress import ProgressCallback, no_progress

PAPER_BETAS = (1.0, 2.0, 4.0)  # Figure 2


@dataclass(frozen=True)
class NoisedPanel:
    """A noised version of one picture, as it is shown."""

    noise: PictureNoise
    pixels: np.ndarray  # uint8, clamped, shape of the picture
    saturated_share: float  # share of values that became pure black or white, 0 to 1


def noised_panel(
    picture: np.ndarray, noise: PictureNoise, *, seed: tuple[int, ...], progress: ProgressCallback = no_progress
) -> NoisedPanel:
    """One noised version of a picture, and what became of the picture.

    Args:
        picture: uint8 array (h, w, channels).
        noise: The mechanism with its parameters.
        seed: Makes a demonstration repeatable; give every panel another one. A mechanism that is fit for release draws
            from the operating system's generator and ignores it.
        progress: Called now and then where exact noise is drawn for a large picture; what it raises stops that.

    Returns:
        The clamped picture, and what was measured on it.

    Raises:
        SettingError: The picture has no pixels, or is too small for the mechanism.
        MissingExtraError: The mechanism draws with OpenDP, which is not installed.
    """
    released = noise.release(to_unit(picture), np.random.default_rng(seed), progress=progress)
    return NoisedPanel(
        noise=noise,
        pixels=to_bytes(clamp(released)),
        saturated_share=saturated_share(released),
    )


def noise_alone(shape: tuple[int, int, int], noise: PictureNoise, *, seed: tuple[int, ...]) -> np.ndarray:
    """What the noise makes of an even grey: a picture of nobody, to see what comes out where nothing went in.

    Args:
        shape: (h, w, c) of the picture, c = 1 or 3.
        noise: The mechanism.
        seed: Makes it repeatable, as in ``noised_panel``.

    Returns:
        uint8, of that shape.
    """
    return noised_panel(np.full(shape, 128, np.uint8), noise, seed=seed).pixels
