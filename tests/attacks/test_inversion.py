"""Gradient inversion: it succeeds without DP and with clipping alone, and noise stops it."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import skimage.data

from medpriv_core.attacks.inversion import (
    best_estimate,
    guess_cutoffs,
    imprint_gradients,
    invert_linear,
    is_isolated,
    read_imprint,
    with_noise,
)
from medpriv_core.attacks.inversion_panels import Inversion, invert
from medpriv_core.attacks.inversion_statement import best_noised, inversion_notes, inversion_statement
from medpriv_core.errors import SettingError

TRIED = 11
SHAPES = [(1, 1, 1), (2, 3, 1), (1, 40, 1), (7, 7, 3), (16, 16, 3), (20, 24, 1)]


@cache
def load_faces() -> np.ndarray:
    """100 faces of 25 × 25 pixels, which come with scikit-image."""
    return np.rint(skimage.data.lfw_subset()[:100] * 255).astype(np.uint8)[..., np.newaxis]


@cache
def attack_several(sigma: float) -> list[Inversion]:
    return [invert(load_faces(), place, noise_multiplier=sigma, seed=place) for place in range(TRIED)]


def median_db(found: list[Inversion], name: str) -> float:
    return float(np.median([one.panel(name).psnr_db for one in found]))


def texture(shape: tuple[int, ...], count: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def test_without_noise_the_attack_succeeds_clipped_or_not() -> None:
    found = attack_several(0.0)
    for name in ("no_dp", "clipped", "single_clipped", "best_estimate", "denoised"):
        assert median_db(found, name) > 100
    alone = [one for one in found if one.isolated]
    assert len(alone) >= 0.8 * TRIED
    assert all(np.array_equal(one.panel("clipped").image, one.panel("original").image) for one in alone)
    assert inversion_statement(alone[0]).startswith("Clipping alone hides nothing")


@pytest.mark.parametrize(
    ("sigma", "low", "high"), [(1e-5, 50, 60), (1e-4, 30, 40), (1e-3, 0, 18), (1e-2, 0, 10), (1, 0, 10)]
)
def test_noise_stops_the_imprint_layer_step_by_step(sigma: float, low: float, high: float) -> None:
    assert low < median_db(attack_several(sigma), "noised") < high


def test_dp_stops_every_attempt_at_the_usual_noise() -> None:
    found = attack_several(1.0)
    floors = [one.floor.psnr_db for one in found if one.floor is not None]
    assert np.median(floors) == pytest.approx(16.1, abs=0.3)
    assert all(best_noised(one).psnr_db < floor for one, floor in zip(found, floors, strict=True))
    said = inversion_statement(found[0])
    assert "With noise multiplier 1 it does not come back" in said
    assert f"{best_noised(found[0]).psnr_db:.1f} dB" in said


def test_little_noise_is_said_to_be_too_little() -> None:
    found = invert(load_faces(), 0, noise_multiplier=1e-3)
    assert "it comes back still" in inversion_statement(found)


@pytest.mark.parametrize("sigma", [1e-4, 1e-2, 1.0])
def test_the_best_estimate_reaches_the_bound_and_a_filter_passes_it(sigma: float) -> None:
    found = attack_several(sigma)
    for one in found:
        measured = one.panel("best_estimate").unclamped_db
        assert one.bound is not None
        assert measured == pytest.approx(one.bound.psnr_db, abs=1.5)  # 625 values: 0.25 dB of standard deviation
    gained = [one.panel("denoised").psnr_db - one.panel("best_estimate").psnr_db for one in found]
    assert np.median(gained) > -0.1  # where hardly any noise is left, nothing is gained
    if sigma == 1e-2:  # so the bound is one for attackers without prior knowledge alone
        assert np.median(gained) > 2


@pytest.mark.parametrize("clipping_norm", [0.01, 1.0, 1000.0])
def test_neither_clipping_norm_nor_rows_change_the_best_estimate(clipping_norm: float) -> None:
    image = np.random.default_rng(4).uniform(0, 1, 5000)
    estimate = best_estimate(image, noise_multiplier=0.02, clipping_norm=clipping_norm, rng=np.random.default_rng(5))
    expected = 0.02 * float(np.linalg.norm(image))
    assert estimate.noise_deviation == pytest.approx(expected, rel=1e-9)
    assert float(np.std(estimate.values - image)) == pytest.approx(expected, rel=0.05)


def test_gradients_are_those_of_automatic_differentiation_by_hand() -> None:
    images, cutoffs = np.array([[0.2, 0.4], [0.9, 0.7]]), np.array([-1.0, 0.5])

    def loss(weights: np.ndarray, biases: np.ndarray) -> float:
        return float(np.maximum(images @ weights.T + biases, 0).sum())

    weights, biases = np.full((2, 2), 0.5), -cutoffs
    found = imprint_gradients(images, cutoffs, clipping_norm=None)
    step = 1e-6
    for row in range(2):
        for column in range(2):
            moved = weights.copy()
            moved[row, column] += step
            assert found.weights[row, column] == pytest.approx((loss(moved, biases) - loss(weights, biases)) / step)
        moved = biases.copy()
        moved[row] += step
        assert found.biases[row] == pytest.approx((loss(weights, moved) - loss(weights, biases)) / step)


@pytest.mark.parametrize("clipping_norm", [0.1, 1.0, 1e6])
def test_no_image_adds_more_than_the_clipping_norm(clipping_norm: float) -> None:
    images = np.random.default_rng(1).uniform(0, 1, (6, 30))
    cutoffs = guess_cutoffs(images.mean(axis=1), 20)
    for image in images:
        one = imprint_gradients(image[np.newaxis], cutoffs, clipping_norm=clipping_norm)
        free = imprint_gradients(image[np.newaxis], cutoffs, clipping_norm=None)
        length = math.sqrt(float((one.weights**2).sum() + (one.biases**2).sum()))
        unclipped = math.sqrt(float((free.weights**2).sum() + (free.biases**2).sum()))
        assert length == pytest.approx(min(clipping_norm, unclipped))


def test_the_noise_has_the_deviation_of_dp_sgd() -> None:
    images = np.random.default_rng(1).uniform(0, 1, (4, 400))
    gradients = imprint_gradients(images, guess_cutoffs(images.mean(axis=1)), clipping_norm=1.0)
    noised = with_noise(gradients, 0.3, np.random.default_rng(2))
    assert float(np.std(noised.weights - gradients.weights)) == pytest.approx(0.3, rel=0.02)
    assert float(np.std(noised.biases - gradients.biases)) == pytest.approx(0.3, rel=0.15)
    assert with_noise(gradients, 0.0, np.random.default_rng(2)) is gradients


def test_images_of_equal_brightness_are_said_to_be_mixed() -> None:
    pictures = texture((16, 16, 1))
    pictures[1:] = pictures[0][::-1]
    found = invert(pictures, 0, noise_multiplier=0)
    assert not found.isolated
    assert found.panel("clipped").psnr_db < 100
    assert found.panel("single_clipped").psnr_db > 100
    assert "mixture" in inversion_statement(found)


def test_how_often_an_image_is_alone_in_its_bin() -> None:
    rng = np.random.default_rng(0)
    cutoffs = guess_cutoffs(rng.normal(0.5, 0.1, 5000))
    alone = [is_isolated(rng.normal(0.5, 0.1, (8, 1)), 0, cutoffs) for _ in range(2000)]
    assert np.mean(alone) == pytest.approx((1 - 1 / 200) ** 7, abs=0.015)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sigma", [0.0, 1e-3, 1.0, 1e6])
def test_every_size_and_every_noise_gives_panels(shape: tuple[int, ...], sigma: float) -> None:
    found = invert(texture(shape), 2, noise_multiplier=sigma)
    assert [panel.name for panel in found.panels] == [
        "original", "no_dp", "clipped", "noised", "best_estimate", "denoised",
    ]  # fmt: skip
    for panel in (*found.panels, *found.single):
        assert panel.image.shape == shape
        assert panel.image.dtype == np.uint8
        assert panel.psnr_db > 0
        assert (panel.ssim is None) == (min(shape[:2]) < 7)
    assert inversion_statement(found)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("count", [1, 9])
def test_images_of_one_colour(level: int, count: int) -> None:
    found = invert(np.full((count, 10, 10, 1), level, np.uint8), 0, noise_multiplier=1.0)
    assert found.panel("clipped").psnr_db == math.inf
    assert (found.bound is None) == (level == 0)
    assert (found.floor is None) == (count == 1)
    notes = " ".join(inversion_notes(found, wanted_batch=8))
    assert "one colour only" in notes
    assert ("all-black" in notes) == (level == 0)
    assert ("no other image" in notes) == (count == 1)
    assert ("the batch has 1" in notes) == (count == 1)


def test_the_same_seed_gives_the_same_answer() -> None:
    pictures = texture((12, 12, 3))
    first, again, other = (invert(pictures, 0, noise_multiplier=0.1, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.panel("noised").image, again.panel("noised").image)
    assert not np.array_equal(first.panel("noised").image, other.panel("noised").image)


def test_a_layer_that_nothing_reaches_gives_nothing() -> None:
    gradients = imprint_gradients(np.full((2, 4), 0.1), np.array([0.5, 0.6]), clipping_norm=1.0)
    assert len(read_imprint(gradients)) == 0
    with pytest.raises(SettingError, match="No bias"):
        invert_linear(np.zeros((2, 3)), np.zeros(2))
    with pytest.raises(SettingError, match="bins"):
        guess_cutoffs(np.empty(0), 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"noise_multiplier": -1.0},
        {"noise_multiplier": math.nan},
        {"noise_multiplier": 1e7},
        {"clipping_norm": 0.0},
        {"clipping_norm": math.inf},
        {"batch_size": 0},
        {"batch_size": 300},
        {"place": 9},
        {"place": -1},
        {"pictures": np.zeros((2, 4, 4, 1))},
        {"pictures": np.zeros((2, 4, 4, 2), np.uint8)},
        {"pictures": np.zeros((0, 4, 4, 1), np.uint8)},
        {"pictures": np.zeros((2, 129, 4, 1), np.uint8)},
    ],
)
def test_what_cannot_be_attacked_is_refused_in_a_sentence(wrong: dict[str, object]) -> None:
    settings = {"pictures": texture((4, 4, 1)), "place": 0, "noise_multiplier": 1.0, **wrong}
    with pytest.raises(SettingError, match=r"\.$"):
        invert(**settings)  # type: ignore[arg-type]
