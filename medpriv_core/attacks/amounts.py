"""How much noise is enough? What eye and computer see, and how often the patient is found, amount by amount.

Three things end one after the other as noise grows: the eye loses the picture, then a computer does, and last, far
beyond, whose picture it is can no longer be told. The first is what people judge by, the last is what privacy needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from medpriv_core.attacks.first_look import first_look
from medpriv_core.attacks.reidentification import SuccessRate, shrink_gallery, success_soon
from medpriv_core.mechanisms.comparison import noised_panel
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.privacy.image_epsilon import ImageGuarantee

BETAS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)

GALLERY_SIDE = 128
LOST_TWICE = 2


@dataclass(frozen=True)
class AmountPoint:
    """What is left of a picture at one amount of noise.

    seen     correlation with the original as an eye sees it; None where one of them has one colour only
    undone   the same of what a computer makes of it in a moment
    success  how often the patient was found
    """

    beta: float
    seen: float | None
    undone: float | None
    success: SuccessRate
    guarantee: ImageGuarantee


def try_amounts(
    picture: np.ndarray,
    gallery: np.ndarray,
    noise: PictureNoise,
    *,
    betas: Sequence[float] = BETAS,
    side: int = GALLERY_SIDE,
    draws: int = 100,
    seed: int = 0,
) -> Iterator[AmountPoint]:
    """Try several amounts of a noise on one picture, and on a gallery that it is looked for in.

    Args:
        picture: uint8, shape (h, w, c), c = 1 or 3.
        gallery: uint8, shape (N, h', w', c), N of 2 or more.
        noise: The mechanism; each of ``betas`` takes the place of its own.
        betas: Amounts of noise, in units of the range from black to white.
        side: The gallery's pictures are reduced to so many pixels on the longer side, because trials take long.
        draws: Releases that are tried for each, 1 or more.
        seed: The same one gives the same result, unless the mechanism is fit for release.

    Yields:
        A point for each beta, as soon as it is ready; none after two in a row at which the patient was found no more
        often than by guessing.

    Raises:
        SettingError: For a picture or a gallery of another kind, or a beta out of bounds. Told while points are made.
    """
    smaller, lost = shrink_gallery(gallery, side), 0
    for place, beta in enumerate(betas):
        amount = noise.changed(beta=beta)
        look = first_look(picture, noised_panel(picture, amount, seed=(seed, 300 + place)).pixels, amount)
        *_, success = success_soon(smaller, amount, draws=draws, seed=seed + place)
        yield AmountPoint(beta, look.seen, look.agreed, success, amount.guarantee(picture.shape))
        lost = lost + 1 if success.interval[0] <= success.chance else 0
        if lost == LOST_TWICE:
            return
