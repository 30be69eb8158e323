"""DP-Pix: cells, their noise, and the change that the guarantee is for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.dp_pix import DpPix
from medpriv_core.privacy.image_cells import cell_grid


def quiet(picture: np.ndarray, *, block: int) -> np.ndarray:
    """The mosaic with next to no noise."""
    return DpPix(0.001, block=block, changed_pixels=1).release(picture, np.random.default_rng(0)).astype(np.float64)


def test_the_published_scale() -> None:
    mechanism = DpPix(2.0, block=16, changed_pixels=16)
    assert mechanism.scale * 255 == pytest.approx(31.875)
    assert mechanism.noise_deviation == pytest.approx(math.sqrt(2) * 0.125)


def test_cells_show_the_mean_of_their_pixels() -> None:
    picture = np.random.default_rng(0).random((32, 48, 3))
    expected = picture.reshape(4, 8, 6, 8, 3).mean(axis=(1, 3)).repeat(8, axis=0).repeat(8, axis=1)
    np.testing.assert_allclose(quiet(picture, block=8), expected, atol=1e-3)


def test_each_cell_and_channel_has_one_number_of_noise() -> None:
    noised = DpPix(1.0, block=8, changed_pixels=16).release(np.full((400, 320, 3), 0.5), np.random.default_rng(0))
    cells = noised.reshape(50, 8, 40, 8, 3)
    assert np.ptp(cells, axis=(1, 3)).max() == 0
    noise = cells[:, 0, :, 0].ravel() - 0.5
    assert scipy.stats.kstest(noise, scipy.stats.laplace(scale=16 / 64).cdf).pvalue > 0.001


@pytest.mark.parametrize(("height", "width", "block"), [(100, 64, 16), (30, 45, 7), (16, 16, 16), (17, 31, 16)])
def test_no_pixel_moves_the_means_further_than_the_noise_allows_for(height: int, width: int, block: int) -> None:
    grid = cell_grid((height, width, 1), block=block)
    heights, widths = (
        np.diff(np.arange(count + 1) * side // count) for side, count in zip((height, width), grid, strict=True)
    )
    assert (heights.sum(), widths.sum()) == (height, width)
    black = np.zeros((height, width, 1))
    rows, columns = np.cumsum(heights) - 1, np.cumsum(widths) - 1
    # In the corners of the picture and of its cells: the places where a border could be counted twice.
    for row in {0, height - 1, *rows}:
        for column in {0, width - 1, *columns}:
            changed = black.copy()
            changed[row, column] = 1
            moved = quiet(changed, block=block) - quiet(black, block=block)
            # Every cell is shown on many pixels; its first one is enough.
            means = moved[rows - heights + 1][:, columns - widths + 1]
            assert np.abs(means).sum() <= 1 / block**2 + 1e-6


def test_a_cell_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(SettingError, match="choose a block of at most 20"):
        DpPix(1.0, block=32).release(np.zeros((20, 300, 1)), np.random.default_rng(0))
    with pytest.raises(SettingError, match="block must be between"):
        DpPix(1.0, block=0)
