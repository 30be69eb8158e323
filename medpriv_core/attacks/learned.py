"""The linear prior as one more attempt: from the values of a release to the size that was learned, and back.

Images larger than ``prior.SIDE`` are averaged down to it: each value is then the mean of several noised ones, so its
mean curve stays and the variance of its noise is divided by their number. What comes back is as coarse as that. It is
enlarged to stand beside the others, and that adds nothing.
"""

from __future__ import annotations

import numpy as np

from medpriv_core.attacks.individual import square_means
from medpriv_core.attacks.prior import SIDE, SMALLEST_SIDE, Prior, estimate, line_of
from medpriv_core.attacks.samples import Samples, expand, read_samples
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.cells import cell_sides
from medpriv_core.mechanisms.picture_noise import PictureNoise

PRIOR = "prior"
# Why there is no such attempt.
SHARED_NOISE = "One number is added to the whole image, so what other patients look like is of no use in undoing it."
TOO_SMALL = f"Other images tell something from {SMALLEST_SIDE} × {SMALLEST_SIDE} independently noised values on."


def prior_title(side: int) -> str:
    """What the attempt is called."""
    return f"Learned from other patients ({side} × {side})"


def learned_side(shape: tuple[int, int, int], noise: PictureNoise) -> int | str:
    """The size at which a prior must have been learned to help against this noise.

    Args:
        shape: (h, w, c) of the picture.
        noise: What was added.

    Returns:
        Pixels a side; or the sentence why no prior helps.

    Raises:
        SettingError: The picture is too small for the mechanism.
    """
    if noise.clamped_mean(np.zeros(1)) is None:
        return SHARED_NOISE
    values, _ = noise.independent_values(np.zeros(shape, dtype=np.float32))
    side = min(SIDE, *values.shape[:2])
    return side if side >= SMALLEST_SIDE else TOO_SMALL


class PriorAttack:
    """Makes estimates of one release by what was learned from other images.

    Raises ``SettingError`` where the prior is of images of another size or colour than this needs.
    """

    def __init__(self, prior: Prior, clamped: np.ndarray, noise: PictureNoise) -> None:
        needed, (side, _, channels) = learned_side(clamped.shape, noise), prior.mean.shape
        if isinstance(needed, str):
            raise SettingError(needed)
        if (needed, clamped.shape[2]) != (side, channels):
            raise SettingError(
                f"This needs what was learned from images of {needed} × {needed} pixels and {clamped.shape[2]} "
                f"channels, not {side} × {side} and {channels}."
            )
        self._prior, self._side = prior, side
        samples = read_samples(clamped, noise)
        line = line_of(noise, prior.histogram, share=_share(samples, side))
        assert line is not None  # its values have noise of their own
        self._line = line

    def levels(self, values: np.ndarray) -> np.ndarray:
        """The estimated image, float64 (side, side, c), of ``samples.values``; it may leave [0, 1]."""
        return estimate(self._prior, square_means(values, self._side), self._line)

    def means(self, values: np.ndarray) -> np.ndarray:
        """The mean of each of the values, as the estimated image would have them: float32, their shape."""
        levels = self._line.intercept + self._line.slope * self.levels(values)
        return expand(levels.astype(np.float32), values.shape)


def _share(samples: Samples, side: int) -> float:
    """What averaging to ``side`` leaves of the variance of one noised value; cells of unequal size by their mean."""
    heights, widths = (cell_sides(length, side) for length in samples.values.shape[:2])
    return float(np.mean(1 / heights) * np.mean(1 / widths)) / samples.each
