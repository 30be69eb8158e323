"""Variants of an image: its own, repeatable, and still the same picture."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data, transform

from medpriv_core.training.variants import vary


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    small = transform.resize(data.camera(), (96, 96), anti_aliasing=True)
    return (small * 255).astype(np.uint8)[:, :, None]


def test_a_variant_follows_from_the_image_and_its_number_alone(picture):
    before = picture.copy()
    assert np.array_equal(vary(picture, number=1), vary(picture, number=1))
    assert not np.array_equal(vary(picture, number=1), vary(picture, number=2))
    other = picture.copy()
    other[0, 0, 0] ^= 1
    assert np.abs(vary(picture, number=1).astype(int) - vary(other, number=1)).mean() > 1
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("channels", [1, 3])
def test_variants_keep_shape_and_content(picture, channels):
    image = picture.repeat(channels, axis=2)
    for number in range(1, 9):
        varied = vary(image, number=number)
        assert varied.shape == image.shape
        assert varied.dtype == np.uint8
        inner = np.s_[16:80, 16:80]
        correlation = np.corrcoef(varied[inner].ravel(), image[inner].ravel())[0, 1]
        assert 0.4 < correlation < 0.999
    if channels == 3:
        assert np.array_equal(varied[..., 0], varied[..., 2])


def test_sharpness_is_what_varies_most(picture):
    def sharpness(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image[..., 0].astype(float), axis=0)).mean())

    softened = [sharpness(vary(picture, number=number)) for number in range(1, 41)]
    assert np.median(softened) < 0.9 * sharpness(picture)
    assert max(softened) > 0.8 * sharpness(picture)
