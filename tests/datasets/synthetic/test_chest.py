"""A drawn chest film has the anatomy of one, and pneumonia shows where it belongs: in the lungs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from PIL import Image

from medpriv_core.datasets.synthetic import SYNTHETIC_DATASETS, draw_chest

PATIENTS = range(24)


def film(patient: int, label: int) -> np.ndarray:
    return draw_chest(image_size=128, label=label, rng=np.random.default_rng(patient)).astype(float)


@pytest.fixture(scope="module")
def normal() -> np.ndarray:
    return np.stack([film(patient, 0) for patient in PATIENTS])


@pytest.fixture(scope="module")
def pneumonia() -> np.ndarray:
    """The same patients, ill."""
    return np.stack([film(patient, 1) for patient in PATIENTS])


def lung_area(healthy: np.ndarray) -> np.ndarray:
    """Found without the drawing's own maps: the large dark regions within the trunk of a healthy film."""
    trunk = np.zeros(healthy.shape, dtype=bool)
    trunk[22:105, 22:106] = True
    dark = trunk & (scipy.ndimage.gaussian_filter(healthy, 2) < 0.8 * np.median(healthy[trunk]))
    return scipy.ndimage.binary_opening(dark, iterations=2)


def test_a_film_is_a_square_grey_picture() -> None:
    picture = draw_chest(image_size=64, label=1, rng=np.random.default_rng(0))
    assert (picture.shape, picture.dtype) == ((64, 64), np.uint8)


def test_lungs_are_darker_than_spine_and_liver_and_brighter_than_air(normal: np.ndarray) -> None:
    right_lung, left_lung = normal[:, 45:70, 28:46].mean(axis=(1, 2)), normal[:, 40:60, 84:98].mean(axis=(1, 2))
    spine, liver = normal[:, 45:70, 60:68].mean(axis=(1, 2)), normal[:, 112:124, 35:50].mean(axis=(1, 2))
    air = normal[:, 1:12, 1:12].mean(axis=(1, 2))
    for lung in (right_lung, left_lung):
        assert (lung < 0.75 * spine).all()
        assert (lung < 0.75 * liver).all()
        assert lung.mean() > 1.3 * air.mean()


def test_the_heart_lies_more_to_the_patients_left(normal: np.ndarray) -> None:
    # The patient's left is on the right of the film; beside the spine at the height of the ventricles.
    assert normal[:, 68:82, 74:84].mean() > normal[:, 68:82, 44:54].mean() + 30


def test_patients_differ_in_pose_and_exposure(normal: np.ndarray) -> None:
    assert normal.mean(axis=(1, 2)).std() > 4
    agreement = np.corrcoef(normal.reshape(len(normal), -1))
    assert agreement[~np.eye(len(normal), dtype=bool)].max() < 0.99


def test_a_consolidated_lung_is_brighter_than_the_same_lung_when_healthy(
    normal: np.ndarray, pneumonia: np.ndarray
) -> None:
    areas = [lung_area(healthy) for healthy in normal]
    assert min(area.sum() for area in areas) > 500
    gain = [(ill - healthy)[area].mean() for ill, healthy, area in zip(pneumonia, normal, areas, strict=True)]
    assert min(gain) > 1
    assert np.mean(gain) > 8


def test_outside_the_lungs_illness_changes_nothing(normal: np.ndarray, pneumonia: np.ndarray) -> None:
    change = np.abs(pneumonia - normal)
    assert change[:, 118:].max() == 0  # belly
    assert change[:, :10].max() == 0  # neck and shoulders
    assert change[:, :, :6].max() == 0  # arm and air
    assert change.max() > 40


def test_pneumonia_can_be_learned_from_pixels_but_not_from_brightness_alone() -> None:
    dataset = SYNTHETIC_DATASETS["synthetic_chest"]

    def read(split_name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        split = dataset.split(split_name)  # type: ignore[arg-type]
        small = [split.image(i, image_size=64).resize((32, 32), Image.Resampling.BOX) for i in range(count)]
        return np.stack([np.asarray(image, dtype=float).ravel() for image in small]) / 255, 2 * split.labels[:count] - 1

    images, signs = read("train", 400)
    test_images, test_signs = read("test", 160)

    def accuracy(features: np.ndarray, test_features: np.ndarray, penalty: float) -> float:
        centre = features.mean(axis=0)
        kernel = (features - centre) @ (features - centre).T
        weights = np.linalg.solve(kernel + penalty * np.eye(len(kernel)), signs - signs.mean())
        scores = (test_features - centre) @ (features - centre).T @ weights + signs.mean()
        return float(np.mean(np.sign(scores) == test_signs))

    majority = float(np.mean(test_signs == 1))
    assert majority + 0.12 < accuracy(images, test_images, penalty=10.0) < 0.97
    overall = images.mean(axis=1, keepdims=True), test_images.mean(axis=1, keepdims=True)
    assert accuracy(*overall, penalty=1e-3) < majority + 0.08
