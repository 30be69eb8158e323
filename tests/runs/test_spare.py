"""The worker that waits: when there is one, what it is handed, and what happens where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome
from medpriv_core.locks import is_held
from medpriv_core.runs import launcher as launcher_module
from medpriv_core.runs import runner as runner_module
from medpriv_core.runs import service
from medpriv_core.runs import spare as spare_module
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.launcher import LocalLauncher
from medpriv_core.runs.runner import Runner, run_runner
from medpriv_core.runs.spare import WISH_S, Spare, is_wished, wish, withdraw
from medpriv_core.runs.store import LOCAL, RunStore
from tests.processes import processes
from tests.runs.test_processes import PATIENCE_S, TINY, wait_for
from tests.runs.workers import Workers, queue
from tests.small_data import NAME, add_small_dataset

# Tells what it is handed, and leaves.
ECHO = "import sys; print(sys.stdin.readline(), end='')"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes that wait, which are none of medpriv's here."""
    children: list[subprocess.Popen[bytes]] = []

    def start(home: DataHome, *command: str, log: Path, stdin: int) -> subprocess.Popen[bytes]:
        assert (command, log, stdin) == (("spare",), home.runner_log, subprocess.PIPE)
        child = subprocess.Popen([sys.executable, "-S", "-c", ECHO], stdin=stdin, stdout=subprocess.PIPE)
        children.append(child)
        return child

    monkeypatch.setattr(spare_module, "start_process", start)
    monkeypatch.setattr(spare_module.psutil, "virtual_memory", lambda: SimpleNamespace(available=64e9))
    spare_module._said_at.clear()
    yield children
    for child in children:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with suppress(OSError):
                pipe.close()


def waiting(home: DataHome) -> Spare:
    wish(home)
    spare = Spare(home)
    assert spare.keep(room=True)
    return spare


def test_one_waits_while_somebody_is_about_to_launch_a_run(
    home: DataHome, started: list[subprocess.Popen[bytes]]
) -> None:
    spare = Spare(home)
    assert not spare.keep(room=True)
    wish(home)
    assert spare.keep(room=True)
    assert spare.keep(room=True)
    assert [child.pid for child in started] == [spare.pid]
    withdraw(home)
    assert not spare.keep(room=True)
    assert started[0].wait(PATIENCE_S) == 0  # its pipe was closed


def test_a_wish_holds_for_a_while_from_when_it_was_last_said(
    home: DataHome, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    spare = waiting(home)
    now[0] += WISH_S - 1
    wish(home)
    assert spare.keep(room=True)
    now[0] += WISH_S - 1
    assert spare.keep(room=True)
    now[0] += 2
    assert not spare.keep(room=True)
    assert not is_wished(home)
    assert spare.pid is None


@pytest.mark.parametrize("why", ["a run trains", "little memory", "switched off"])
def test_none_is_started_where(
    why: str, home: DataHome, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "little memory":
        monkeypatch.setattr(spare_module.psutil, "virtual_memory", lambda: SimpleNamespace(available=1e9))
    if why == "switched off":
        monkeypatch.setenv("MEDPRIV_SPARE_WORKER", "off")
    wish(home)
    assert not Spare(home).keep(room=why != "a run trains")
    assert not started


def test_one_that_died_is_not_started_again_and_again(
    home: DataHome, started: list[subprocess.Popen[bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    spare = waiting(home)
    started[0].kill()
    started[0].wait(PATIENCE_S)
    assert not spare.keep(room=True)
    assert not spare.keep(room=True)
    assert len(started) == 1
    assert "has ended (-9)" in caplog.text


@pytest.mark.parametrize(("slot", "device"), [("cuda:1", "cuda:1"), ("cpu", None)])
def test_it_is_handed_the_run_and_the_device_and_is_the_worker_from_then_on(
    home: DataHome, started: list[subprocess.Popen[bytes]], slot: str, device: str | None
) -> None:
    wish(home)
    launcher = LocalLauncher(home)
    assert launcher.keep_ready(0)
    directory = queue(home, "r", device=slot)
    row = RunStore(home).get("r")
    assert launcher.start(row, directory).split()[0] == str(started[0].pid)
    said = started[0].stdout.read()
    started[0].wait(PATIENCE_S)
    assert json.loads(said) == {"run": str(directory.path), "device": device}
    assert launcher.poll(row, directory).exit_code == 0


def test_a_worker_is_started_as_ever_where_none_waits_or_the_one_that_did_has_died(
    home: DataHome, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh: list[tuple[str, ...]] = []

    def start(_home: DataHome, *command: str, log: Path) -> Any:
        fresh.append(command)
        return SimpleNamespace(pid=4242)

    monkeypatch.setattr(launcher_module, "start_process", start)
    wish(home)
    launcher = LocalLauncher(home)
    launcher.keep_ready(0)
    started[0].kill()
    started[0].wait(PATIENCE_S)
    for run_id in ("a", "b"):
        launcher.start(RunStore(home).get(queue(home, run_id).path.name), RunDirectory(home.runs / run_id))
    assert fresh == [("worker", str(home.runs / run_id)) for run_id in ("a", "b")]


def test_a_pipe_that_breaks_is_found_in_time(
    home: DataHome, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = waiting(home)
    directory = queue(home, "r")
    started[0].kill()
    started[0].wait(PATIENCE_S)
    monkeypatch.setattr(Spare, "pid", 4242)  # it died after the last look
    assert spare.hand_over(directory, None) is None


def test_a_log_that_is_a_link_is_refused_before_anything_is_handed_over(
    home: DataHome, started: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    spare = waiting(home)
    directory = queue(home, "r")
    directory.log.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataHomeError, match="is a link"):
        spare.hand_over(directory, None)
    assert spare.pid == started[0].pid


def test_there_is_room_beside_runs_that_train_on_other_devices(
    home: DataHome, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    wish(home)
    monkeypatch.setattr(launcher_module, "count_cuda_devices", lambda: 2)
    launcher = LocalLauncher(home)
    assert not launcher.keep_ready(2)
    assert launcher.keep_ready(1)


def test_a_runner_stays_while_a_worker_waits_and_lets_it_go_when_it_leaves(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    class Ready(Workers):
        let_gone = False

        def keep_ready(self, running: int) -> bool:
            looks.append(running)
            return len(looks) < 100

        def let_go(self) -> None:
            Ready.let_gone = True

    monkeypatch.setattr(runner_module, "Runner", lambda home: Runner(home, {LOCAL: lambda _: Ready()}))
    clock = SimpleNamespace(monotonic=map(float, count()).__next__, sleep=lambda _s: None)
    monkeypatch.setattr(runner_module, "time", clock)
    assert run_runner(home, idle_exit_s=20.0)
    assert len(looks) > 100
    assert Ready.let_gone


def test_a_runner_is_started_for_a_worker_that_is_to_wait(
    home: DataHome, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runners: list[tuple[Any, ...]] = []
    monkeypatch.setattr(runner_module, "start_process", lambda *command, **_: runners.append(command))
    monkeypatch.setattr(runner_module, "_started", {})
    runner_module.ensure_runner(home)
    assert not runners
    service.expect_launch(home)
    assert runners == [(home, "runner")]


def test_a_run_trains_in_the_process_that_waited_as_in_any_other(home: DataHome, tmp_path: Path) -> None:
    spare_module._said_at.clear()
    add_small_dataset(home, tmp_path, train=16, test=8)
    service.expect_launch(home)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (waits := processes(home, " spare")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        spec = TINY.changed(dataset=NAME, method="dp_sgd", target_epsilon=8.0, delta=1e-3)
        run_id = service.submit(home, spec)
        run = wait_for(home, run_id, lambda run: run.ended)
        assert run.state == "finished", service.read_log(home, run_id)
        directory = RunDirectory(home.runs / run_id)
        assert directory.read_worker()["pid"] == waits[0].pid
        assert "epoch 2 of 2" in service.read_log(home, run_id)
        assert "epoch" not in home.runner_log.read_text()
        # While it trained it held the lock as every worker does, and let go of it at its end.
        assert directory.lock.exists()
        assert not is_held(directory.lock)
        # It was handed one run and is gone; another one waits for the next.
        waits[0].wait(PATIENCE_S)
    finally:
        for process in processes(home):
            process.kill()


def test_the_process_leaves_when_nobody_is_there_to_hand_it_a_run(home: DataHome) -> None:
    command = [sys.executable, "-m", "medpriv_core", "spare"]
    assert subprocess.run(command, stdin=subprocess.DEVNULL, timeout=PATIENCE_S, check=False).returncode == 0
