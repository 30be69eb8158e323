"""What noised copies give away together."""

from __future__ import annotations

import math

from medpriv_core.spec import RunSpec
from medpriv_core.sweeps.together import LocalDpTogether, compose_local_dp

PRIVATE = RunSpec(dataset="synthetic_chest", weights="none", method="dp_sgd", noise_multiplier=2.0, epochs=4)


def test_image_noise_is_drawn_once_for_all_seeds():
    local = RunSpec(dataset="synthetic_chest", weights="none", method="local_dp", beta=1.0, image_size=32)
    specs = [
        local.changed(beta=beta, seed=seed, epochs=epochs) for beta in (1, 2, 4) for seed in (0, 1) for epochs in (1, 2)
    ]
    (copies,) = compose_local_dp([*specs, PRIVATE])
    assert copies.betas == (1, 2, 4)
    assert copies.epsilon_unit == 1.75
    assert copies.epsilon_image == 1.75 * 32 * 32
    assert "ε = 1.75 (δ = 0; two pictures that differ in one pixel" in copies.statement
    assert "ε = 1,792 (δ = 0) for any two pictures" in copies.statement


def test_each_size_has_copies_of_its_own():
    local = RunSpec(dataset="synthetic_chest", weights="none", method="local_dp", beta=2.0)
    copies = compose_local_dp([local.changed(image_size=size) for size in (32, 64)])
    assert [(copy.image_size, copy.betas) for copy in copies] == [(32, (2,)), (64, (2,))]


def test_one_number_for_the_picture_leaves_no_epsilon():
    local = RunSpec(dataset="synthetic_fundus", weights="none", method="local_dp", beta=2.0)
    (copies,) = compose_local_dp([local, local.changed(noise_draw="per_image")])
    assert copies.epsilon_unit == copies.epsilon_image == math.inf
    assert "one colour value" in copies.statement
    assert "so none holds for all copies together" in copies.statement
    (shifted,) = compose_local_dp([local.changed(noise_draw="per_image")])
    assert shifted == LocalDpTogether("synthetic_fundus", 64, 3, betas=(), shifted_betas=(2.0,))
    assert "together" not in shifted.statement
