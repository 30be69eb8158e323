"""Questions answered aside, the last one first."""

from __future__ import annotations

import logging
import threading

import pytest

from medpriv_core.last_asked import MOST_WAITING, LastAsked


def test_the_last_question_comes_first_and_of_too_many_the_oldest_are_given_up() -> None:
    questions: LastAsked[int] = LastAsked("questions")
    begun, go_on, finished = threading.Event(), threading.Event(), threading.Event()
    order: list[int] = []

    def hold() -> None:
        begun.set()
        go_on.wait(20)

    def note(name: int) -> None:
        order.append(name)
        if name == 5:
            finished.set()

    questions.ask(-1, hold)
    assert begun.wait(20)
    for name in range(MOST_WAITING + 5):
        questions.ask(name, lambda name=name: note(name))  # type: ignore[misc]
    questions.ask(7, lambda: note(7))  # once more: to the front, and not twice
    go_on.set()
    assert finished.wait(20)
    assert order == [7, *(name for name in range(MOST_WAITING + 4, 4, -1) if name != 7)]


def test_an_answer_that_fails_is_logged_and_the_next_is_given(caplog: pytest.LogCaptureFixture) -> None:
    questions: LastAsked[str] = LastAsked("questions")
    failed, answered = threading.Event(), threading.Event()

    def fail() -> None:
        failed.set()
        raise ValueError("no answer")

    with caplog.at_level(logging.ERROR, logger="medpriv"):
        questions.ask("broken", fail)
        assert failed.wait(20)
        questions.ask("sound", answered.set)
        assert answered.wait(20)
    assert "not answered" in caplog.text
