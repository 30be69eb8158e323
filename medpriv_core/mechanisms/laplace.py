"""Local-DP on images: Laplace noise of scale beta on pixels in [0, 1].

The paper (Singh et al. 2020, section 3.1) releases ``y = x + N`` with Laplace noise N of scale beta.
Its text means an independent draw for every pixel (``per_pixel``). Its published code drew one number
for the whole picture (``per_image``): a shift of brightness, after which the differences between
pixels are released exactly, so that no finite epsilon holds for what the picture shows.

>>> import numpy as np
>>> image = np.full((2, 2), 0.5, dtype=np.float32)
>>> noised = add_laplace_noise(image, beta=1.0, draw="per_image", rng=np.random.default_rng(0))
>>> bool(np.ptp(noised) == 0), noised.dtype
(True, dtype('float32'))

The generators of numpy are not cryptographic and floating-point Laplace noise has a porous set of
values (Mironov 2012): this is for demonstrations and experiments, not for releasing patients' images.
"""

from __future__ import annotations

import numpy as np

from medpriv_core.errors import SettingError
from medpriv_core.spec import NOISE_DRAWS, NoiseDraw, check_bound


def add_laplace_noise(images: np.ndarray, *, beta: float, draw: NoiseDraw, rng: np.random.Generator) -> np.ndarray:
    """``images`` plus Laplace noise of scale ``beta``, not clamped.

    images   float, any shape, values in [0, 1]: one image.
             Values outside are clamped first, because the sensitivity would be unbounded otherwise.
    beta     scale in units of the range from black to white; the standard deviation is sqrt(2) beta
    draw     per_pixel: one draw for each value; per_image: one draw for the image
    rng      a generator; what networks are trained on is noised by ``keyed_laplace.py`` instead

    Returns float32 of the same shape. Raises ``SettingError`` for beta outside its bounds, an unknown
    draw, no pixels, or pixels that are not finite.
    """
    check_bound("beta", beta)
    if draw not in NOISE_DRAWS:
        raise SettingError(f"noise_draw must be one of {', '.join(NOISE_DRAWS)}, but is {draw!r}.")
    images = finite_pixels(images)
    if draw == "per_pixel":
        shape: tuple[int, ...] = images.shape
    else:
        shape = (1,) * images.ndim
    # In float64, because float32 Laplace generators cannot reach beyond 16 scales.
    noise = rng.laplace(0.0, beta, shape)
    return (images + noise).astype(np.float32)


def finite_pixels(images: np.ndarray) -> np.ndarray:
    """``images`` limited to [0, 1] before the noise: outside, the sensitivity would be unbounded.

    Raises ``SettingError`` for no pixels, or pixels that are not finite.
    """
    images = np.asarray(images)
    if images.size == 0:
        raise SettingError("There is no pixel to add noise to.")
    if not np.isfinite(images).all():
        raise SettingError("The image has values that are not numbers (NaN or infinite); noise cannot protect those.")
    return np.clip(images, 0.0, 1.0)


def laplace_clamped_mean(levels: np.ndarray, *, scale: float) -> np.ndarray:
    """Mean of ``levels`` (in [0, 1]) plus Laplace noise of ``scale``, clamped to [0, 1]. Rises with the level."""
    levels = np.clip(np.asarray(levels, dtype=np.float64), 0, 1)
    return np.asarray(levels + scale / 2 * (np.exp(-levels / scale) - np.exp(-(1 - levels) / scale)))


def clamp(noised: np.ndarray) -> np.ndarray:
    """``noised`` limited to [0, 1], float32.

    Post-processing, so it never weakens the guarantee. For Laplace noise on pixels in [0, 1] it does
    not strengthen it either: the clamped value is a sufficient statistic of the released one.
    """
    return np.clip(noised, 0.0, 1.0).astype(np.float32)


def to_unit(images: np.ndarray) -> np.ndarray:
    """``uint8`` pixels as float32 in [0, 1]."""
    return images.astype(np.float32) / np.float32(255)


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1] as ``uint8``, rounded to the nearest of the 256 levels (post-processing)."""
    return np.rint(np.clip(images, 0.0, 1.0) * 255).astype(np.uint8)


def saturated_share(noised: np.ndarray) -> float:
    """Share of values that clamping turns into pure black or pure white, 0 to 1."""
    noised = np.asarray(noised)
    return float(np.mean((noised <= 0.0) | (noised >= 1.0)))
