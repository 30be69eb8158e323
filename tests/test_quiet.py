"""Measuring in turn, and the refusal to judge on a busy machine: with clocks and machines that are made up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medpriv_core import quiet
from medpriv_core.quiet import Ratio, Reading, Use, Watch, alternate, paired_ratio, read_machine


def watch(*, own: float, busy: float | None, stolen: float | None, load: float = 0.1, took: float = 10.0) -> Use:
    """What a watch on two cores says, if so much processor time went by in ``took`` seconds."""
    clock: Iterator[float] = iter((100.0, 100.0 + took))
    begun = Reading(5.0, None if busy is None else 1000.0, None if stolen is None else 7.0, load)
    ended = Reading(
        5.0 + own, None if busy is None else 1000.0 + busy, None if stolen is None else 7.0 + stolen, load + 3
    )
    readings = iter((begun, ended))
    return Watch(clock=lambda: next(clock), read=lambda: next(readings), cores=2).use()


def test_tasks_take_turns() -> None:
    order: list[str] = []

    def task(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    times = alternate([lambda: task("a", 2.0), lambda: task("b", 1.0)], rounds=3)

    assert "".join(order) == "ababab"
    assert times == [[2.0] * 3, [1.0] * 3]


def test_a_machine_that_slows_down_changes_the_times_and_not_the_ratios() -> None:
    """Ten times slower at the end; the medians of either alone would be compared across that."""
    slower = [1.0, 1.5, 3.0, 10.0, 10.0]
    ratio = paired_ratio([1.2 * time for time in slower], slower)

    assert ratio == pytest.approx((1.2, 1.2, 1.2))
    assert ratio.steady


def test_pairs_that_disagree_are_not_steady_and_show_their_spread() -> None:
    ratio = paired_ratio([0.93, 1.2, 1.58], [1.0, 1.0, 1.0])

    assert str(ratio) == "1.20 × (0.93 to 1.58)"
    assert not ratio.steady
    assert Ratio(1.2, 1.1, 1.3).steady


def test_own_work_is_no_disturbance() -> None:
    use = watch(own=19.8, busy=20.0, stolen=0.0)

    assert use.others == pytest.approx(0.02)
    assert use.disturbed is None


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"own": 9.0, "busy": 15.0, "stolen": 0.0}, "other processes used 0.60 of 2 cores"),
        ({"own": 10.0, "busy": 10.0, "stolen": 1.0}, "it withheld 0.10 of 2 cores"),
        ({"own": 10.0, "busy": None, "stolen": None, "load": 1.7}, "load average was 1.7 on 2 cores"),
    ],
)
def test_a_busy_machine_gets_no_verdict_and_is_told_why(seen: dict[str, float], said: str) -> None:
    use = watch(**seen)

    assert use.disturbed is not None
    assert said in use.disturbed
    assert "no verdict is given" in use.disturbed


def test_the_load_average_does_not_count_where_others_were_measured() -> None:
    """It still knows of what ran a minute before, and of the measurement itself."""
    assert watch(own=20.0, busy=20.1, stolen=0.0, load=8.0).disturbed is None
    assert watch(own=0.1, busy=None, stolen=None, load=0.1).disturbed is None


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="no /proc")
def test_the_reading_is_of_this_process_with_its_children_and_of_the_machine() -> None:
    before, own = read_machine(), os.times()
    # At least: children that other tests left alive count too.
    assert before.own >= own.user + own.system + own.children_user + own.children_system - 1.0
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        living = read_machine()
        child.communicate(b"\n")
    ended = read_machine()

    assert before.busy is not None
    assert living.busy is not None
    assert living.own - before.own >= 0.25
    assert living.busy - before.busy >= 0.25
    assert ended.own >= living.own - 0.02


def test_without_proc_the_load_average_has_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(quiet, "PROC", tmp_path)
    reading = read_machine()

    assert reading.busy is reading.stolen is None
    assert reading.own > 0
