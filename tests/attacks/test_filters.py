from __future__ import annotations

import numpy as np
import pytest
import scipy

from medpriv_core.attacks import filters
from tests.attacks.pictures import bars, coloured_retina, retina_unit

NOISE = 0.2


def noised(picture: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, NOISE, picture.shape)
    return np.clip(picture + noise, 0, 1).astype(np.float32)


def grey() -> np.ndarray:
    return noised(retina_unit()[64:192, 64:160, None])


def inner(picture: np.ndarray) -> np.ndarray:
    return picture[20:-20, 20:-20]


def test_block_means_are_the_means_of_blocks_also_where_the_last_ones_are_cut() -> None:
    picture = noised(bars(21, 30, 3) / 255)

    blocks = filters.block_mean(picture, side=8)

    assert blocks.shape == picture.shape
    np.testing.assert_allclose(blocks[3, 9], picture[0:8, 8:16].mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(blocks[20, 29], picture[16:21, 24:30].mean(axis=(0, 1)), rtol=1e-5)


def test_the_local_wiener_filter_is_that_of_scipy_away_from_borders() -> None:
    picture = grey()

    ours = filters.local_wiener(picture, window=9, noise_deviation=NOISE)

    reference = scipy.signal.wiener(picture[:, :, 0].astype(float), 9, noise=NOISE**2)
    np.testing.assert_allclose(inner(ours[:, :, 0]), inner(reference), atol=1e-5)


def test_the_median_is_the_median_to_the_nearest_level_away_from_borders() -> None:
    picture = grey()

    ours = filters.local_median(picture, window=9)

    reference = scipy.ndimage.median_filter(picture[:, :, 0], size=9)
    np.testing.assert_allclose(inner(ours[:, :, 0]), inner(reference), atol=0.5 / 255 + 1e-6)


def test_a_blur_leaves_the_noise_that_averaging_leaves() -> None:
    flat = np.random.default_rng(0).normal(0.5, NOISE, (512, 512, 1)).astype(np.float32)

    left = filters.blur(flat, width=4).std()

    # A Gaussian of deviation w averages over 4 pi w² pixels.
    assert left == pytest.approx(NOISE / np.sqrt(4 * np.pi * 16), rel=0.05)


def test_the_spectrum_filter_is_the_best_linear_one_where_its_prior_is_true() -> None:
    """For a random picture with the prior's power, no filter of fixed shares beats it: here the known ideal."""
    rng = np.random.default_rng(0)
    side = 128
    frequency = np.hypot(*np.mgrid[:side, :side])
    frequency[0, 0] = 1
    power = 40 * frequency**-filters.SPECTRUM_EXPONENT
    power[0, 0] = 0
    clean = 0.5 + scipy.fft.idctn(rng.standard_normal((side, side)) * np.sqrt(power), norm="ortho")
    noisy = (clean + rng.normal(0, NOISE, clean.shape)).astype(np.float32)[:, :, None]

    error = np.mean((filters.keep_likely_waves(noisy, noise_deviation=NOISE)[:, :, 0] - clean) ** 2)

    ideal = np.mean(power * NOISE**2 / (power + NOISE**2))
    assert error == pytest.approx(ideal, rel=0.1)
    blurred = [np.mean((filters.blur(noisy, width=width)[:, :, 0] - clean) ** 2) for width in (0.5, 1, 2, 4, 8)]
    assert error < min(blurred)


def test_colours_are_split_and_joined_without_loss() -> None:
    picture = coloured_retina().astype(np.float32) / 255

    kept = filters.keep_likely_waves(picture, noise_deviation=0.0)

    np.testing.assert_allclose(kept, picture, atol=1e-5)
    np.testing.assert_allclose(filters.OPPONENT @ filters.OPPONENT.T, np.eye(3), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(16, 16), (1, 16), (3, 40), (2, 2), (1, 1), (64, 50)])
def test_every_filter_takes_every_shape_and_stays_near_a_flat_picture(shape: tuple[int, int], channels: int) -> None:
    flat = np.full((*shape, channels), 0.3, dtype=np.float32)

    for noise in (0.0, 0.4):
        for smoother in filters.smoothers(shape, noise_deviation=noise):
            smooth = smoother.smooth(flat)

            assert smooth.shape == flat.shape, smoother.name
            np.testing.assert_allclose(smooth, flat, atol=0.5 / 255 + 1e-5, err_msg=smoother.name)


def test_every_filter_brings_a_noised_picture_nearer_to_the_original() -> None:
    clean = retina_unit()[:, :, None].astype(np.float32)
    picture = noised(clean)

    before = np.mean((picture - clean) ** 2)

    for smoother in filters.smoothers((256, 256), noise_deviation=NOISE):
        assert np.mean((smoother.smooth(picture) - clean) ** 2) < 0.5 * before, smoother.name


def test_sizes_grow_with_the_cube_root_of_the_side_and_titles_speak_of_the_picture() -> None:
    small = {smoother.name: smoother for smoother in filters.smoothers((32, 20), noise_deviation=NOISE)}
    reduced = {
        smoother.name: smoother
        for smoother in filters.smoothers((256, 256), noise_deviation=NOISE, pixels_per_sample=4)
    }

    assert small["gaussian_8"].title == "Gaussian blur, 4 pixels"
    assert small["blocks_16"].title == "Block means, 8 × 8 pixels"
    assert reduced["gaussian_8"].title == "Gaussian blur, 32 pixels"
    assert reduced["median"].title == "Median, 60 × 60 pixels"
