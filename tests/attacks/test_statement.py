"""What attacks found, in words that promise neither too much nor too little."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medpriv_core.attacks.individual import Individual
from medpriv_core.attacks.reidentification import SuccessRate
from medpriv_core.attacks.similarity import Likeness
from medpriv_core.attacks.statement import copies_statement, identification_statement, undoing_statement
from medpriv_core.attacks.undo import Attempt
from medpriv_core.mechanisms.catalog import picture_noise


def attempt(ssim: float | None, correlation: float | None) -> Attempt:
    likeness = Likeness(psnr_db=20.0, ssim=ssim, correlation=correlation)
    return Attempt("blur", "Blur", np.zeros((8, 8, 1), np.uint8), likeness, None, (8, 8))


@pytest.mark.parametrize(
    ("ssim", "correlation", "words"),
    [
        (0.67, 0.93, "what the image shows as a whole"),
        (0.2, 0.93, "in part"),
        (0.67, 0.6, "in part"),
        (0.1, 0.3, "None of these attempts brings back much"),
        (None, 0.2, "no proof"),
        (1.0, None, "one colour only"),
    ],
)
def test_the_best_attempt_is_judged_by_both_likenesses(ssim: Any, correlation: Any, words: Any) -> None:
    assert words in undoing_statement(attempt(ssim, correlation))


@pytest.mark.parametrize(
    ("ssim", "correlation", "own", "words"),
    [
        (0.67, 0.93, 0.8, "what the image shows as a whole"),
        (0.2, 0.8, 0.6, "in part"),
        # An average chest has that much without any noised image.
        (0.67, 0.93, 0.3, "Little of what is individual comes back"),
        (0.46, 0.81, 0.0, "Little of what is individual comes back"),
        (0.46, 0.81, None, "Little of what is individual comes back"),
    ],
)
def test_an_attempt_that_was_learned_is_judged_by_what_is_individual(
    ssim: float, correlation: float, own: float | None, words: str
) -> None:
    floor = Likeness(psnr_db=16.8, ssim=0.46, correlation=0.8)
    found = attempt(ssim, correlation)
    individual = Individual(np.zeros((8, 8, 1), np.float32), found.likeness, floor, own)

    said = undoing_statement(replace(found, name="prior", individual=individual))
    assert words in said
    assert "has a correlation of 0.80" in said
    assert f"one of {own or 0:.2f}" in said
    # Of a filter, which knows of nobody else, the likeness is the image's own.
    assert "individual" not in undoing_statement(replace(found, individual=individual))


def test_copies_are_set_against_one() -> None:
    mechanism = picture_noise("laplace_per_pixel", beta=4)
    one, four = (mechanism.guarantee((28, 28, 1), copies=copies) for copies in (1, 4))
    assert copies_statement(one, one).startswith("One copy of the image has ε = 50.")
    said = copies_statement(one, four)
    assert said.startswith("4 copies together have ε = ")
    assert "(δ = 1e-5)" in said
    shift = picture_noise("laplace_per_image", beta=4).guarantee((28, 28, 1), copies=4)
    assert "No finite ε" in copies_statement(shift, shift)


def test_finding_the_patient_is_set_against_guessing() -> None:
    found = identification_statement(SuccessRate(found=97, draws=100, chance=0.01), pictures=100, beta=2)
    assert "97 of 100 trials" in found
    assert "does not hide whose it is" in found
    assert "no more than guessing would" in identification_statement(
        SuccessRate(found=2, draws=100, chance=0.01), pictures=100, beta=500
    )
