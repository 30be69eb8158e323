"""A process is known by when it began, so that no signal goes to one that has its number now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from medpriv_core import processes
from medpriv_core.processes import ask_to_end, kill_all, own_identity, process_begun

WAITING = [sys.executable, "-S", "-c", "input()"]


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with medpriv, and waits."""
    with subprocess.Popen(WAITING, stdin=subprocess.PIPE, start_new_session=True) as process:
        yield process
        process.kill()


def test_a_process_began_once_whatever_the_clock_says(
    stranger: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is set moves when the system says it was started, and so psutil's ``create_time``."""
    begun, created = process_begun(stranger.pid), psutil.Process(stranger.pid).create_time()
    set_by_s = 3600.0
    real = psutil._psplatform.boot_time
    monkeypatch.setattr(time, "time", lambda: 4e9)
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: real() + set_by_s)
    if psutil.LINUX:
        assert psutil.Process(stranger.pid).create_time() == pytest.approx(created + set_by_s, abs=2.0)

    assert begun is not None
    assert process_begun(stranger.pid) == begun
    assert process_begun(os.getpid()) not in (None, begun)
    assert own_identity() == {"pid": os.getpid(), "begun": process_begun(os.getpid())}


@pytest.mark.skipif(not psutil.LINUX, reason="other systems count otherwise")
def test_linux_itself_says_so_and_by_the_name_of_its_start(stranger: subprocess.Popen[bytes]) -> None:
    ticks = Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(")")[2].split()[19]  # proc(5)

    assert process_begun(stranger.pid) == f"{processes._BOOT.read_text().strip()} {ticks}"


def test_one_that_has_ended_is_none_even_while_its_number_is_taken() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended and nobody has collected it

    assert process_begun(process.pid) is None
    process.wait()
    assert process_begun(process.pid) is None


def test_a_signal_reaches_the_process_that_is_meant(stranger: subprocess.Popen[bytes]) -> None:
    identity = {"pid": stranger.pid, "begun": process_begun(stranger.pid)}

    assert ask_to_end(identity)
    assert stranger.wait() == -signal.SIGTERM
    assert not ask_to_end(identity)
    assert not kill_all(identity)


def test_on_windows_nobody_is_asked_by_a_signal_because_it_would_kill(
    stranger: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "WINDOWS", True)

    assert ask_to_end({"pid": stranger.pid, "begun": process_begun(stranger.pid)})
    assert process_begun(stranger.pid)


def test_a_group_is_ended_together() -> None:
    script = f"import subprocess; subprocess.Popen({WAITING!r}); print(flush=True); input()"
    command = [sys.executable, "-S", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert kill_all({"pid": process.pid, "begun": process_begun(process.pid)})
        assert process.wait() == -signal.SIGKILL
        assert process.stdout.read() == b""  # also the child has let go of it


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"pid": None},
        {"begun": None},
        {"begun": "another boot 1234"},
        {"begun": 1234.5},
        {"pid": -1},
        {"pid": 0},
        {"pid": True},
        {"pid": "1"},
        {"pid": 1.0},
        {"pid": [1]},
        {"pid": 10**400},
    ],
)
def test_nothing_is_sent_where_a_file_does_not_say_which_process(
    stranger: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    sent: list[object] = []
    monkeypatch.setattr(psutil.Process, "terminate", lambda *call: sent.append(call))
    monkeypatch.setattr(processes, "end_with_children", lambda *call: sent.append(call))
    identity = {"pid": stranger.pid, "begun": process_begun(stranger.pid)} | wrong if wrong else {"pid": stranger.pid}

    assert not ask_to_end(identity)
    assert not kill_all(identity)
    assert sent == []
