"""From which amount of noise on an answer is closed, and the sentence of it."""

from __future__ import annotations

import numpy as np

from medpriv_core.attacks.enough import BETAS, Tried, closed_from, enough_statement, hidden_from
from medpriv_core.attacks.first_look import FirstLook, Level
from medpriv_core.attacks.reidentification import SuccessRate
from medpriv_core.mechanisms.additive import LaplacePerPixel
from medpriv_core.mechanisms.comparison import PAPER_BETAS

LIKENESS = {"open": 0.9, "partly": 0.6, "closed": 0.1}
FOUND = {"open": 100, "partly": 10, "closed": 1}
NOTHING = np.zeros((2, 2, 1), np.uint8)


def tried(beta: float, seen: Level, undone: Level, found: Level | None) -> Tried:
    noise = LaplacePerPixel(beta)
    look = FirstLook(LIKENESS[seen], NOTHING, "Spectrum filter", LIKENESS[undone])
    success = None if found is None else SuccessRate(FOUND[found], 100, 0.01)
    return Tried(beta, look, noise.guarantee((2, 2, 1)), 100, success)


ROWS = [
    tried(1, "open", "open", "open"),
    tried(2, "closed", "partly", "open"),
    tried(4, "closed", "closed", "partly"),
    tried(64, "closed", "closed", "closed"),
]


def test_the_papers_amounts_are_among_those_tried() -> None:
    assert set(PAPER_BETAS) <= set(BETAS)
    assert list(BETAS) == sorted(BETAS)


def test_an_answer_is_closed_from_where_it_stays_closed() -> None:
    assert closed_from(ROWS, lambda one: one.seen) == 2
    assert closed_from(ROWS, lambda one: one.found) == 64
    by_chance = [tried(1, "closed", "closed", "closed"), *ROWS[1:3]]
    assert closed_from(by_chance, lambda one: one.seen) == 1
    assert closed_from(by_chance, lambda one: one.found) is None
    assert closed_from([], lambda one: one.seen) is None


def test_hidden_is_what_is_hidden_from_all_three() -> None:
    assert hidden_from(ROWS) == 64
    assert hidden_from(ROWS[:-1]) is None
    assert hidden_from([tried(4, "closed", "closed", None)]) is None  # nobody was there to compare with


def test_it_is_said_for_each() -> None:
    assert enough_statement(ROWS) == (
        "This image is hidden from the eye from β = 2 on, from a computer from β = 4 on; the patient found no more "
        "often than by luck from β = 64 on."
    )
    assert "by luck not even at β = 4." in enough_statement(ROWS[:-1])
    assert "patient" not in enough_statement([tried(4, "closed", "closed", None)])
