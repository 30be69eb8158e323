"""Epsilon in words."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from medpriv_core.privacy.image_epsilon import image_guarantee
from medpriv_core.privacy.statement import (
    dp_sgd_meaning,
    dp_sgd_statement,
    format_delta,
    format_epsilon,
    image_meaning,
    local_dp_meaning,
    membership_bound,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5"), (1.0, "1"), (2.4504, "2.46"), (99.91, "100"), (784.0, "784"), (24993.4, "24,994"), (0.0, "0")],
)
def test_epsilon_is_rounded_up_only(value: float, text: str):
    assert format_epsilon(value) == text
    assert float(text.replace(",", "")) >= value


def test_a_statement_carries_everything_that_epsilon_depends_on():
    text = dp_sgd_statement(epsilon=1.0, delta=1e-5)
    assert text == "ε = 1 (δ = 1e-5; one image added or removed; Poisson sampling; PLD accountant)"


def test_a_statement_follows_what_ran():
    text = dp_sgd_statement(epsilon=13.9, delta=1e-4, adjacency="zero-out", sampling="shuffled", accountant="gaussian")
    assert text == (
        "ε = 13.9 (δ = 0.0001; one image replaced by an empty one; shuffled batches, nothing counted for sampling; "
        "exact Gaussian accountant)"
    )
    assert "all 3 images of a patient added or removed" in dp_sgd_statement(
        epsilon=1.0, delta=1e-5, images_per_patient=3
    )


@pytest.mark.parametrize(("value", "text"), [(1e-5, "1e-5"), (0.001, "0.001"), (1.5e-7, "1.5e-7")])
def test_delta_is_written_as_people_write_it(value: float, text: str):
    assert format_delta(value) == text


def test_the_membership_bound_is_met_by_no_gaussian_mechanism():
    # (eps, delta) of the Gaussian mechanism with mu = 1, and the best test against it.
    mu, eps, delta = 1.0, 4.37718, 1e-5
    for rate in (0.001, 0.01, 0.1):
        best = stats.norm.cdf(stats.norm.ppf(rate) + mu)
        assert best <= membership_bound(epsilon=eps, delta=delta, false_alarm_rate=rate)


def test_the_membership_bound_at_its_ends():
    assert membership_bound(epsilon=0.0, delta=0.0, false_alarm_rate=0.01) == 0.01
    assert membership_bound(epsilon=math.inf, delta=0.0, false_alarm_rate=0.01) == 1.0
    assert membership_bound(epsilon=1.0, delta=1e-5, false_alarm_rate=0.001) == pytest.approx(0.0027283, abs=1e-7)


def test_a_large_epsilon_is_called_worthless():
    assert "next to nothing" in dp_sgd_meaning(epsilon=20, delta=1e-5)
    assert "at most 2.8 %" in dp_sgd_meaning(epsilon=1, delta=1e-5)


def sentence(beta: float, values: int, draw: str = "per_pixel", correlation: float | None = 0.9) -> str:
    guarantee = image_guarantee(beta=beta, values=values, draw=draw)  # type: ignore[arg-type]
    return image_meaning(guarantee, blurred_correlation=correlation)


def test_the_sentence_about_a_picture_follows_its_epsilon():
    assert "one pixel is well hidden (ε = 1), but the picture is not" in sentence(1.0, 784)
    assert "hardly hidden (ε = 5)" in sentence(0.2, 784)
    assert "correlation 0.90" in sentence(1.0, 784)
    assert "protection in the usual sense" in sentence(1000.0, 784, correlation=0.01)
    assert "correlation" not in sentence(1000.0, 784, correlation=0.01)
    assert "at least 61% of all pictures" in sentence(2.0, 784, "per_image")


def test_local_dp_is_called_protection_only_where_it_protects():
    def meaning(beta: float, draw: str = "per_pixel") -> str:
        return local_dp_meaning(image_guarantee(beta=beta, values=784, draw=draw))  # type: ignore[arg-type]

    assert "promises nothing" in meaning(1.0)
    assert meaning(1000.0).startswith("Protects what the training pictures show")
    assert meaning(1000.0, "per_image").startswith("Nothing that a picture shows is protected")
    assert "Labels are not protected" in meaning(1.0)
