from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from medpriv_core.training.augmentation import network_input

MEAN = np.array([0.485, 0.456, 0.406])
SD = np.array([0.229, 0.224, 0.225])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth_image(side: int) -> torch.Tensor:
    """One grey (1, side, side, 1) picture: a bright disc off the centre."""
    y, x = np.mgrid[:side, :side] / side
    disc = 200 * np.exp(-(((x - 0.6) / 0.2) ** 2) - ((y - 0.4) / 0.2) ** 2)
    return torch.from_numpy(disc.astype(np.uint8))[None, :, :, None]


def unstandardised(inputs: torch.Tensor) -> np.ndarray:
    return (inputs.permute(0, 2, 3, 1).numpy() * SD + MEAN) * 255


def test_grey_is_copied_to_three_channels_and_standardised_as_imagenet() -> None:
    images = torch.randint(0, 256, (3, 8, 8, 1), dtype=torch.uint8, generator=generator())
    expected = (images.numpy() / 255 - MEAN) / SD
    assert np.allclose(network_input(images, size=8).permute(0, 2, 3, 1), expected, atol=1e-5)


def test_colour_keeps_its_channels() -> None:
    images = torch.randint(0, 256, (3, 8, 8, 3), dtype=torch.uint8, generator=generator())
    assert np.allclose(unstandardised(network_input(images, size=8)), images, atol=1e-3)


def test_without_a_generator_the_crop_is_central() -> None:
    images = torch.arange(36, dtype=torch.uint8).view(1, 6, 6, 1)
    cropped = unstandardised(network_input(images, size=4))[0, :, :, 0]
    assert np.allclose(cropped, images[0, 1:5, 1:5, 0], atol=1e-3)


def test_augmented_images_follow_the_generator() -> None:
    images = smooth_image(64).expand(4, -1, -1, -1)
    first, again = (network_input(images, size=48, generator=generator(5)) for _ in range(2))
    other = network_input(images, size=48, generator=generator(6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("size", [64, 48])
def test_augmentation_is_light_and_never_mirrors(size: Any) -> None:
    image = smooth_image(64)
    turned = unstandardised(network_input(image.expand(200, -1, -1, -1), size=size, generator=generator()))[..., 0]
    # The disc's centre in each picture, in pixels of the whole image from its middle.
    bright = np.where(turned > 100, turned, 0)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    centres = np.stack([(bright * x).sum((1, 2)), (bright * y).sum((1, 2))], 1) / bright.sum((1, 2))[:, None]
    offset = centres - [0.1 * 64, -0.1 * 64]
    # Shift 5 %, plus rotation by 10 degrees and 5 % of scale at 9 pixels from the middle, plus the crop's slack.
    assert np.abs(offset).max() < 0.05 * 64 + 9.05 * (0.175 + 0.06) + (64 - size) / 2
    assert np.abs(offset).max() > 2
    if size == 64:  # a crop may cut the disc, which moves its centre
        assert np.abs(offset.mean(0)).max() < 1
        # Unmirrored: the disc stays in the right half.
        assert (centres[:, 0] > 0).all()


def test_edges_are_continued_not_filled_with_black() -> None:
    white = torch.full((50, 32, 32, 1), 255, dtype=torch.uint8)
    assert unstandardised(network_input(white, size=32, generator=generator())).min() > 254
