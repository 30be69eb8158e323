"""What the worker tells of its progress."""

from __future__ import annotations

from pathlib import Path

import pytest

from medpriv_core.jobs import process
from medpriv_core.jobs.process import Reporter
from medpriv_core.progress import Cancelled
from medpriv_core.runs.directory import RunDirectory


class Clock:
    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(process, "time", clock)
    return clock


def test_a_phase_says_how_long_it_will_still_take(tmp_path: Path, clock: Clock) -> None:
    directory = RunDirectory(tmp_path)
    report = Reporter(directory, should_stop=lambda: False)
    report("Reading images", 0, 100)
    assert directory.read_progress()["seconds_left"] is None
    clock.now_s += 10
    report("Reading images", 25, 100)
    assert directory.read_progress() == {"phase": "Reading images", "done": 25, "total": 100, "seconds_left": 30.0}
    report("Computing features", 0, 10)
    assert directory.read_progress()["seconds_left"] is None


def test_the_file_is_not_written_at_every_call(tmp_path: Path, clock: Clock) -> None:
    directory = RunDirectory(tmp_path)
    report = Reporter(directory, should_stop=lambda: False)
    for done in range(5):
        report("Epoch 1 of 2", done, 10, seconds_left=7.0)
    assert directory.read_progress()["done"] == 0
    clock.now_s += 1
    report("Epoch 1 of 2", 6, 10, seconds_left=6.0)
    assert directory.read_progress() == {"phase": "Epoch 1 of 2", "done": 6, "total": 10, "seconds_left": 6.0}


def test_a_wish_to_stop_is_heard_at_the_next_call(tmp_path: Path) -> None:
    report = Reporter(RunDirectory(tmp_path), should_stop=lambda: True)
    with pytest.raises(Cancelled):
        report("Reading images", 1, 2)
