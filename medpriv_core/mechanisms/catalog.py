"""The mechanisms that the app offers, by name.

>>> import numpy as np
>>> mechanism = make_mechanism("gaussian", beta=1.0)
>>> noised = mechanism.release(np.full((8, 8, 1), 0.5), np.random.default_rng(0))
>>> noised.shape, noised.dtype, mechanism.noise_deviation
((8, 8, 1), dtype('float32'), 1.0)
"""

from __future__ import annotations

from dataclasses import dataclass

from medpriv_core.mechanisms.additive import Gaussian, LaplacePerImage, LaplacePerPixel
from medpriv_core.mechanisms.discrete_laplace import DiscreteLaplace
from medpriv_core.mechanisms.dp_pix import DpPix
from medpriv_core.mechanisms.mechanism import Mechanism
from medpriv_core.privacy.image_epsilon import MechanismName, checked_name


@dataclass(frozen=True)
class MechanismInfo:
    """What a person is told before choosing.

    formula            in one line of plain text, for x in [0, 1]
    explanation        one sentence in a clinician's words
    beta_term          the field's term for beta
    fit_for_release    whether the noise is exact and from a cryptographic generator; else it only demonstrates
    """

    name: MechanismName
    title: str
    formula: str
    explanation: str
    beta_term: str
    fit_for_release: bool = False


MECHANISMS: dict[str, MechanismInfo] = {
    info.name: info
    for info in (
        MechanismInfo(
            "laplace_per_pixel",
            "Laplace, every pixel its own noise",
            "y = x + Lap(β), drawn for each value",
            "Every value of the picture gets a random number of its own: the method that the paper describes.",
            "Laplace scale",
        ),
        MechanismInfo(
            "laplace_per_image",
            "Laplace, one number for the picture",
            "y = x + Lap(β), drawn once",
            "One random number makes the whole picture brighter or darker, as the authors' published code did: "
            "the shapes in it stay as they are.",
            "Laplace scale",
        ),
        MechanismInfo(
            "gaussian",
            "Gaussian, every pixel its own noise",
            "y = x + N(0, β²), drawn for each value",
            "Every value gets a random number from the bell curve, which protects a whole picture as well as Laplace "
            "noise of twice the power.",
            "standard deviation",
        ),
        MechanismInfo(
            "discrete_laplace",
            "Discrete Laplace, exact (OpenDP)",
            "y = k + DLap(255 β), for grey levels k = 0 … 255",
            "Every value gets a whole number of grey levels, drawn exactly and so that nobody can foresee it: for "
            "pictures that are really handed out.",
            "Laplace scale, as a share of the 255 grey levels",
            fit_for_release=True,
        ),
        MechanismInfo(
            "dp_pix",
            "DP-Pix, noised mosaic",
            "y = mean of a b × b cell + Lap(m β / b²)",
            "The picture becomes a mosaic of noised squares, which hides findings of up to m pixels, not the patient.",
            "Laplace scale for b² = m; each cell has m β / b²",
        ),
    )
}

_PLAIN: dict[MechanismName, type[Mechanism]] = {
    kind.name: kind for kind in (LaplacePerPixel, LaplacePerImage, Gaussian, DiscreteLaplace)
}


def make_mechanism(name: str, *, beta: float, block: int = 8, changed_pixels: int = 16) -> Mechanism:
    """The mechanism of that name; ``block`` and ``changed_pixels`` are for dp_pix and ignored by the others.

    Raises ``SettingError`` for an unknown name or a setting outside its bounds.
    """
    known = checked_name(name)
    if known == "dp_pix":
        return DpPix(beta, block=block, changed_pixels=changed_pixels)
    return _PLAIN[known](beta)
