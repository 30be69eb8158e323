"""Several noised copies of one picture: averaged, they show it again.

The mean of K independent clamped copies tends to the mean curve of the clamped noise, with an error that falls as
1/sqrt(K); inverting that curve (``noise.clamped_mean``) gives the picture back. The guarantee says the same: K
copies have K times the pure epsilon of one.
"""

from __future__ import annotations

import numpy as np

from medpriv_core.attacks.samples import MeanInversion
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.laplace import clamp, to_bytes, to_unit
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.mechanisms.sources import CountedNoise


def average_copies(picture: np.ndarray, noise: PictureNoise, *, copies: int, seed: tuple[int, ...]) -> np.ndarray:
    """What an attacker makes of several noised copies of one picture.

    Each copy is clamped and brought to 8 bits, as it would be handed out.

    Args:
        picture: uint8 array (h, w, channels).
        noise: The mechanism with its parameters.
        copies: How many releases the attacker has; at least 1.
        seed: Makes the demonstration repeatable.

    Returns:
        The attacker's picture, uint8 array of the same shape.

    Raises:
        SettingError: There is no copy, or the picture is too small for the mechanism.
    """
    if copies < 1:
        raise SettingError("Averaging needs at least one copy.")
    clean, source = to_unit(picture), CountedNoise(np.random.default_rng(seed))
    total = np.zeros(picture.shape, np.float32)
    for _ in range(copies):
        total += to_unit(to_bytes(clamp(noise.noised(clean, source))))
    mean = total / copies
    if noise.clamped_mean(np.zeros(1)) is None:
        return to_bytes(mean)
    return to_bytes(MeanInversion(noise.clamped_mean).level(mean))
