"""Variants of an image: its own, repeatable, and still the same picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skimage import data, transform

from medpriv_core.training.variants import is_broad, vary


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    small = transform.resize(data.camera(), (96, 96), anti_aliasing=True)
    return (small * 255).astype(np.uint8)[:, :, None]


def test_a_variant_follows_from_the_image_and_its_number_alone(picture: np.ndarray) -> None:
    before = picture.copy()
    assert np.array_equal(vary(picture, number=1), vary(picture, number=1))
    assert not np.array_equal(vary(picture, number=1), vary(picture, number=2))
    other = picture.copy()
    other[0, 0, 0] ^= 1
    assert np.abs(vary(picture, number=1).astype(int) - vary(other, number=1)).mean() > 1
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("channels", [1, 3])
def test_variants_keep_shape_and_content(picture: np.ndarray, channels: Any) -> None:
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


def test_sharpness_is_what_varies_most(picture: np.ndarray) -> None:
    def sharpness(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image[..., 0].astype(float), axis=0)).mean())

    softened = [sharpness(vary(picture, number=number)) for number in range(1, 61) if not is_broad(number)]
    assert np.median(softened) < 0.9 * sharpness(picture)
    assert max(softened) > 0.8 * sharpness(picture)


def test_every_third_variant_is_broad_and_the_image_itself_is_not() -> None:
    assert [number for number in range(10) if is_broad(number)] == [3, 6, 9]


def test_broad_variants_are_stretched_and_lit_unevenly_and_mild_ones_are_not() -> None:
    flat = np.full((96, 96, 1), 128, np.uint8)
    middle = np.s_[24:72, 24:72]  # whatever was moved in from outside is black
    for number in range(1, 31):
        spread = float(vary(flat, number=number)[middle].std())
        assert (spread > 0.5) == is_broad(number), number

    # A square in the middle: its width against its height, which turning and zooming do not change.
    square = np.zeros((96, 96, 1), np.uint8)
    square[32:64, 32:64] = 255
    widths: dict[bool, list[int]] = {True: [], False: []}
    for number in range(1, 91):
        varied = vary(square, number=number)[..., 0].astype(float)
        heavy = varied > (varied.min() + varied.max()) / 2
        rows, columns = np.nonzero(heavy)
        widths[is_broad(number)].append(np.log(columns.std() / rows.std()))
    assert np.std(widths[False]) < 0.02
    assert np.std(widths[True]) > 0.08


def test_light_and_grain_are_the_same_in_every_colour() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    varied = [vary(grey, number=number) for number in range(3, 31, 3)]
    assert all(np.array_equal(image[..., 0], image[..., 2]) for image in varied)
    grain = [np.abs(np.diff(image[16:48, 16:48, 0].astype(int), axis=0)).max() for image in varied]
    assert min(grain) <= 2 < 8 < max(grain)
