from __future__ import annotations

import math

import numpy as np
import pytest
from skimage import metrics

from medpriv_core.attacks.similarity import likeness
from medpriv_core.errors import SettingError
from tests.attacks.pictures import coloured_retina, retina


def noisy(picture: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, deviation, picture.shape)
    return np.rint(np.clip(picture + noise, 0, 255)).astype(np.uint8)


@pytest.mark.parametrize("picture", [retina(), coloured_retina()], ids=["grey", "colour"])
def test_numbers_agree_with_their_definitions_in_double_precision(picture: np.ndarray) -> None:
    other = noisy(picture, 20)
    first, second = picture.astype(float), other.astype(float)

    found = likeness(picture, other)

    assert found.psnr_db == pytest.approx(metrics.peak_signal_noise_ratio(first, second, data_range=255), abs=1e-4)
    assert found.correlation == pytest.approx(np.corrcoef(first.ravel(), second.ravel())[0, 1], abs=1e-6)
    each_channel = [
        metrics.structural_similarity(
            first[:, :, channel],
            second[:, :, channel],
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for channel in range(picture.shape[2])
    ]
    assert found.ssim == pytest.approx(np.mean(each_channel), abs=1e-4)


def test_ssim_of_two_flat_pictures_is_its_luminance_term() -> None:
    first, second = np.full((32, 32, 1), 100, np.uint8), np.full((32, 32, 1), 180, np.uint8)
    c1 = (0.01 * 255) ** 2

    found = likeness(first, second)

    assert found.ssim == pytest.approx((2 * 100 * 180 + c1) / (100**2 + 180**2 + c1), abs=1e-5)
    assert found.psnr_db == pytest.approx(20 * math.log10(255 / 80), abs=1e-5)
    assert found.correlation is None


def test_the_range_from_black_to_white_is_the_callers() -> None:
    picture, other = retina(), noisy(retina(), 20)

    as_bytes = likeness(picture, other)
    as_unit = likeness(picture / 255, other / 255, data_range=1)

    assert as_unit.psnr_db == pytest.approx(as_bytes.psnr_db, abs=1e-3)
    assert as_unit.ssim == pytest.approx(as_bytes.ssim, abs=1e-3)


def test_equal_pictures_are_alike_without_limit() -> None:
    found = likeness(retina(), retina())

    assert (found.psnr_db, found.ssim, found.correlation) == (math.inf, pytest.approx(1), pytest.approx(1))


@pytest.mark.parametrize(
    ("shape", "has_ssim"), [((16, 6, 1), False), ((7, 40, 3), True), ((10, 10, 1), True), ((16, 11, 3), True)]
)
def test_small_pictures_have_an_ssim_from_seven_pixels_on(shape: tuple[int, int, int], has_ssim: bool) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)

    found = likeness(picture, noisy(picture, 30))

    assert (found.ssim is not None) == has_ssim
    assert found.correlation is not None
    assert found.correlation > 0.8


def test_pictures_of_different_shapes_are_refused() -> None:
    with pytest.raises(SettingError, match="same height"):
        likeness(np.zeros((16, 16, 1)), np.zeros((16, 17, 1)))
    with pytest.raises(SettingError, match="same height"):
        likeness(np.zeros((16, 16)), np.zeros((16, 16)))
