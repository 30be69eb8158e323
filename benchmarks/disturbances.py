"""What is done to the runs of a trial, by kinds: kills, standstills, damage, wrong clocks, locks, full disks."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks import damaged
from benchmarks.trial import LOOK_EVERY_S, PATIENCE_S, Trial, looks
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.processes import start_process
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.imports import import_runs
from tests.processes import processes
from tests.runs.archives import RUN_ID, members, zipped

CLOCK = "MEDPRIV_TRIAL_CLOCK"
MOVED_CLOCK = Path(__file__).with_name("moved_clock")
DAY_S = 24 * 3600.0
RUNNERS = 3
# For so long processes stand still, and another program holds the table: longer now and then than anybody waits.
FROZEN_S = (0.5, 3.0, 15.0, 25.0)
LOCKED_S = (1.0, 5.0, 25.0)
# Until of several runners all but one have left.
ONE_RUNNER_S = 120.0  # a second one has to start before it can leave, on a busy machine
SMALL_FILES = (0, 1, 1000, 20_000)  # bytes that a file may have when the disk is as good as full

Act = Callable[[Trial], None]


def kill_worker(trial: Trial) -> None:
    """Whatever it was at."""
    _kill(trial, " worker ")


def kill_runner(trial: Trial) -> None:
    """Its workers go on."""
    _kill(trial, " runner")


def kill_app(trial: Trial) -> None:
    """Perhaps while it writes a note."""
    trial.app().kill()
    trial.app().wait()


def kill_everything(trial: Trial) -> None:
    """As if the machine had lost power, except that the disk has all that was written."""
    kill_app(trial)
    _kill(trial, "")


def interrupt_everything(trial: Trial) -> None:
    """As when a machine is shut down: all are asked to end, by one signal or the other."""
    kill_app(trial)
    for process in processes(trial.home):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(trial.rng.choice((signal.SIGTERM, signal.SIGINT)))


def tear_last_line(trial: Trial) -> None:
    """Half a line at the end of the epochs of a run whose worker has just been killed."""
    for run in trial.look():
        if run.state == "running" and run.epochs:
            _kill(trial, f"worker {trial.home.runs / run.id}")
            with open(trial.home.runs / run.id / "metrics.jsonl", "ab") as file:
                file.write(b'{"epoch": 999, "train_acc')


def stop_without_runner(trial: Trial) -> None:
    """A stop that the runner may not live to pass on."""
    _stop(trial)
    time.sleep(trial.rng.uniform(0.0, 0.5))
    _kill(trial, " runner")


def freeze(trial: Trial) -> None:
    """Worker, runner, app or all of them stand still for a while, as on a machine that sleeps, and go on."""
    command = trial.rng.choice((" worker ", " runner", "app", ""))
    with frozen(trial, command):
        trial.watch(lambda: False, for_s=trial.rng.choice(FROZEN_S))


def stop_a_frozen_worker(trial: Trial) -> None:
    """A worker that hears nothing is stopped all the same, and its last checkpoint is kept."""
    with frozen(trial, " worker "):
        stopped = _stop(trial)
        # Not of the others: one that waited trains now.
        if not trial.watch(lambda: all(run.ended for run in trial.look() if run.id in stopped), for_s=PATIENCE_S):
            trial.violations.append(f"A frozen worker could not be stopped within {PATIENCE_S:.0f} s.")


def damage_a_copy(trial: Trial) -> None:
    """One file of a copy of the data home is damaged, and the run in it is looked at, taken up and thrown away."""
    runs = [run for run in trial.look() if (trial.home.runs / run.id / "checkpoint.pt").is_file() and run.epochs]
    if not runs:
        return
    run_id = trial.rng.choice(runs).id
    shown = trial.shown(run_id)  # before the copy, which has that and perhaps more
    with tempfile.TemporaryDirectory() as folder:
        home = DataHome(Path(folder) / "home")
        # One of those that stand still may hold the table of runs, so nothing is asked meanwhile.
        with frozen(trial, ""), frozen(trial, "app"):
            shutil.copytree(trial.home.root, home.root, ignore=shutil.ignore_patterns("filler"))
        copied = RunDirectory(home.runs / run_id).read_epochs()
        shown = replace(shown, last_epoch=max((row.epoch for row in copied), default=0))
        acts: list[Any] = [
            damaged.damage_checkpoint,
            damaged.damage_json,
            damaged.replace_by_a_folder,
            damaged.damage_arrays,
        ]
        acts.append(damaged.lose_the_table)
        older = trial.older(run_id)
        if older and older["spent.json"] != (home.runs / run_id / "spent.json").read_bytes():
            acts.append(damaged.put_back(older))
        try:
            damage = trial.rng.choice(acts)(home, run_id, trial.rng)
            trial.done[damage.told] += 1
            trial.violations += damaged.consequences(home, damage, shown, trial.bystanders, looks, go_on=True)
        finally:
            damaged.end_processes(home)


def spoil_table(trial: Trial) -> None:
    """A damaged table of runs, made again from the run directories."""
    trial.look()
    with open(trial.home.database, "r+b") as file:
        file.write(b"spoilt" * 20)
    _rebuild(trial)


def remove_table(trial: Trial) -> None:
    """The table of runs is gone, with all that belongs to it, after everything was killed."""
    kill_everything(trial)
    for suffix in ("", "-wal", "-shm"):
        trial.home.database.with_name(trial.home.database.name + suffix).unlink(missing_ok=True)
    _rebuild(trial)


def remove_wal(trial: Trial) -> None:
    """What SQLite had not yet put into the table is gone, after everything was killed."""
    kill_everything(trial)
    for suffix in ("-wal", "-shm"):
        trial.home.database.with_name(trial.home.database.name + suffix).unlink(missing_ok=True)
    _rebuild(trial)


def remove_locks(trial: Trial) -> None:
    """The files behind all locks are gone, while everything goes on or after everything was killed."""
    if trial.rng.random() < 0.5:
        kill_everything(trial)
    for lock in trial.home.root.rglob("*.lock"):
        lock.unlink(missing_ok=True)


def lock_table(trial: Trial) -> None:
    """Another program keeps the table of runs for a while."""
    held = sqlite3.connect(trial.home.database, isolation_level=None)
    with contextlib.closing(held), contextlib.suppress(sqlite3.OperationalError):
        held.execute("BEGIN IMMEDIATE")
        trial.watch(lambda: False, for_s=trial.rng.choice(LOCKED_S))
        held.execute("ROLLBACK")


def start_runners(trial: Trial) -> None:
    """Several at once, of which one stays."""
    for _ in range(RUNNERS):
        start_process(trial.home, "runner", log=trial.home.runner_log)
    trial.watch(lambda: False, for_s=trial.rng.uniform(0.0, 5.0))
    if not trial.watch(lambda: len(processes(trial.home, " runner")) <= 1, for_s=ONE_RUNNER_S):
        trial.violations.append(f"More than one runner stayed for {ONE_RUNNER_S:.0f} s.")


def move_clock(trial: Trial) -> None:
    """The clock is set wrong for some seconds, forward or backward, by an hour or by years, and right again."""
    file = Path(os.environ[CLOCK])
    file.write_text(repr(trial.rng.choice((40 * DAY_S, 400 * DAY_S, 3600.0, -3600.0, -40 * DAY_S, -4000 * DAY_S))))
    try:
        if trial.rng.random() < 0.7:  # who begins now believes it from the start
            (kill_everything if trial.rng.random() < 0.3 else kill_runner)(trial)
        if trial.rng.random() < 0.3:
            _stop(trial)
        trial.watch(lambda: False, for_s=trial.rng.uniform(2.0, 10.0))
        trial.watch(lambda: bool(processes(trial.home, " runner")), for_s=PATIENCE_S)
    finally:
        file.write_text("0")
    if not list(file.parent.glob(f"{file.name}.*")):
        trial.violations.append("The clock was not moved: no process has looked at the trial's.")


def set_file_times(trial: Trial) -> None:
    """The files of the runs are from next month, or from last year, as after a restore or on another machine's disk."""
    moment = time.time() + trial.rng.choice((40 * DAY_S, 3600.0, -3600.0, -400 * DAY_S))
    for path in trial.home.runs.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            os.utime(path, (moment, moment))
    if trial.rng.random() < 0.5:
        kill_everything(trial)


def limit_files(trial: Trial) -> None:
    """No process can write more than a few bytes into a file for some seconds, as if there were no room."""
    limited = [*processes(trial.home), psutil.Process(trial.app().pid)]
    most = trial.rng.choice(SMALL_FILES)
    _limit_files(limited, most)
    try:
        trial.watch(lambda: False, for_s=trial.rng.uniform(1.0, 4.0))
    finally:
        # Their children have it from them.
        _limit_files([*processes(trial.home), *limited], psutil.RLIM_INFINITY)


def fill_disk(trial: Trial) -> None:
    """No byte left for some seconds; what is there can be seen and taken away meanwhile, and room be made."""
    spare = _put_spare_run(trial)
    filler = trial.home.root / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while file.write(b"\0" * 65536):
            pass
    with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as file:
        while file.write(b"\0"):
            pass
    try:
        trial.watch(lambda: False, for_s=trial.rng.uniform(1.0, 4.0))
        _use_a_full_disk(trial, spare)
    finally:
        filler.unlink()
        with contextlib.suppress(MedprivError):  # it is gone if all went well
            service.purge(trial.home, spare)


KINDS: dict[str, tuple[Act, ...]] = {
    "kill": (
        kill_worker,
        kill_runner,
        kill_app,
        kill_everything,
        interrupt_everything,
        tear_last_line,
        stop_without_runner,
    ),
    "freeze": (freeze, stop_a_frozen_worker),
    "damage": (damage_a_copy,),
    "clock": (move_clock, set_file_times),
    "table": (spoil_table, remove_table, remove_wal, lock_table),
    "locks": (remove_locks, start_runners),
    "disk": (limit_files, fill_disk),
}


@contextlib.contextmanager
def frozen(trial: Trial, command: str) -> Iterator[None]:
    """The processes whose command line holds ``command``, or the app, stand still within the block."""
    found = [psutil.Process(trial.app().pid)] if command == "app" else processes(trial.home, command)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


@contextlib.contextmanager
def trial_clock() -> Iterator[None]:
    """Every process started within the block has a clock that ``move_clock`` can set; this one's stays right."""
    before = {name: os.environ.get(name) for name in (CLOCK, "PYTHONPATH")}
    with tempfile.TemporaryDirectory() as folder:
        os.environ[CLOCK] = str(Path(folder) / "seconds")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(MOVED_CLOCK), before["PYTHONPATH"]]))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _stop(trial: Trial) -> set[str]:
    """Stop what trains, and say which runs these are."""
    stopped = {run.id for run in trial.look() if run.state == "running"}
    for run_id in stopped:
        with contextlib.suppress(MedprivError):  # it may have ended just now
            service.cancel(trial.home, run_id)
    return stopped


def _rebuild(trial: Trial) -> None:
    """By the button, as soon as the runner has let go."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(MedprivError):  # the runner has not noticed yet, or there is nothing to do
            service.rebuild(trial.home)
        with contextlib.suppress(MedprivError):
            if not trial.missing():
                return
        time.sleep(LOOK_EVERY_S)
    trial.violations.append("The table could not be made again.")


def _kill(trial: Trial, command: str) -> None:
    for process in processes(trial.home, command):
        with contextlib.suppress(Exception):  # it may have left by itself
            process.kill()
            process.wait(10)


def _limit_files(limited: list[psutil.Process], most: int) -> None:
    for process in limited:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.rlimit(psutil.RLIMIT_FSIZE, (most, psutil.RLIM_INFINITY))


def _put_spare_run(trial: Trial) -> str:
    """A run in the bin, by whose purging room can be made."""
    import_runs(trial.home, zipped(members()))
    (trial.home.runs / RUN_ID / "worker.log").write_bytes(b"x" * 100_000)
    service.delete(trial.home, RUN_ID)
    return RUN_ID


def _use_a_full_disk(trial: Trial, spare: str) -> None:
    """List, look and make room, as a page does."""
    for told, use in (
        ("listed", lambda: trial.look()),
        ("purged", lambda: service.purge(trial.home, spare)),
    ):
        try:
            use()
        except MedprivError as error:
            trial.violations.append(f"On a full disk runs cannot be {told}: {error}")
