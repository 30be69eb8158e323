"""Fitting: smaller, never larger, and of the same shape."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.errors import SettingError
from medpriv_core.uploads.fitting import fit


@pytest.mark.parametrize(("longer", "expected"), [(128, (96, 128, 3)), (16, (12, 16, 3)), (1024, (300, 400, 3))])
def test_the_longer_side_fits_and_the_aspect_stays(longer: int, expected: tuple[int, int, int]) -> None:
    assert fit(np.zeros((300, 400, 3), np.uint8), longer).shape == expected


def test_a_smaller_picture_is_not_enlarged() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 1), dtype=np.uint8)
    assert np.array_equal(fit(picture, 30), picture)
    assert np.array_equal(fit(picture, 256), picture)


def test_shrinking_averages_and_keeps_each_channel_to_itself() -> None:
    picture = np.zeros((128, 64, 3), np.uint8)
    picture[::2, :, 0] = 255
    picture[:, :, 2] = 40
    small = fit(picture, 32).astype(float)
    assert small.shape == (32, 16, 3)
    assert np.abs(small[2:-2, :, 0] - 127.5).max() < 3
    assert np.all(small[:, :, 1:] == [0, 40])


def test_a_line_keeps_at_least_one_pixel() -> None:
    assert fit(np.zeros((2, 900, 1), np.uint8), 64).shape == (1, 64, 1)


@pytest.mark.parametrize("longer", [0, 15, 1025, -4])
def test_sizes_outside_the_bounds_are_refused(longer: int) -> None:
    with pytest.raises(SettingError, match="between 16 and 1024"):
        fit(np.zeros((300, 400, 3), np.uint8), longer)
