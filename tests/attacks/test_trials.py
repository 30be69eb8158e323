"""Trials that are counted aside."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from medpriv_core.attacks import trials
from medpriv_core.attacks.reidentification import SuccessRate
from medpriv_core.attacks.trials import Counted, count_aside, count_now, known_of


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_known", {})


def rate(found: int, draws: int = 100) -> SuccessRate:
    return SuccessRate(found, draws, 0.01)


def wait_for(key: str) -> Counted:
    deadline = time.monotonic() + 20
    while (found := known_of(key)) is None or not found.done:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_who_asks_does_not_wait_and_is_told_what_there_is() -> None:
    go_on = threading.Event()

    def slowly() -> Iterator[SuccessRate]:
        yield rate(3, 10)
        go_on.wait(20)
        yield rate(30)

    assert count_aside("slow", slowly) == Counted(None, done=False)
    while (found := known_of("slow")) is None:
        time.sleep(0.01)
    assert found == Counted(rate(3, 10), done=False)
    go_on.set()
    assert wait_for("slow") == Counted(rate(30), done=True)


def test_what_is_known_is_not_counted_again() -> None:
    begun = []

    def count() -> Iterator[SuccessRate]:
        begun.append(1)
        yield rate(7)

    assert count_now("once", count) == count_now("once", count) == count_aside("once", count)
    assert len(begun) == 1


def test_trials_that_fail_are_told_as_not_tried_and_the_next_are_counted() -> None:
    def fail() -> Iterator[SuccessRate]:
        raise ValueError("no image")
        yield rate(0)

    count_aside("broken", fail)
    assert wait_for("broken") == Counted(None, done=True)
    count_aside("sound", lambda: iter([rate(2)]))
    assert wait_for("sound") == Counted(rate(2), done=True)
