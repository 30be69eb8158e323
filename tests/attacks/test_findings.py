"""The titles of slides: which sentence holds, for each of the cases that there are."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from medpriv_core.attacks import findings
from medpriv_core.attacks.enough import Tried
from medpriv_core.attacks.first_look import FirstLook
from medpriv_core.attacks.individual import Individual
from medpriv_core.attacks.reidentification import SuccessRate
from medpriv_core.attacks.similarity import Likeness
from medpriv_core.attacks.undo import Attempt
from medpriv_core.mechanisms.additive import LaplacePerPixel

NOTHING = np.zeros((2, 2, 1), np.uint8)
GUARANTEE = LaplacePerPixel(1.0).guarantee((8, 8, 1))


def look(seen: float | None, agreed: float | None) -> FirstLook:
    return FirstLook(seen, NOTHING, "Spectrum filter", agreed)


def point(beta: float, found: int, *, seen: float = 0.1) -> Tried:
    return Tried(beta, look(seen, 0.1), GUARANTEE, 100, SuccessRate(found, 100, 0.01))


@pytest.mark.parametrize(("seen", "agreed"), list(itertools.product((0.9, 0.6, 0.1), repeat=2)))
def test_each_pair_of_eye_and_computer_has_its_sentence_with_the_amount(seen: float, agreed: float) -> None:
    said = findings.one_amount(look(seen, agreed), 0.5)

    assert said.startswith("At β = 0.5 ")
    assert f"{seen:.2f}" in said or f"{agreed:.2f}" in said
    assert ("sees nothing" in said or "neither" in said) == (seen < 0.5)


def test_a_computer_that_brings_back_what_the_eye_lost_is_the_finding() -> None:
    assert findings.one_amount(look(0.3, 0.96), 2) == (
        "At β = 2 the eye sees nothing; a computer still brings the image back (likeness 0.96)"
    )


def test_nothing_can_be_hidden_in_one_colour() -> None:
    assert "one colour" in findings.one_amount(look(None, None), 1)
    assert "one colour" in findings.several_amounts([(1, look(None, None))])


def test_several_amounts_say_where_the_eye_gives_up_and_where_the_computer_does() -> None:
    looks = [(4.0, look(0.1, 0.3)), (1.0, look(0.9, 0.98)), (2.0, look(0.4, 0.9))]

    assert findings.several_amounts(looks) == (
        "The eye sees nothing from β = 2 on; a computer still brings the image back at β = 2 (likeness 0.90)"
    )
    assert "outlines at β = 4" in findings.several_amounts([(4.0, look(0.1, 0.6))])
    assert "neither the eye nor" in findings.several_amounts([(4.0, look(0.1, 0.2))])
    assert findings.several_amounts([(1.0, look(0.9, 0.9)), (2.0, look(0.6, 0.9))]) == (
        "Even at β = 2 the eye sees part of the image (likeness 0.60)"
    )


def test_kinds_are_counted() -> None:
    hidden, undone, seen = look(0.1, 0.1), look(0.1, 0.9), look(0.9, 0.9)

    assert "none of 2 kinds" in findings.several_kinds([seen, seen], 1)
    assert "eye and computer in 1 of 2 kinds" in findings.several_kinds([seen, hidden], 1)
    assert "in 2 of 3 kinds; a computer sees through 1 of them" in findings.several_kinds([seen, hidden, undone], 1)


def test_both_draws_of_figure_2_are_compared() -> None:
    assert findings.two_draws(look(0.1, 0.1), look(0.95, 0.95), 4) == (
        "At β = 4 Laplace per pixel leaves the image hidden; Laplace per image leaves it visible"
    )


@pytest.mark.parametrize(
    ("correlation", "ssim", "said"),
    [(0.96, 0.7, "can be undone:"), (0.96, 0.2, "in part"), (0.6, 0.7, "in part"), (0.2, 0.1, "no attempt")],
)
def test_undoing_is_judged_as_on_the_page(correlation: float, ssim: float, said: str) -> None:
    best = Attempt("x", "X", NOTHING, Likeness(20.0, ssim, correlation), None, (2, 2))

    assert said in findings.undone(best, 2)
    assert f"{correlation:.2f}" in findings.undone(best, 2)


def test_an_average_chest_is_no_image_that_came_back() -> None:
    likeness = Likeness(20.0, 0.6, 0.9)
    individual = Individual(np.zeros((2, 2, 1), np.float32), likeness, likeness, 0.2)
    best = Attempt("prior", "X", NOTHING, likeness, None, (2, 2), individual)

    assert "little of what is individual comes back" in findings.undone(best, 2)
    assert "can be undone" in findings.undone(replace(best, individual=replace(individual, correlation=0.7)), 2)


def test_how_often_a_patient_is_found_stands_against_guessing() -> None:
    assert findings.found(SuccessRate(100, 100, 0.01), 0.5) == (
        "At β = 0.5 a computer still finds the patient in 100 of 100 trials"
    )
    assert "8 of 100 trials; guessing would in 1" in findings.found(SuccessRate(8, 100, 0.01), 32)
    assert "no more than guessing (1)" in findings.found(SuccessRate(2, 100, 0.01), 256)


def test_enough_noise_is_where_no_later_amount_finds_the_patient() -> None:
    points = [point(1, 100, seen=0.9), point(2, 100, seen=0.4), point(4, 60), point(8, 1)]

    assert findings.enough(points) == "The eye loses the image at β = 2; the patient is found up to β = 4"
    assert findings.enough(points[:3]) == "Even at β = 4 a computer finds the patient in 60 of 100 trials"
    assert findings.enough([point(8, 1)]) == ("From β = 8 on, the patient is found no more often than by guessing")
