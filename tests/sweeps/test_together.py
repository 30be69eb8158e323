"""What networks give away together, against dp-accounting composed by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from dp_accounting.pld import privacy_loss_distribution as pld

from medpriv_core.spec import RunSpec
from medpriv_core.sweeps.together import LocalDpTogether, compose_dp_sgd, compose_local_dp, planned_spending

TRAIN = 640
PRIVATE = RunSpec(dataset="synthetic_chest", weights="none", method="dp_sgd", noise_multiplier=2.0, epochs=4)


def composed(*specs: RunSpec) -> Any:
    return compose_dp_sgd("synthetic_chest", [planned_spending(spec, train_size=TRAIN) for spec in specs])


def reference(stretches: Sequence[tuple[float, float, int]], delta: float) -> float:
    """Google's own composition, on its fixed grid."""
    whole = pld.identity(value_discretization_interval=1e-3)
    for noise, rate, steps in stretches:
        one = pld.from_gaussian_mechanism(noise, sampling_prob=rate, value_discretization_interval=1e-3)
        whole = whole.compose(one.self_compose(steps))
    return float(whole.get_epsilon_for_delta(delta))


def test_networks_of_several_noises_compose_as_the_reference_says():
    noises, steps = (1.0, 2.0, 4.0), 4 * 10
    together = composed(*(PRIVATE.changed(noise_multiplier=noise) for noise in noises))
    expected = reference([(noise, 64 / TRAIN, steps) for noise in noises], 1e-5)
    assert together.epsilon == pytest.approx(expected, rel=0.005)
    assert together.largest == pytest.approx(reference([(1.0, 64 / TRAIN, steps)], 1e-5), rel=0.005)
    assert together.networks == 3


def test_seeds_are_as_many_releases():
    seeds = [PRIVATE.changed(seed=seed) for seed in range(3)]
    together = composed(*seeds)
    assert together.epsilon == pytest.approx(reference([(2.0, 64 / TRAIN, 3 * 40)], 1e-5), rel=0.005)
    assert composed(PRIVATE).epsilon < together.epsilon < 3 * composed(PRIVATE).epsilon


def test_full_batches_compose_exactly():
    whole = PRIVATE.changed(sampling="full_batch", noise_multiplier=20.0)
    together = composed(whole, whole.changed(noise_multiplier=10.0))
    # 4 steps each of a plain Gaussian mechanism: one of mu = sqrt(4/400 + 4/100).
    mu = math.sqrt(4 / 400 + 4 / 100)
    assert together.accountant == "gaussian"
    delta_there = _gaussian_delta(mu, together.epsilon)
    assert delta_there == pytest.approx(1e-5, rel=1e-6)


def _gaussian_delta(mu: float, epsilon: float) -> float:
    """Balle and Wang 2018, theorem 5."""

    def normal(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    return normal(mu / 2 - epsilon / mu) - math.exp(epsilon) * normal(-mu / 2 - epsilon / mu)


def test_the_smallest_delta_is_stated():
    together = composed(PRIVATE.changed(delta=1e-4), PRIVATE.changed(delta=1e-6))
    assert together.delta == 1e-6
    assert together.statement.startswith("ε = ")
    for fact in ("δ = 1e-6", "one image added or removed", "Poisson sampling", "PLD accountant"):
        assert fact in together.statement


def test_a_dealt_deck_among_them_changes_what_neighbours_are():
    together = composed(PRIVATE, PRIVATE.changed(sampling="shuffled"))
    assert together.adjacency == "zero-out"
    assert "shuffled batches, nothing counted for sampling or" not in together.statement
    assert "Poisson sampling or shuffled batches" in together.statement
    assert together.epsilon > composed(PRIVATE.changed(sampling="shuffled")).epsilon


def test_one_network_without_a_guarantee_leaves_none_to_all():
    authors = PRIVATE.changed(engine="microbatch", microbatch_size=4, norm="batch_norm", trainable="all")
    together = composed(PRIVATE, authors)
    assert together.epsilon == math.inf
    assert together.statement.startswith("ε = ∞")


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
