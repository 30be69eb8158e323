"""The epsilon beside a result is the one that holds, never the one that a run was named after."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import scipy

from medpriv_core.privacy.spent import spent_at
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.results.guarantee import held_guarantee
from medpriv_core.spec import RunSpec
from tests.results.chosen_results import PLAIN, PRIVATE, SHIFTED, TRAIN_SIZE, result, rows_of, setup_of


def test_local_dp_has_the_epsilon_of_the_stored_picture() -> None:
    spec = RunSpec(dataset="chest_xray", image_size=256, method="local_dp", beta=1.0)

    held = held_guarantee(spec, Setup(), None)

    # 24,993 by the PLD accountant; ours may lie 0.5 % above it.
    assert 24_993 <= held.epsilon < 24_993 * 1.005
    assert (held.delta, held.adjacency) == (1e-5, "any two images")
    assert "24,99" in held.statement or "25,0" in held.statement


def test_colour_pictures_have_three_times_as_many_values() -> None:
    grey = RunSpec(dataset="chest_xray", image_size=64, method="local_dp", beta=1.0)

    colour = held_guarantee(grey.changed(dataset="aptos2019"), Setup(), None)

    assert 2.8 < colour.epsilon / held_guarantee(grey, Setup(), None).epsilon < 3.1


def test_gaussian_noise_has_the_epsilon_of_its_closed_form() -> None:
    spec = RunSpec(dataset="synthetic_chest", image_size=32, method="local_dp", beta=20.0, noise_draw="gaussian")

    held = held_guarantee(spec, Setup(), None)

    mu = 32 / 20  # black against white in all 1,024 pixels
    delta = scipy.stats.norm.cdf(mu / 2 - held.epsilon / mu) - math.exp(held.epsilon) * scipy.stats.norm.cdf(
        -mu / 2 - held.epsilon / mu
    )
    assert delta == pytest.approx(1e-5, rel=1e-4)
    assert "exact Gaussian accountant" in held.statement


def test_a_mosaic_has_the_epsilon_of_its_cells_together_and_not_that_of_the_pixels_that_beta_is_for() -> None:
    whole: dict[str, Any] = {"noise_draw": "dp_pix", "block": 32, "changed_pixels": 32 * 32}
    spec = RunSpec(dataset="synthetic_chest", image_size=32, method="local_dp", beta=2.0, **whole)

    # One cell: a single Laplace number, which has delta = 1 - e^((epsilon - 1/beta) / 2).
    assert held_guarantee(spec, Setup(), None).epsilon == pytest.approx(1 / 2 + 2 * math.log1p(-1e-5), rel=1e-3)
    # A 32nd of the noise, because no more than 32 pixels are to be hidden: the picture loses 32 times as much.
    small = held_guarantee(spec.changed(changed_pixels=32), Setup(), None)
    assert small.epsilon == pytest.approx(32 / 2, rel=1e-3)
    assert small.unit == "one whole image"


def test_one_number_a_picture_has_no_finite_epsilon() -> None:
    assert math.isinf(result(SHIFTED).epsilon)


def test_without_privacy_nobody_is_protected() -> None:
    held = result(PLAIN).guarantee

    assert math.isinf(held.epsilon)
    assert held.unit == "nobody"


def test_dp_sgd_says_all_that_its_epsilon_depends_on() -> None:
    held = result(PRIVATE).guarantee

    assert held.epsilon == pytest.approx(rows_of(PRIVATE, (0.7, 0.8))[-1].epsilon, rel=1e-6)
    assert held.delta == PRIVATE.delta
    assert held.adjacency == "one image added or removed"
    assert held.sampling == "Poisson subsampling"
    assert held.accountant == "PLD accountant"


def test_a_row_that_understates_its_epsilon_is_not_believed() -> None:
    last = rows_of(PRIVATE, (0.7, 0.8))[-1]

    held = held_guarantee(PRIVATE, setup_of(PRIVATE), spent_at(replace(last, epsilon=1e-3)))

    assert held.epsilon == pytest.approx(last.epsilon, rel=1e-6)


def test_the_authors_way_holds_no_epsilon() -> None:
    spec = PRIVATE.changed(
        engine="microbatch", microbatch_size=4, sampling="shuffled", norm="batch_norm", trainable="all"
    )

    held = held_guarantee(spec, setup_of(spec), spent_at(EpochRow(epoch=1, epsilon=math.inf, delta=1e-5, steps=20)))

    assert math.isinf(held.epsilon)


def test_a_run_that_did_not_record_its_steps_has_nothing_established() -> None:
    held = held_guarantee(PRIVATE, Setup(train_size=TRAIN_SIZE), spent_at(EpochRow(epoch=1, epsilon=1.0)))

    assert not held.established
    assert math.isinf(held.epsilon)
