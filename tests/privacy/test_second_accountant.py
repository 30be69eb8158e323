"""The second accountant: another program's epsilon for the same steps, asked aside."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import pytest

from medpriv_core.privacy import second_accountant
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.second_accountant import answer_to, ask_second_epsilon, question, second_epsilon
from medpriv_core.privacy.steps import Steps

CHEST = (128 / 5232, 2044)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_accountant, "_answers", {})


@pytest.mark.parametrize(
    ("segments", "options"),
    [
        ([(1.0, *CHEST)], {}),
        ([(4.0, *CHEST)], {}),
        ([(1.0, *CHEST)], {"adjacency": "replace-one"}),
        ([(50.0, 1.0, 900)], {}),
        ([(50.0, 1.0, 900)], {"adjacency": "replace-one"}),
        ([(2.0, 0.1, 100), (20.0, 1.0, 50)], {}),
        ([(0.4, 0.05, 200)], {}),
        ([(10.0, 1.0, 20)], {"images_per_patient": 3}),
    ],
    ids=str,
)
def test_both_accountants_agree_within_their_grids(segments: list[Any], options: dict[str, Any]) -> None:
    first = composed_epsilon(segments, delta=1e-5, **options)
    assert second_epsilon(segments, delta=1e-5, **options) == pytest.approx(first, rel=0.004)
    assert answer_to(question(segments, delta=1e-5, **options)).state == "confirmed"


# Of a third program on a finer grid, and the closed form at δ = 1e-5.
@pytest.mark.parametrize(("noise", "known"), [(1.0, 7.159), (2.0, 2.451), (4.0, 1.064)])
def test_it_knows_published_values_and_is_never_below_them(noise: float, known: float) -> None:
    assert known - 0.001 <= second_epsilon([Steps(noise, *CHEST)], delta=1e-5) <= known * 1.003


def test_several_images_of_a_patient_are_a_mixture_under_sampling() -> None:
    assert second_epsilon([Steps(4.0, *CHEST)], delta=1e-5, images_per_patient=3) == pytest.approx(3.637, rel=0.003)


def test_nothing_spent_and_nothing_promised_need_no_second_word() -> None:
    assert answer_to(question([], delta=1e-5)).state == "confirmed"
    hopeless = question([Steps(0.3, 0.9, 100_000)], delta=1e-5)
    assert (answer_to(hopeless).state, answer_to(hopeless).larger) == ("confirmed", math.inf)
    assert second_epsilon([Steps(0.0, 1.0, 3)], delta=1e-5) == math.inf


def test_what_its_rounding_would_hide_is_not_called_confirmed() -> None:
    asked = question([Steps(4.0, *CHEST)], delta=1e-13)
    assert second_epsilon([Steps(4.0, *CHEST)], delta=1e-13) is None
    assert answer_to(asked).state == "unavailable"


def test_a_question_is_answered_aside_and_the_asker_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer = threading.Event()
    compose = second_accountant._composed_by_the_other

    def slowly(asked: second_accountant.Question) -> float | None:
        may_answer.wait(60)
        return compose(asked)

    monkeypatch.setattr(second_accountant, "_composed_by_the_other", slowly)
    asked = question([Steps(30.0, 1.0, 100)], delta=1e-5)
    ask_second_epsilon(asked)
    ask_second_epsilon(asked)
    assert answer_to(asked).state == "pending"
    assert answer_to(asked).larger == asked.first_epsilon
    may_answer.set()
    deadline = time.monotonic() + 60
    while answer_to(asked).state == "pending":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert answer_to(asked).state == "confirmed"


def test_a_higher_answer_is_counted_so_that_what_was_kept_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_accountant, "_raised", set())
    monkeypatch.setattr(second_accountant, "_composed_by_the_other", lambda asked: 2 * asked.first_epsilon)
    asked = question([Steps(30.0, 1.0, 100)], delta=1e-5)
    answer = second_accountant.wait_for_answer(asked)
    assert (answer.state, answer.larger, second_accountant.corrections()) == ("higher", 2 * asked.first_epsilon, 1)
