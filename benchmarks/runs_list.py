"""How long the list of runs takes to open, and what many tabs that watch one run cost.

Fills a data home of its own with finished runs and one that trains, as far as their files tell, and reports the time
of the first list in a process, of the next ones, of one run, and the processor time of tabs that ask for both every
second.

    python -m benchmarks.runs_list [--runs 500] [--epochs 50] [--tabs 20]

On a machine that was busy with something else meanwhile it says so and exits with 3.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.judged import judged
from medpriv_core.home import DataHome
from medpriv_core.locks import hold_lock
from medpriv_core.privacy.spent import Spent
from medpriv_core.quiet import timed
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spent_record import write_record
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec

SPEC = RunSpec(dataset="synthetic_chest", weights="none", method="dp_sgd", noise_multiplier=1.0)
WATCHED_S = 10.0
GRADES = ["none", "mild", "moderate", "severe", "proliferative"]
ROUNDS = 20


def epoch(number: int) -> dict[str, object]:
    """A finished epoch as a worker on graded images writes it: some 30 figures."""
    row: dict[str, object] = {"epoch": number, "train_accuracy": 0.7 + number / 1e4, "train_loss": 0.512345678}
    for name in ("accuracy", "loss", "balanced_accuracy", "auroc", "kappa", "calibration_error"):
        row |= {f"test_{name}": 0.8123456789, f"test_noised_{name}": 0.712345678901}
    for name in ("recall", "precision"):
        row |= {
            f"test_class_{name}": [0.123456789] * len(GRADES),
            f"test_noised_class_{name}": [0.987654321] * len(GRADES),
        }
    return row | {"epsilon": number / 7, "delta": 1e-5, "steps": 10 * number, "images_per_s": 812.3, "elapsed_s": 1.5}


def spent_of(epochs: int) -> Spent:
    """The record of a private network after so many epochs."""
    segment = {"noise_multiplier": 4.0, "sample_rate": 0.1, "steps": 10 * epochs}
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
        segments=(segment,),
        checkpoint="0" * 64,
    )


def fill(home: DataHome, *, runs: int, epochs: int) -> str:
    """Runs with all their files; returns the id of the one that trains, at whose lock somebody must be."""
    store = RunStore(home)
    for number in range(runs):
        directory = RunDirectory(home.runs / f"run-{number:05d}")
        directory.create(SPEC.changed(seed=number))
        directory.write_setup({"train_size": 640, "test_size": 160, "majority_rate": 0.6, "classes": GRADES})
        directory.append_epochs([epoch(count) for count in range(1, epochs + 1)])
        directory.checkpoint.write_bytes(b"")
        write_record(directory, spent_of(epochs))
        store.add(directory.path.name, name=f"run {number}", slot="cpu")
    rows = [replace(row, state="finished", ended_at=time.time()) for row in store.all()]
    for row in rows:
        with store.changing(row.id) as change:
            change.remove()
    store.insert([replace(row, state="running" if number == 0 else "finished") for number, row in enumerate(rows)])
    return rows[0].id


def read_options(description: str) -> argparse.Namespace:
    """How many runs of how many epochs lie in the store, and how many tabs watch."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--tabs", type=int, default=20)
    return parser.parse_args()


def watch(home: DataHome, run_id: str, *, tabs: int) -> float:
    """Share of one core that ``tabs`` tabs take, while the run finishes an epoch every second."""
    directory, stop = RunDirectory(home.runs / run_id), threading.Event()

    def tab() -> None:
        while not stop.wait(1.0):
            service.load_run(home, run_id)
            service.list_runs(home)

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


def main() -> None:
    """Print the figures."""
    options = read_options(__doc__ or "")
    with judged(), tempfile.TemporaryDirectory() as folder:
        home = DataHome(Path(folder) / "home")
        run_id = fill(home, runs=options.runs, epochs=options.epochs)
        # As if a runner and a worker were at it, so that none is started.
        with hold_lock(home.runner_lock), hold_lock(home.runs / run_id / "worker.lock"):
            print(f"{options.runs} runs of {options.epochs} epochs")
            print(f"the list, first time     {1000 * timed(lambda: service.list_runs(home))():7.1f} ms")
            again = [timed(lambda: service.list_runs(home))() for _ in range(ROUNDS)]
            print(f"the list again           {1000 * statistics.median(again):7.1f} ms")
            others = [f"run-{number:05d}" for number in range(min(ROUNDS, options.runs))]
            one = [timed(lambda run=run: service.load_run(home, run))() for run in others]  # type: ignore[misc]
            print(f"one run, first time      {1000 * statistics.median(one):7.1f} ms")
            print(f"one run again            {1000 * timed(lambda: service.load_run(home, others[-1]))():7.1f} ms")
            print(
                f"{options.tabs} tabs that watch a run {100 * watch(home, run_id, tabs=options.tabs):7.1f} % of a core"
            )


if __name__ == "__main__":
    main()
