"""What the explore page shows of one picture."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.mechanisms.comparison import noised_panel


def picture() -> np.ndarray:
    rows, columns = np.mgrid[0:128, 0:128]
    disc = ((rows - 64) ** 2 + (columns - 64) ** 2 < 40**2) * 200
    return np.repeat(disc[:, :, np.newaxis], 3, axis=2).astype(np.uint8)


def test_noise_that_hides_the_picture_from_the_eye_is_undone_by_blurring():
    image = picture()
    panel = noised_panel(image, beta=2.0, draw="per_pixel", seed=(0, 1))
    raw = np.corrcoef(image.ravel(), panel.pixels.ravel())[0, 1]
    assert raw < 0.3
    assert panel.blurred_correlation is not None
    assert panel.blurred_correlation > 0.8


def test_more_noise_leaves_less():
    few, many = (noised_panel(picture(), beta=beta, draw="per_pixel", seed=(0,)) for beta in (0.1, 100.0))
    assert few.saturated_share < many.saturated_share
    assert (few.blurred_correlation or 0) > (many.blurred_correlation or 0)


def test_a_blank_picture_has_no_correlation():
    white = noised_panel(picture(), beta=1000.0, draw="per_image", seed=(1,))
    assert np.ptp(white.pixels) == 0
    assert white.blurred_correlation is None
    assert white.saturated_share == 1.0


@pytest.mark.parametrize("draw", ["per_pixel", "per_image"])
def test_panels_of_one_picture_do_not_share_their_noise(draw: str):
    grey = np.full((32, 32, 1), 128, np.uint8)
    first, second = (noised_panel(grey, beta=0.05, draw=draw, seed=(0, place)) for place in (0, 1))  # type: ignore[arg-type]
    assert not np.array_equal(first.pixels, second.pixels)
