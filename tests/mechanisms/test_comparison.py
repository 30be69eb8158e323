"""What the explore page shows of one picture."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.mechanisms.additive import LaplacePerImage, LaplacePerPixel
from medpriv_core.mechanisms.comparison import noised_panel
from medpriv_core.mechanisms.picture_noise import PictureNoise


def picture(side: int = 128) -> np.ndarray:
    rows, columns = np.mgrid[0:side, 0:side] / side
    disc = ((rows - 0.5) ** 2 + (columns - 0.5) ** 2 < 0.1) * 200
    return np.repeat(disc[:, :, np.newaxis], 3, axis=2).astype(np.uint8)


def test_more_noise_leaves_less() -> None:
    few, many = (noised_panel(picture(), LaplacePerPixel(beta), seed=(0,)) for beta in (0.1, 100.0))
    assert few.saturated_share < many.saturated_share


def test_a_picture_can_be_shifted_to_white() -> None:
    white = noised_panel(picture(), LaplacePerImage(1000.0), seed=(1,))
    assert np.ptp(white.pixels) == 0
    assert white.saturated_share == 1.0


@pytest.mark.parametrize("mechanism", [LaplacePerPixel(0.05), LaplacePerImage(0.05)])
def test_panels_of_one_picture_do_not_share_their_noise(mechanism: PictureNoise) -> None:
    grey = np.full((32, 32, 1), 128, np.uint8)
    first, second = (noised_panel(grey, mechanism, seed=(0, place)) for place in (0, 1))
    assert not np.array_equal(first.pixels, second.pixels)
