"""On which device a run is computed: each takes one at a time, and several of one machine several runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from medpriv_core.home import DataHome
from medpriv_core.records.outcome import Outcome
from medpriv_core.runs import launcher as launcher_module
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.launcher import LocalLauncher, Poll
from medpriv_core.runs.runner import Runner
from medpriv_core.runs.store import LOCAL, RunStore
from tests.runs.workers import Workers, queue


@pytest.fixture
def store(home: DataHome) -> RunStore:
    return RunStore(home)


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def runner(home: DataHome, workers: Workers) -> Runner:
    return Runner(home, {LOCAL: lambda _: workers})


def test_several_gpus_of_one_machine_take_several_runs_at_once(
    home: DataHome, runner: Runner, store: RunStore, workers: Workers
) -> None:
    workers.devices = {"cuda": ("cuda:0", "cuda:1"), "auto": ("cuda:0", "cuda:1")}
    for run_id, device in [
        ("a", "cuda"),
        ("b", "auto"),
        ("c", "cuda"),
        ("named", "cuda:1"),
        ("d", "auto"),
        ("e", "cpu"),
    ]:
        queue(home, run_id, device=device)

    def places() -> dict[str, str]:
        return {row.id: row.slot for row in store.in_state("running")}

    runner.tick()
    assert places() == {"a": "cuda:0", "b": "cuda:1", "e": "cpu"}
    for ended, then in [("b", {"c": "cuda:1"}), ("a", {"d": "cuda:0"}), ("c", {"named": "cuda:1"})]:
        RunDirectory(home.runs / ended).write_outcome(Outcome("finished"))
        workers.polls[ended] = Poll(alive=False, exit_code=0)
        runner.tick()
        runner.tick()
        assert then.items() <= places().items(), ended
    assert places() == {"d": "cuda:0", "named": "cuda:1", "e": "cpu"}


def test_what_is_queued_while_devices_are_counted_waits_for_the_next_look(
    home: DataHome, runner: Runner, store: RunStore, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.wanted_slots

    def counted(_store: RunStore) -> list[tuple[str, str]]:
        found = real()
        if not store.ids():
            queue(home, "late", device="cuda")
        return found

    monkeypatch.setattr(RunStore, "wanted_slots", counted)
    workers.devices = {"cuda": ("cuda:0",)}
    assert not runner.tick()
    assert store.get("late").state == "queued"
    assert runner.tick()
    assert store.get("late").slot == "cuda:0"


@pytest.mark.parametrize(
    ("wanted", "devices", "system", "slots"),
    [
        ("auto", 3, "linux", ("cuda:0", "cuda:1", "cuda:2")),
        ("cuda", 2, "linux", ("cuda:0", "cuda:1")),
        ("cuda:1", 2, "linux", ("cuda:1",)),
        ("cpu", 2, "linux", ("cpu",)),
        ("auto", 0, "linux", ("cpu",)),
        ("auto", 0, "darwin", ("mps",)),
        ("cuda", 0, "linux", ("cuda:0",)),  # whose worker says that there is none
    ],
)
def test_each_cuda_device_is_a_place_for_a_run_that_names_none(
    home: DataHome, monkeypatch: pytest.MonkeyPatch, wanted: str, devices: int, system: str, slots: tuple[str, ...]
) -> None:
    monkeypatch.setattr(launcher_module, "count_cuda_devices", lambda: devices)
    monkeypatch.setattr(sys, "platform", system)
    assert LocalLauncher(home).slots(wanted) == slots


@pytest.mark.parametrize(("slot", "told"), [("cuda:1", ("--device", "cuda:1")), ("cpu", ()), ("auto", ())])
def test_the_worker_is_told_which_device_was_chosen(
    home: DataHome, store: RunStore, monkeypatch: pytest.MonkeyPatch, slot: str, told: tuple[str, ...]
) -> None:
    class Child:
        pid = os.getpid()

    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        launcher_module, "start_process", lambda _home, *command, log: started.append(command) or Child()
    )
    directory = queue(home, "r", device=slot)
    assert LocalLauncher(home).start(store.get("r"), directory).startswith(f"{os.getpid()} ")
    assert started == [("worker", str(directory.path), *told)]


def test_devices_are_counted_by_torch_in_a_process_of_its_own_where_there_is_a_sign_of_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    count = launcher_module.count_cuda_devices.__wrapped__
    monkeypatch.setattr(launcher_module.shutil, "which", lambda name: None)
    monkeypatch.setattr(launcher_module, "_SIGNS", (tmp_path / "none",))
    with monkeypatch.context() as patched:
        patched.setattr(launcher_module, "command_line", None)
        assert count() == 0

    monkeypatch.setattr(launcher_module, "_SIGNS", (tmp_path,))
    assert count() == torch.cuda.device_count()

    monkeypatch.setattr(launcher_module, "command_line", lambda *command: [sys.executable, "-S", "-c", "exit(1)"])
    assert count() == 1
    assert "take turns on the first" in caplog.text
