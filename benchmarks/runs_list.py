"""How long the list of runs takes to open, and what many tabs that watch one run cost.

Fills a data home of its own with finished runs and one that trains, as far as their files tell. Reports the time of
the list as pages make it, in a process that nobody has asked before and again; of all that the runs recorded; of one
run; of the command and of the page of runs, each in a new process, with the most memory that the page's process took;
and the processor time of tabs that ask for one run and the list every second.

    python -m benchmarks.runs_list [--runs 500] [--epochs 50] [--tabs 20]

10,000 runs of 10 epochs take about 1.5 GB of disk and some minutes to make. On a machine that was busy with something
else meanwhile it says so and exits with 3.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.judged import judged
from medpriv_core.home import DataHome
from medpriv_core.locks import hold_lock
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.steps import Steps
from medpriv_core.quiet import timed
from medpriv_core.records.epoch import EpochRow, read_row
from medpriv_core.records.setup import Setup
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.list_lines import FILE_NAME as LINES
from medpriv_core.runs.spent_record import write_record
from medpriv_core.runs.store import RunRow, RunState, RunStore
from medpriv_core.spec import RunSpec

SPEC = RunSpec(dataset="synthetic_chest", weights="none", method="dp_sgd", noise_multiplier=1.0)
WATCHED_S = 10.0
GRADES = ["none", "mild", "moderate", "severe", "proliferative"]
ROUNDS = 20
ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 300


def epoch(number: int) -> EpochRow:
    """A finished epoch as a worker on graded images writes it: some 30 figures."""
    row: dict[str, Any] = {"epoch": number, "train_accuracy": 0.7 + number / 1e4, "train_loss": 0.512345678}
    for name in ("accuracy", "loss", "balanced_accuracy", "auroc", "kappa", "calibration_error"):
        row |= {f"test_{name}": 0.8123456789, f"test_noised_{name}": 0.712345678901}
    for name in ("recall", "precision"):
        row |= {
            f"test_class_{name}": [0.123456789] * len(GRADES),
            f"test_noised_class_{name}": [0.987654321] * len(GRADES),
        }
    row |= {"epsilon": number / 7, "delta": 1e-5, "steps": 10 * number, "images_per_s": 812.3, "elapsed_s": 1.5}
    return read_row(row)


def spent_of(epochs: int) -> Spent:
    """The record of a private network after so many epochs."""
    return Spent(
        epochs=epochs,
        step=0,
        steps=10 * epochs,
        steps_per_epoch=10,
        epsilon=epochs / 7,
        delta=1e-5,
        adjacency="add-remove",
        sampling="poisson",
        accountant="pld",
        segments=(Steps(4.0, 0.1, 10 * epochs),),
        checkpoint="0" * 64,
    )


def fill(home: DataHome, *, runs: int, epochs: int) -> str:
    """Runs with all their files; returns the id of the one that trains, at whose lock somebody must be."""
    rows, now = [], time.time()
    for number in range(runs):
        directory = RunDirectory(home.runs / f"run-{number:05d}")
        directory.create(SPEC.changed(seed=number))
        directory.write_setup(
            Setup.from_dict({"train_size": 640, "test_size": 160, "majority_rate": 0.6, "classes": GRADES})
        )
        directory.append_epochs(map(epoch, range(1, epochs + 1)))
        directory.checkpoint.write_bytes(b"")
        write_record(directory, spent_of(epochs))
        state: RunState = "running" if number == runs - 1 else "finished"
        ended_at = None if state == "running" else now
        name = f"run {number}"
        rows.append(
            RunRow(directory.path.name, name, state, "cpu", number, False, None, now, now, ended_at, None, (), "", None)
        )
    RunStore(home).insert(rows)
    return rows[-1].id


def read_options(description: str) -> argparse.Namespace:
    """How many runs of how many epochs lie in the store, and how many tabs watch."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--tabs", type=int, default=20)
    parser.add_argument("--page", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def watch(home: DataHome, run_id: str, *, tabs: int) -> float:
    """Share of one core that ``tabs`` tabs take, while the run finishes an epoch every second."""
    directory, stop = RunDirectory(home.runs / run_id), threading.Event()

    def tab() -> None:
        while not stop.wait(1.0):
            service.load_run(home, run_id)
            service.list_lines(home)

    threads = [threading.Thread(target=tab) for _ in range(tabs)]
    used, begun = time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
        time.sleep(1.0 / tabs)
    number = len(directory.read_epochs())
    while time.perf_counter() - begun < WATCHED_S:
        number += 1
        directory.append_epoch(epoch(number))
        time.sleep(1.0)
    share = (time.process_time() - used) / (time.perf_counter() - begun)
    stop.set()
    for thread in threads:
        thread.join()
    return share


def open_page() -> None:
    """Be a server that opens the page of runs twice, as far as Python goes, and say what that took."""
    from streamlit.testing.v1 import AppTest  # noqa: TID251 - the page is what is measured

    page = AppTest.from_file(str(ROOT / "pages" / "index.py"), default_timeout=PATIENCE_S)
    page.run()
    page.switch_page("runs.py")
    first, again = timed(page.run)(), timed(page.run)()
    assert not page.exception
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"the page, first time     {1000 * first:7.1f} ms; again {1000 * again:.1f} ms; at most {peak_mb:.0f} MB")


def in_a_new_process(home: DataHome, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python program that looks at this data home."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=os.environ | {"MEDPRIV_HOME": str(home.root)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )


def main() -> None:
    """Print the figures."""
    options = read_options(__doc__ or "")
    if options.page:
        open_page()
        return
    with judged(), tempfile.TemporaryDirectory() as folder:
        home = DataHome(Path(folder) / "home")
        run_id = fill(home, runs=options.runs, epochs=options.epochs)
        # As if a runner and a worker were at it, so that none is started.
        with hold_lock(home.runner_lock), hold_lock(home.runs / run_id / "worker.lock"):
            print(f"{options.runs} runs of {options.epochs} epochs")
            lines, whole = timed(lambda: service.list_lines(home)), timed(lambda: service.list_runs(home))
            print(f"the list, first time     {1000 * lines():7.1f} ms")
            print(f"the list again           {1000 * statistics.median(lines() for _ in range(ROUNDS)):7.1f} ms")
            print(f"all of it, first time    {1000 * whole():7.1f} ms")
            print(f"all of it again          {1000 * statistics.median(whole() for _ in range(ROUNDS)):7.1f} ms")
            command = timed(lambda: in_a_new_process(home, "medpriv_core", "runs", "list"))
            print(f"the command again        {1000 * statistics.median(command() for _ in range(3)):7.1f} ms")
            print(in_a_new_process(home, "benchmarks.runs_list", "--page").stdout, end="")
            (home.root / LINES).unlink(missing_ok=True)
            print(f"the command, first time  {1000 * command():7.1f} ms")
            others = [f"run-{number:05d}" for number in range(min(ROUNDS, options.runs))]
            one = [timed(lambda run=run: service.load_run(home, run))() for run in others]  # type: ignore[misc]
            print(f"one run, first time      {1000 * statistics.median(one):7.1f} ms")
            print(f"one run again            {1000 * timed(lambda: service.load_run(home, others[-1]))():7.1f} ms")
            print(
                f"{options.tabs} tabs that watch a run {100 * watch(home, run_id, tabs=options.tabs):7.1f} % of a core"
            )


if __name__ == "__main__":
    main()
