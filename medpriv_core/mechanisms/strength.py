"""As little noise as keeps the epsilon of a whole picture."""

from __future__ import annotations

import math
from typing import TypeVar

import scipy

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.privacy.calibration import round_up
from medpriv_core.privacy.image_cells import Shape
from medpriv_core.spec import BOUNDS

Noise = TypeVar("Noise", bound=PictureNoise)


def with_image_epsilon(
    noise: Noise, *, epsilon: float, shape: Shape, delta: float = DEFAULT_DELTA, copies: int = 1
) -> Noise:
    """As little noise as gives a whole picture at most a given ε.

    Args:
        noise: The mechanism; its beta is replaced, its other parameters stay.
        epsilon: What the picture may have, for any two images; above 0 and finite.
        shape: Height, width and channels of the picture.
        delta: The chance with which it may fail, from 1e-12 to 0.1.
        copies: Independent releases of the picture, from 1 to 10,000.

    Returns:
        The mechanism with a beta of four digits. Its ε is at most ``epsilon``, and hardly less.

    Raises:
        SettingError: No beta within its bounds gives this ε, or a number is outside its bounds.
    """
    low, high = BOUNDS["beta"]
    if not 0 < epsilon < math.inf:
        raise SettingError(f"The epsilon wanted for the whole image must be above 0 and finite, but is {epsilon}.")

    def excess(log_beta: float) -> float:
        # Written in logarithms, in which epsilon is nearly straight.
        return math.log(max(spent(math.exp(log_beta)), 1e-9 * epsilon) / epsilon)

    def spent(beta: float) -> float:
        clipped = min(max(beta, low), high)
        return noise.changed(beta=clipped).guarantee(shape, delta=delta, copies=copies).epsilon_image

    if math.isinf(spent(high)):
        raise SettingError(
            "One random number for the whole image gives it no finite epsilon, whatever beta is; choose "
            "noise per pixel."
        )
    if spent(high) > epsilon:
        raise SettingError(
            f"An epsilon of {epsilon:g} for the whole image needs more noise than beta {high:g}, the most allowed. "
            "Allow a larger epsilon, or take a smaller image."
        )
    if spent(low) <= epsilon:
        raise SettingError(
            f"Already the least noise allowed, beta {low:g}, keeps the whole image within epsilon {epsilon:g}; ask "
            "for a smaller epsilon."
        )
    # brentq stops on either side of the target.
    beta = round_up(math.exp(scipy.optimize.brentq(excess, math.log(low), math.log(high), xtol=2e-5)))
    while spent(beta) > epsilon:
        beta = round_up(beta * 1.00005)
    return noise.changed(beta=beta)
