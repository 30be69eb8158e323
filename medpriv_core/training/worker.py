"""The process in which one run lives, from its ``spec.json`` to its ``outcome.json``.

What every job's process does alike (lock, stop, outcome, exit codes) stands in ``jobs.process``. A worker that dies
without an outcome was killed; its checkpoint lets another go on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medpriv_core.datasets.noised import noised_dataset
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.home import DataHome
from medpriv_core.jobs.process import EXIT_USER, START_PHASE, Reporter, log_line, run_job
from medpriv_core.leftovers import remove_leftovers
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.training.memory import keep_freed_memory

MEMORY = (
    "There was not enough memory for this run. Choose a smaller batch_size or image_size, train only the head, or take "
    "another device."
)


def run_worker(
    path: Path, home: DataHome, *, device: str | None = None, loaded: Callable[[], bool] = lambda: True
) -> int:
    """Train the run in the directory ``path`` until it ends; returns the exit code, as ``run_job``.

    ``device`` is the one that the launcher has chosen for it; None leaves it to the run's specification. The training
    begins when ``loaded`` says so, which is asked again and again.
    """
    directory = RunDirectory(path)
    if not directory.is_there:
        log_line(f"There is no run at {path} (no spec.json).")
        return EXIT_USER

    def work(report: Reporter) -> None:
        while not loaded():
            report(START_PHASE, 0, 1)
        _train(directory, home, report, device)

    return run_job(directory, work, memory=MEMORY)


def _train(directory: RunDirectory, home: DataHome, report: Reporter, device: str | None) -> None:
    spec = directory.read_spec()
    if device is not None:
        spec = spec.changed(device=device)
    remove_leftovers(home)
    directory.remove_half_written()
    keep_freed_memory(spec.engine)
    clean = prepare_dataset(home, spec.dataset, image_size=spec.image_size, progress=report, say=log_line)
    noised = None
    if spec.method == "local_dp":
        noised = noised_dataset(home, clean, spec.picture_noise, progress=report, say=log_line)
    report(START_PHASE, 0, 1)
    # Importing torch takes seconds: a broken picture need not wait for it, and a signal to stop can.
    from medpriv_core.training import loop
    from medpriv_core.training.data import TrainingData
    from medpriv_core.training.session import open_session

    session = open_session(spec, TrainingData(clean, noised), directory, home=home, progress=report)
    for remark in (session.remark, directory.read_setup().weights_doubt):
        if remark is not None:
            log_line(remark)
    try:
        loop.train(session, directory, report=report, log=log_line)
    finally:
        report.result |= loop.reached(session).to_dict()
