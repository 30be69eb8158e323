"""Filters that average noise away: what anybody with an image editor can try.

Neighbouring pixels of a picture are alike, their noise is not. So an average over n of them keeps the picture and
leaves noise of 1/sqrt(n). The filters differ in which pixels they hold to be alike: the near ones (blur, blocks),
those of alike surroundings (non-local means), those between edges (total variation), or in which waves they hold to
be picture (wavelets, spectrum).

The *spectrum* filter is the one to fear. It is Wiener's filter of a whole picture, which keeps of each frequency the
share that is expected to be picture rather than noise, with the well-known prior that power falls with frequency
(Field 1987). It needs no setting: it suits itself to any noise and any size.

**Sizes.** 2, 4 and 8 pixels are meant for a side of 256. For a spectrum of power 1/f² a blur of width h (as a share
of the side) costs about h in squared error and leaves noise of 1/(side h)², so the best width in pixels grows with
the cube root of the side, and the sizes here do.

>>> [smoother.title for smoother in smoothers((256, 256), noise_deviation=0.42)][:3]
['Gaussian blur, 2 pixels', 'Gaussian blur, 4 pixels', 'Gaussian blur, 8 pixels']
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import scipy

REFERENCE_SIDE = 256
# Power falls as 1/f^2.5: between the 1/f² of landscapes and the smoother photographs of retinas and chests.
SPECTRUM_EXPONENT = 2.5
SLOWEST_WAVES = 8  # half-waves across the picture that the strength of the prior is measured on


@dataclass(frozen=True)
class Smoother:
    """One filter, ready for pictures of one shape.

    ``smooth`` maps float32 (h, w, c) in [0, 1] to the same shape. ``estimates`` says what of the noisy values it
    finds: their mean, which clamping has pulled towards grey, or their median, which clamping leaves alone.
    """

    name: str
    title: str
    smooth: Callable[[np.ndarray], np.ndarray]
    estimates: Literal["mean", "median"] = "mean"


def smoothers(shape: tuple[int, int], *, noise_deviation: float, pixels_per_sample: int = 1) -> list[Smoother]:
    """All filters for pictures of ``shape`` = (h, w), the fast ones first.

    noise_deviation     standard deviation of the clamped noise in the picture, black to white = 1
    pixels_per_sample   how many pixels of the shown picture one value stands for, to state sizes in the title
    """
    scale = (max(shape) / REFERENCE_SIDE) ** (1 / 3)

    def pixels(size: float) -> str:
        return f"{round(size * pixels_per_sample, 1):g}"

    def odd(size: float) -> int:
        return 2 * max(1, round(size * scale / 2)) + 1

    def square(size: int) -> str:
        return f"{size * pixels_per_sample} × {size * pixels_per_sample} pixels"

    blurs = [
        Smoother(f"gaussian_{size}", f"Gaussian blur, {pixels(size * scale)} pixels", partial(blur, width=size * scale))
        for size in (2, 4, 8)
    ]
    blocks = [
        Smoother(f"blocks_{size}", f"Block means, {square(side)}", partial(block_mean, side=side))
        for size, side in ((size, max(2, round(size * scale))) for size in (8, 16))
    ]
    variations = [
        Smoother(f"total_variation_{weight}", f"Total variation, weight {weight}", partial(flatten, weight=weight))
        for weight in (1, 2, 4)
    ]
    window = odd(14)
    return [
        *blurs,
        *blocks,
        Smoother("spectrum", "Spectrum filter", partial(keep_likely_waves, noise_deviation=noise_deviation)),
        Smoother(
            "wiener",
            f"Local Wiener filter, {square(window)}",
            partial(local_wiener, window=window, noise_deviation=noise_deviation),
        ),
        Smoother("wavelet", "Wavelet thresholds", partial(shrink_wavelets, noise_deviation=noise_deviation)),
        Smoother("median", f"Median, {square(window)}", partial(local_median, window=window), estimates="median"),
        *variations,
        Smoother("non_local_means", "Non-local means", partial(non_local_means, noise_deviation=noise_deviation)),
    ]


def blur(picture: np.ndarray, *, width: float) -> np.ndarray:
    """Gaussian blur of standard deviation ``width`` in pixels, mirrored at the borders."""
    return scipy.ndimage.gaussian_filter(picture, sigma=(width, width, 0))


def block_mean(picture: np.ndarray, *, side: int) -> np.ndarray:
    """Every block of ``side`` x ``side`` pixels becomes its mean; the blocks at the far borders may be smaller."""
    height, width = picture.shape[:2]
    rows, columns = np.arange(0, height, side), np.arange(0, width, side)
    sums = np.add.reduceat(np.add.reduceat(picture, rows, axis=0), columns, axis=1)
    row_sizes, column_sizes = np.diff([*rows, height]), np.diff([*columns, width])
    means = sums / (row_sizes[:, None, None] * column_sizes[:, None])
    return np.repeat(np.repeat(means, row_sizes, axis=0), column_sizes, axis=1)


def local_median(picture: np.ndarray, *, window: int) -> np.ndarray:
    """Median of each ``window`` x ``window`` neighbourhood, to the nearest of 256 levels."""
    from skimage.filters import rank  # sliding histograms: ten times as fast as sorting

    levels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    square = np.ones((window, window), np.uint8)
    medians = [rank.median(levels[:, :, channel], square) for channel in range(picture.shape[2])]
    return np.stack(medians, axis=-1).astype(np.float32) / 255


def flatten(picture: np.ndarray, *, weight: float) -> np.ndarray:
    """The picture of least total variation near this one (Rudin, Osher & Fatemi 1992; Chambolle 2004)."""
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(picture, weight=weight, max_num_iter=300, channel_axis=-1)


def non_local_means(picture: np.ndarray, *, noise_deviation: float) -> np.ndarray:
    """Mean of all pixels nearby whose surroundings look alike (Buades, Coll & Morel 2005)."""
    from skimage.restoration import denoise_nl_means

    smooth = denoise_nl_means(
        picture,
        patch_size=7,
        patch_distance=11,
        h=0.8 * noise_deviation + 1e-6,  # skimage divides by it
        sigma=noise_deviation,
        fast_mode=True,
        channel_axis=-1,
    )
    return smooth.reshape(picture.shape)  # it drops a single channel


def local_wiener(picture: np.ndarray, *, window: int, noise_deviation: float) -> np.ndarray:
    """Wiener's filter with mean and variance of each neighbourhood (Lee 1980), mirrored at the borders."""
    size = (window, window, 1)
    mean = scipy.ndimage.uniform_filter(picture, size)
    variance = scipy.ndimage.uniform_filter(picture * picture, size) - mean * mean
    noise = noise_deviation**2
    kept = np.maximum(variance - noise, 0) / np.maximum(variance, max(noise, 1e-12))
    return mean + kept * (picture - mean)


def shrink_wavelets(picture: np.ndarray, *, noise_deviation: float) -> np.ndarray:
    """Small wavelet coefficients set to zero, others made smaller (VisuShrink, Donoho & Johnstone 1994)."""
    import pywt
    from skimage.restoration import denoise_wavelet

    levels = max(pywt.dwtn_max_level(picture.shape[:2], "db2"), 0)
    if levels == 0 or noise_deviation == 0:
        return picture
    return denoise_wavelet(
        picture, sigma=noise_deviation, wavelet="db2", method="VisuShrink", wavelet_levels=levels, channel_axis=-1
    )


def keep_likely_waves(picture: np.ndarray, *, noise_deviation: float) -> np.ndarray:
    """Wiener's filter of the whole picture in the cosine domain, with the power that pictures have.

    Colours are split into brightness and two differences first, because brightness holds most of the picture and
    each part gets the prior of its own strength, measured on its slowest waves.
    """
    waves = scipy.fft.dctn(_to_opponent(picture), axes=(0, 1), norm="ortho", workers=1)
    height, width = picture.shape[:2]
    # Half-waves across the longer side: the same prior for every orientation.
    down, across = np.arange(height) * max(height, width) / height, np.arange(width) * max(height, width) / width
    frequency = np.hypot(down[:, None], across).astype(np.float32)
    frequency[0, 0] = 1
    falloff = frequency**-SPECTRUM_EXPONENT
    slow = frequency <= SLOWEST_WAVES
    slow[0, 0] = False
    noise = noise_deviation**2
    for part in range(waves.shape[2]):
        power = waves[:, :, part][slow] ** 2
        strength = max(float(np.sum(power - noise) / np.sum(falloff[slow])), 0.0) if power.size else 0.0
        signal = strength * falloff
        kept = signal / np.maximum(signal + noise, 1e-12)
        kept[0, 0] = 1  # the mean of the picture is known well
        waves[:, :, part] *= kept
    return _from_opponent(scipy.fft.idctn(waves, axes=(0, 1), norm="ortho", workers=1))


# Orthonormal, so that noise of one variance stays noise of that variance.
OPPONENT = np.array(
    [[1 / np.sqrt(3)] * 3, [1 / np.sqrt(2), -1 / np.sqrt(2), 0], [1 / np.sqrt(6), 1 / np.sqrt(6), -2 / np.sqrt(6)]],
    dtype=np.float32,
)


def _to_opponent(picture: np.ndarray) -> np.ndarray:
    return picture @ OPPONENT.T if picture.shape[2] == 3 else picture


def _from_opponent(parts: np.ndarray) -> np.ndarray:
    return parts @ OPPONENT if parts.shape[2] == 3 else parts
