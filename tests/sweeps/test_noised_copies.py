"""What noised copies give away together."""

from __future__ import annotations

import math

import pytest

from medpriv_core.mechanisms.additive import LaplacePerImage, LaplacePerPixel
from medpriv_core.privacy.image_gaussian import gaussian_epsilon
from medpriv_core.spec import RunSpec
from medpriv_core.sweeps.noised_copies import NoisedCopies, compose_local_dp

PRIVATE = RunSpec(dataset="synthetic_chest", weights="none", method="dp_sgd", noise_multiplier=2.0, epochs=4)


def test_image_noise_is_drawn_once_for_all_seeds() -> None:
    local = RunSpec(dataset="synthetic_chest", weights="none", method="local_dp", beta=1.0, image_size=32)
    specs = [
        local.changed(beta=beta, seed=seed, epochs=epochs) for beta in (1, 2, 4) for seed in (0, 1) for epochs in (1, 2)
    ]
    (copies,) = compose_local_dp([*specs, PRIVATE])
    assert [noise.beta for noise in copies.noises] == [1, 2, 4]
    assert copies.epsilon_unit == 1.75
    assert copies.epsilon_image == 1.75 * 32 * 32
    assert "ε = 1.75 (δ = 0; two images that differ in one pixel" in copies.statement
    assert "ε = 1,792 (δ = 0) for any two images" in copies.statement


def test_each_size_has_copies_of_its_own() -> None:
    local = RunSpec(dataset="synthetic_chest", weights="none", method="local_dp", beta=2.0)
    copies = compose_local_dp([local.changed(image_size=size) for size in (32, 64)])
    assert [(copy.image_size, copy.noises) for copy in copies] == [(size, (LaplacePerPixel(2.0),)) for size in (32, 64)]


def test_one_number_for_the_picture_leaves_no_epsilon() -> None:
    local = RunSpec(dataset="synthetic_fundus", weights="none", method="local_dp", beta=2.0)
    (copies,) = compose_local_dp([local, local.changed(noise_draw="per_image")])
    assert copies.epsilon_unit == copies.epsilon_image == math.inf
    assert "one colour value" in copies.statement
    assert "so none holds for all copies together" in copies.statement
    (shifted,) = compose_local_dp([local.changed(noise_draw="per_image")])
    assert shifted == NoisedCopies("synthetic_fundus", 64, 3, noises=(LaplacePerImage(2.0),), delta=1e-5)
    assert "together" not in shifted.statement


def test_copies_with_different_noise_add_their_epsilons_and_deltas() -> None:
    local = RunSpec(dataset="synthetic_chest", weights="none", method="local_dp", beta=50.0, image_size=32)
    mosaic = local.changed(noise_draw="dp_pix", changed_pixels=64)
    gaussian = local.changed(noise_draw="gaussian")
    specs = [local, mosaic, gaussian, gaussian.changed(beta=25.0), local.changed(noise_draw="discrete_laplace")]
    (copies,) = compose_local_dp([*specs, gaussian.changed(seed=4)])
    assert len(copies.noises) == len(specs)
    assert copies.delta_together == 2e-5
    by_hand = 1024 / 50 + 16 / 50 + 1024 / 50
    by_hand += sum(gaussian_epsilon(mu=32 / beta, delta=1e-5) for beta in (50, 25))
    assert copies.epsilon_image == pytest.approx(by_hand)
    assert "(block 8, changed pixels 64) with β = 50" in copies.statement
    assert "(δ = 2e-5) for any two images" in copies.statement
