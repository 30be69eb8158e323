"""Linux, macOS and Windows: what one of them lacks is asked for in one place, which has an equal for it."""

from __future__ import annotations

import ast
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from medpriv_core import systems
from medpriv_core.processes import process_begun
from tests.test_rooms import CORE, PAGES, imports_of, module_name, parse

# Of the modules os, signal and subprocess, what not every system has, and where each is used behind a question of its
# own: nothing of it is reached where it is missing.
NOT_EVERYWHERE = {
    "os": {
        *("killpg", "getpgid", "setsid", "fork", "nice", "statvfs", "ST_RDONLY", "posix_fallocate", "mkfifo"),
        *("geteuid", "getuid", "fchmod", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "getloadavg"),
        *("sysconf", "replace", "rename"),
    },
    "signal": {"SIGKILL", "SIGHUP", "SIGXCPU", "SIGUSR1", "alarm", "setitimer", "pthread_sigmask"},
}
MODULES = {"resource", "fcntl", "pwd", "grp", "termios", "pty"}
ARGUMENTS = {"start_new_session", "preexec_fn", "process_group", "pass_fds", "creationflags"}
ELSEWHERE = {
    "medpriv_core.locks": {"fcntl", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"},  # behind `if fcntl is None`
    "medpriv_core.home_rights": {"geteuid", "O_DIRECTORY", "fchmod", "pwd"},  # behind `os.name != "posix"`
    "medpriv_core.uploads.child": {"resource"},  # behind ImportError
    "medpriv_core.quiet": {"getloadavg", "sysconf"},  # behind hasattr and AttributeError
    "medpriv_core.datasets.prepared": {"rename"},  # of a folder that nobody has open, under its lock
}


def of_some_systems(tree: ast.AST) -> set[str]:
    """The names in a source that not every system has."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {node.attr} & NOT_EVERYWHERE.get(node.value.id, set())
        elif isinstance(node, ast.keyword) and node.arg:
            found |= {node.arg} & ARGUMENTS
    return found


def test_what_one_system_lacks_is_asked_for_in_one_place_or_behind_a_question() -> None:
    found = {module_name(file): of_some_systems(parse(file)) | (imports_of(file) & MODULES) for file in CORE + PAGES}

    assert found.pop("medpriv_core.systems") >= {"killpg", "getpgid", "statvfs", "replace", "resource"}
    assert {module: names for module, names in found.items() if names} == ELSEWHERE


@pytest.mark.parametrize(
    "source", ["os.killpg(1, 9)", "x == -signal.SIGKILL", "Popen([], start_new_session=True)", "os.replace(a, b)"]
)
def test_the_search_finds_such_a_call(source: str) -> None:
    assert len(of_some_systems(ast.parse(source))) == 1


@contextmanager
def parent_and_child(**options: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that waits for its child, and the number of that, which waits for long."""
    script = "import subprocess, sys; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); p.wait()"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, **options) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            yield process, child
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)


def is_gone(pid: int) -> bool:
    """Whether a process ends within ten seconds."""
    deadline = time.monotonic() + 10.0
    while process_begun(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process_begun(pid) is None


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: its answers, and none of the calls that it has not."""
    monkeypatch.setattr(systems, "WINDOWS", True)
    for name in ("killpg", "getpgid", "statvfs", "ST_RDONLY"):
        monkeypatch.delattr(os, name)
    monkeypatch.delattr(signal, "SIGKILL")
    monkeypatch.setitem(sys.modules, "resource", None)


def test_windows_ends_a_process_with_all_that_it_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systems, "WINDOWS", True)
    monkeypatch.delattr(os, "killpg", raising=False)
    with parent_and_child() as (process, child):
        systems.end_with_children(psutil.Process(process.pid))
        assert is_gone(child)
        process.wait()


def test_what_windows_lacks_has_its_equal(windows: None) -> None:
    assert systems.apart() == {"creationflags": 0x200}  # CREATE_NEW_PROCESS_GROUP
    assert systems.is_read_only(Path(".")) is False
    assert math.isnan(systems.peak_memory_bytes())


def test_windows_waits_for_readers_of_the_file_that_is_replaced(
    windows: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source, target = tmp_path / "new", tmp_path / "old"
    source.write_text("new")
    target.write_text("old")
    refusals, real = iter([True, True, False]), os.replace

    def refuse(*paths: Path) -> None:
        if next(refusals):
            raise PermissionError(13, "the file is open in another program")
        real(*paths)

    monkeypatch.setattr(os, "replace", refuse)

    systems.replace(source, target)

    assert target.read_text() == "new"
    monkeypatch.setattr(systems, "_REPLACE_WITHIN_S", -1.0)
    refusals = iter([True])
    with pytest.raises(PermissionError):
        systems.replace(target, source)


def test_elsewhere_a_refusal_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(systems.time, "sleep", None)
    with pytest.raises(PermissionError):
        systems.replace(tmp_path / "a", tmp_path / "b")


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="groups of processes are POSIX's")
def test_a_process_that_is_apart_is_ended_with_its_children() -> None:
    with parent_and_child(**systems.apart()) as (process, child):
        systems.end_with_children(psutil.Process(process.pid))
        assert is_gone(child)
        assert process.wait() == systems.KILLED
