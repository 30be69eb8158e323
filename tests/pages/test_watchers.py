"""How often tabs look at runs that train."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pages.parts.runs import watchers


@pytest.fixture(autouse=True)
def nobody_looks() -> Iterator[None]:
    before = dict(watchers._last_looks)
    watchers._last_looks.clear()
    yield
    watchers._last_looks.clear()
    watchers._last_looks.update(before)


def test_tabs_are_counted_once_and_forgotten_when_they_look_no_more() -> None:
    assert [watchers.count_with(f"tab {number}", now=100.0) for number in range(7)] == [1, 2, 3, 4, 5, 6, 7]
    assert watchers.count_with("tab 3", now=120.0) == 7
    assert watchers.count_with("tab 3", now=131.0) == 1


@pytest.mark.parametrize(("others", "seconds"), [(0, 1), (4, 1), (5, 2), (19, 4)])
def test_each_five_tabs_take_a_second(others: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers.st, "session_state", {})
    now = watchers.time.monotonic()
    for number in range(others):
        watchers.count_with(f"tab {number}", now=now)
    assert watchers.refresh_s() == seconds
    assert watchers.refresh_s() == seconds  # the same tab
