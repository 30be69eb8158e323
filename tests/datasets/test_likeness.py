"""What an image from elsewhere is compared by: measures that tell sharp from smooth, and no more alarms than said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from medpriv_core.datasets.images import decode_image, to_square
from medpriv_core.datasets.likeness import measure, measure_training_images, unlike
from medpriv_core.datasets.registry import add_dataset, open_dataset
from medpriv_core.home import DataHome


def smooth(seed: int, sigma: float = 1.5, count: int = 1, side: int = 64) -> np.ndarray:
    """Images of noise smoothed by ``sigma``, of mean 128 and standard deviation 40."""
    rng = np.random.default_rng(seed)
    fields = np.stack([ndimage.gaussian_filter(rng.standard_normal((side, side)), sigma) for _ in range(count)])
    fields /= fields.std((1, 2), keepdims=True)
    return np.clip(128 + 40 * fields, 0, 255).astype(np.uint8)[..., None]


def add_smooth_images(home: DataHome, place: Path, *, train: int, test: int) -> None:
    """Add smooth images as chest X-rays, so many of each class."""
    for split, count in (("train", train), ("test", test)):
        for label, name in enumerate(("NORMAL", "PNEUMONIA")):
            (place / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = smooth(1000 * label + number)[0, :, :, 0]
                Image.fromarray(pixels).save(place / split / name / f"{number}.png")
    add_dataset(home, "chest_xray", place)


def test_sharpness_by_a_second_hand_and_free_of_contrast() -> None:
    images = smooth(1, count=4)
    kernel = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    expected = []
    for image in images[..., 0].astype(float):
        laplacian = np.abs(ndimage.convolve(image, kernel))[1:-1, 1:-1].mean()
        expected.append(laplacian / (np.abs(np.diff(image, axis=0)).mean() + np.abs(np.diff(image, axis=1)).mean()))
    assert measure(images).sharpness == pytest.approx(expected, rel=1e-4)
    flat = (128 + (images.astype(float) - 128) / 2).astype(np.uint8)
    assert measure(flat).sharpness == pytest.approx(expected, rel=0.15)
    by_width = [float(measure(smooth(2, sigma)).sharpness[0]) for sigma in (0.3, 1, 2, 4)]
    assert by_width == sorted(by_width, reverse=True)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (smooth(9, 0.5)[0], "sharper (as an original is beside small copies) than each of 200 of them"),
        (smooth(9, 4)[0], "less sharp (as after enlarging or smoothing) than"),
        (np.clip(smooth(9)[0].astype(int) + 70, 0, 255).astype(np.uint8), "brighter"),
        (smooth(9)[0] // 3, "darker; of less contrast than"),
        (np.full((64, 64, 1), 128, np.uint8), "less sharp (as after enlarging or smoothing); of less contrast"),
        (np.repeat(smooth(9, 0.5)[0], 3, axis=2), "sharper"),
    ],
)
def test_what_is_beyond_all_training_images_is_told(image: np.ndarray, said: str) -> None:
    assert said in unlike(image, measure(smooth(3, count=200)))


def test_images_of_the_same_kind_are_seldom_told() -> None:
    typical = measure(smooth(4, count=200))
    told = np.mean([bool(unlike(image, typical)) for image in smooth(5, count=400)])
    assert told < 0.06  # 2 in 201 for each of three measures, and what chance adds


def test_training_images_are_measured_on_the_square_of_the_run(home: DataHome, tmp_path: Path) -> None:
    add_smooth_images(home, tmp_path / "set", train=9, test=2)
    dataset = open_dataset(home, "chest_xray")
    found = measure_training_images(dataset, size=32)
    squares = np.stack([to_square(dataset.split("train").image(n), 32) for n in range(18)])
    assert np.allclose(found.sharpness, measure(squares).sharpness)
    assert len(measure_training_images(dataset, size=32, most=5).contrast) == 5
    embedded = open_dataset(home, "synthetic_chest")
    assert len(measure_training_images(embedded, size=48).brightness) == 200


@pytest.mark.real_data
def test_originals_stand_out_at_full_size_and_test_images_do_not(home: DataHome, shared_data: Path) -> None:
    add_dataset(home, "chest_xray", shared_data / "chest_xray")
    dataset = open_dataset(home, "chest_xray")
    originals = sorted((shared_data / "chest_xray_originals").rglob("*.jpeg"))
    shares = {}
    for size in (112, 224):
        typical = measure_training_images(dataset, size=size)
        split = dataset.split("test")
        places = np.linspace(0, len(split.labels) - 1, 200).astype(int).tolist()
        squares = {
            "test": [to_square(split.image(place), size) for place in places],
            "originals": [to_square(decode_image(file, channels=1, name="x"), size) for file in originals],
        }
        for kind, images in squares.items():
            shares[kind, size] = float(np.mean([bool(unlike(image, typical)) for image in images]))
    assert shares["originals", 224] > 0.9
    assert max(shares["test", 112], shares["test", 224]) < 0.05
    assert shares["originals", 112] < 0.3  # there the network gets nearly the same


def test_of_few_training_images_nothing_is_said() -> None:
    strange = np.full((64, 64, 1), 250, np.uint8)
    assert unlike(strange, measure(smooth(3, count=99))) == ""
    assert unlike(strange, measure(smooth(3, count=100))) != ""
