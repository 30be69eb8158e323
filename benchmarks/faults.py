"""Kill -9 at random moments, again and again, while real runs train: what was shown must stay true.

Two small runs, one of them DP-SGD, train in a data home of their own. In every round something is done to them at a
random moment, then they are left to recover, and whatever stopped is resumed. What must hold after every look is said
and checked in ``benchmarks.trial``.

    python -m benchmarks.faults [--rounds 50] [--seed 0]

As root the data home is put on a small disk in memory, which is filled up now and then; otherwise that fault is left
out, and said so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.trial import LOOK_EVERY_S, PATIENCE_S, Trial
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from tests.processes import processes

DISK_MB = 256


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


def tear_last_line(trial: Trial) -> None:
    """Half a line at the end of the epochs of a run whose worker has just been killed."""
    for run in trial.look():
        if run.state == "running" and run.epochs:
            _kill(trial, f"worker {trial.home.runs / run.id}")
            with open(trial.home.runs / run.id / "metrics.jsonl", "ab") as file:
                file.write(b'{"epoch": 999, "train_acc')


def stop_without_runner(trial: Trial) -> None:
    """A stop that the runner may not live to pass on."""
    for run in trial.look():
        if run.state == "running":
            with contextlib.suppress(MedprivError):  # it may have ended just now
                service.cancel(trial.home, run.id)
    time.sleep(trial.rng.uniform(0.0, 0.5))
    _kill(trial, " runner")


def spoil_table(trial: Trial) -> None:
    """A damaged table of runs, made again from the run directories."""
    trial.look()
    with open(trial.home.database, "r+b") as file:
        file.write(b"spoilt" * 20)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            service.rebuild(trial.home)
            return
        except MedprivError:  # the runner has not noticed yet
            time.sleep(LOOK_EVERY_S)
    trial.violations.append("The table could not be made again.")


def fill_disk(trial: Trial) -> None:
    """No byte left for some seconds."""
    filler = trial.home.root / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while file.write(b"\0" * 65536):
            pass
    trial.watch(lambda: False, for_s=trial.rng.uniform(1.0, 4.0))
    filler.unlink()


KILLS = (kill_worker, kill_runner, kill_app, kill_everything)
FAULTS = (*KILLS, tear_last_line, stop_without_runner, spoil_table)


def run_app(home: DataHome) -> None:
    """Be the app until killed: look at every run, and write a note on one now and then."""
    number = 0
    while True:
        number += 1
        with contextlib.suppress(MedprivError):
            for run in service.list_runs(home):
                service.load_run(home, run.id)
                service.set_notes(home, run.id, f"seen {number} times", expected=run.notes)
        time.sleep(LOOK_EVERY_S)


def _kill(trial: Trial, command: str) -> None:
    for process in processes(trial.home, command):
        with contextlib.suppress(Exception):  # it may have left by itself
            process.kill()
            process.wait(10)


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """A disk of its own at ``folder``; False where the system does not allow that."""
    mounted = False
    if os.name == "posix" and os.geteuid() == 0:
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def main() -> None:
    """Print what was done and what did not hold; leaves with 1 if anything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--app", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.app:
        run_app(DataHome(options.app))
        return
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, _small_disk(Path(folder)) as small:
        trial = Trial(DataHome(Path(folder) / "home"), seed=options.seed)
        try:
            faults = [*FAULTS, fill_disk] if small else [*FAULTS]
            for number in range(options.rounds):
                fault = faults[number % len(faults)] if number < len(faults) else trial.rng.choice(faults)
                # Half of the time in the middle of things, else perhaps while they start.
                trial.round(fault, after_epoch=trial.rng.random() < 0.5, wait_s=trial.rng.uniform(0.0, 3.0))
                print(f"{number + 1:3}  {fault.__name__:20} {trial.epochs_shown:6,} epochs shown", flush=True)
            trial.finish()
        finally:
            trial.close()
    print(f"{options.rounds} rounds in {time.monotonic() - begun:.0f} s, {trial.epochs_shown:,} epochs shown, ", end="")
    print(f"{trial.resumed} times resumed: {', '.join(f'{name} {count}' for name, count in trial.done.items())}")
    if not small:
        print("The disk was not filled: that needs leave to mount one.")
    for violation in dict.fromkeys(trial.violations):
        print(f"NOT TRUE: {violation}")
    print(f"{len(trial.violations)} violations")
    sys.exit(bool(trial.violations))


if __name__ == "__main__":
    main()
