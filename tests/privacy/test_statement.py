"""Epsilon in words."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.mechanisms.additive import Gaussian
from medpriv_core.mechanisms.dp_pix import DpPix
from medpriv_core.privacy.image_epsilon import laplace_guarantee, no_guarantee
from medpriv_core.privacy.statement import (
    dp_sgd_meaning,
    dp_sgd_statement,
    format_delta,
    format_epsilon,
    local_dp_meaning,
    of_hundred,
)
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.tradeoff import NO_LIMIT, Risk, membership_risk


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (1.0, "1"),
        (2.4504, "2.46"),
        (2.4500000004, "2.46"),
        (99.91, "100"),
        (784.0, "784"),
        (24993.4, "24,994"),
        (0.0, "0"),
    ],
)
def test_epsilon_is_rounded_up_only(value: float, text: str) -> None:
    assert format_epsilon(value) == text
    assert float(text.replace(",", "")) >= value


def test_a_statement_carries_everything_that_epsilon_depends_on() -> None:
    text = dp_sgd_statement(epsilon=1.0, delta=1e-5)
    assert text == "ε = 1 (δ = 1e-5; one image added or removed; Poisson subsampling; PLD accountant)"


def test_a_statement_follows_what_ran() -> None:
    text = dp_sgd_statement(epsilon=13.9, delta=1e-4, adjacency="zero-out", sampling="shuffled", accountant="gaussian")
    assert text == (
        "ε = 13.9 (δ = 0.0001; one image replaced by an empty one; shuffled batches, nothing counted for sampling; "
        "exact Gaussian accountant)"
    )
    assert "all 3 images of a patient added or removed" in dp_sgd_statement(
        epsilon=1.0, delta=1e-5, images_per_patient=3
    )


@pytest.mark.parametrize(("value", "text"), [(1e-5, "1e-5"), (0.001, "0.001"), (1.5e-7, "1.5e-7")])
def test_delta_is_written_as_people_write_it(value: float, text: str) -> None:
    assert format_delta(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.019774, "2"),
        (0.054, "5.4"),
        (0.25369, "25.4"),
        (0.02048, "2.05"),
        (0.01002, "1.01"),
        (0.9321, "94"),
        (1, "100"),
    ],
)
def test_a_share_is_told_of_a_hundred_never_below_and_hardly_above(share: float, text: str) -> None:
    assert of_hundred(share) == text
    assert share <= float(text) / 100 <= share * 1.015


def test_no_epsilon_and_no_share_is_ever_told_too_small() -> None:
    numbers = np.random.default_rng(0)
    for value in [*(10.0 ** numbers.uniform(-7, 3, 500)), 0.1, 0.3, 2.4500000000000006, 99.9999999, 3.0000000000000004]:
        told = float(format_epsilon(value).replace(",", ""))
        assert value <= told <= value * 1.0101 + (value >= 100)
    for share in [*numbers.uniform(0.01, 1, 500), 0.01, 0.0100000001, 0.07, 0.29, 0.999999999]:
        assert share <= float(of_hundred(share)) / 100 <= share * 1.015


def gaussian(mu: float) -> Risk:
    return membership_risk([Steps(1 / mu, 1.0, 1)], delta=1e-5)


# mu of (0.999, 1e-5), (3, 1e-5) and (7.99, 1e-5); the share is Φ(mu + Φ⁻¹(0.01)).
@pytest.mark.parametrize(("mu", "told"), [(0.2678, "2"), (0.719, "5.4"), (1.664, "25.4")])
def test_the_sentence_says_how_many_images_can_be_found(mu: float, told: str) -> None:
    assert dp_sgd_meaning(gaussian(mu)) == (
        f"Protects single images: anyone who has the model finds at most {told} of 100 images that were in the "
        "training set, while wrongly naming 1 of 100 that were not."
    )


def test_a_large_epsilon_is_called_worthless_and_none_at_all_promises_nothing() -> None:
    assert "next to nothing" in dp_sgd_meaning(gaussian(4.0))
    assert "finds at most 96 of 100 images" in dp_sgd_meaning(gaussian(4.0))
    assert dp_sgd_meaning(NO_LIMIT).startswith("Nothing is promised")
    assert "next to nothing" not in dp_sgd_meaning(gaussian(1.664))


NOTHING = no_guarantee(beta=2.0, shape=(28, 28, 1), why="One number shifts it.")


def test_local_dp_is_called_protection_only_where_it_protects() -> None:
    def meaning(beta: float) -> str:
        return local_dp_meaning(laplace_guarantee(beta=beta, shape=(28, 28, 1)))

    assert "promises nothing" in meaning(1.0)
    assert meaning(1000.0).startswith("Protects what the training images show")
    assert local_dp_meaning(NOTHING).startswith("Nothing that an image shows is protected")
    assert "Labels are not protected" in meaning(1.0)
    # What beta is for is not one pixel for every mechanism, and may hold at a delta only.
    assert "Up to 16 pixels have ε = 1, but" in local_dp_meaning(DpPix(1.0).guarantee((64, 64, 1)))
    assert "One pixel has ε = 4.38 (δ = 1e-5), but" in local_dp_meaning(Gaussian(1.0).guarantee((64, 64, 1)))
