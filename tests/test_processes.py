"""A process is known by when it began, so that no signal goes to one that has its number now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from medpriv_core import processes
from medpriv_core.processes import own_identity, process_begun, send_signal

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
    begun = process_begun(stranger.pid)
    monkeypatch.setattr(time, "time", lambda: 4e9)

    assert begun is not None
    assert process_begun(stranger.pid) == begun
    assert process_begun(os.getpid()) not in (None, begun)
    assert own_identity() == {"pid": os.getpid(), "begun": process_begun(os.getpid())}


def test_one_that_has_ended_is_none_even_while_its_number_is_taken() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended and nobody has collected it

    assert process_begun(process.pid) is None
    process.wait()
    assert process_begun(process.pid) is None


def test_where_there_is_no_list_of_processes_ps_tells_it(
    stranger: subprocess.Popen[bytes], tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_PROCESSES", tmp_path)
    begun = process_begun(stranger.pid)
    stranger.kill()
    stranger.wait()

    assert begun
    assert process_begun(stranger.pid) is None


def test_a_signal_reaches_the_process_that_is_meant(stranger: subprocess.Popen[bytes]) -> None:
    identity = {"pid": stranger.pid, "begun": process_begun(stranger.pid)}

    assert send_signal(identity, signal.SIGTERM)
    assert stranger.wait() == -signal.SIGTERM
    assert not send_signal(identity, signal.SIGTERM)


def test_a_group_is_ended_together() -> None:
    script = f"import subprocess; subprocess.Popen({WAITING!r}); print(flush=True); input()"
    command = [sys.executable, "-S", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert send_signal({"pid": process.pid, "begun": process_begun(process.pid)}, signal.SIGKILL, group=True)
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
    monkeypatch.setattr(processes.os, "kill", lambda *call: sent.append(call))
    monkeypatch.setattr(processes.os, "killpg", lambda *call: sent.append(call))
    identity = {"pid": stranger.pid, "begun": process_begun(stranger.pid)} | wrong if wrong else {"pid": stranger.pid}
    for group in (False, True):
        assert not send_signal(identity, signal.SIGKILL, group=group)

    assert sent == []
