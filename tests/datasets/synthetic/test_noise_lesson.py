"""Noise on a drawn picture must teach what noise on a real one teaches: it looks hidden, blurring brings it back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy
from PIL import Image

from medpriv_core.datasets.synthetic import SYNTHETIC_DATASETS


def agreements(picture: np.ndarray, beta: float, rng: np.random.Generator) -> tuple[float, float]:
    """Correlation with the original of the noised, clamped grey picture, and of the same after blurring."""
    noised = np.clip(picture + rng.laplace(0.0, beta, picture.shape), 0.0, 1.0)
    blurred = scipy.ndimage.gaussian_filter(noised, picture.shape[0] / 32)
    return (
        float(np.corrcoef(picture.ravel(), noised.ravel())[0, 1]),
        float(np.corrcoef(picture.ravel(), blurred.ravel())[0, 1]),
    )


def drawn(name: str, count: int) -> list[np.ndarray]:
    split = SYNTHETIC_DATASETS[name].split("train")
    return [np.asarray(split.image(i).convert("L"), dtype=float) / 255 for i in range(count)]


@pytest.mark.parametrize("name", sorted(SYNTHETIC_DATASETS))
def test_at_beta_2_the_noised_picture_looks_hidden_and_its_blur_does_not(name: str) -> None:
    rng = np.random.default_rng(0)
    for picture in drawn(name, 8):
        raw, blurred = agreements(picture, 2.0, rng)
        assert raw < 0.4
        assert blurred > 0.5


@pytest.mark.parametrize("name", sorted(SYNTHETIC_DATASETS))
def test_more_noise_hides_more(name: str) -> None:
    rng = np.random.default_rng(0)
    means = [np.mean([agreements(picture, beta, rng) for picture in drawn(name, 6)], axis=0) for beta in (1, 2, 4)]
    assert means[0][0] > means[1][0] > means[2][0]
    assert means[0][1] > means[1][1] > means[2][1]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "pattern"), [("synthetic_chest", "chest_xray/train/*/*.jpeg"), ("synthetic_fundus", "idrid/train/*.jpg")]
)
def test_the_lesson_is_that_of_real_pictures(shared_data: Path, name: str, pattern: str) -> None:
    files = sorted(shared_data.glob(pattern))
    real = [
        np.asarray(Image.open(file).convert("L").resize((128, 128)), dtype=float) / 255
        for file in files[:: len(files) // 12][:12]
    ]
    rng = np.random.default_rng(0)
    for beta in (1.0, 2.0, 4.0):
        of_real = np.mean([agreements(picture, beta, rng) for picture in real], axis=0)
        of_drawn = np.mean([agreements(picture, beta, rng) for picture in drawn(name, 12)], axis=0)
        assert np.abs(of_real - of_drawn).max() < 0.2
