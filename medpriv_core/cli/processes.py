"""``worker``, ``spare``, ``devices``, ``runner``, ``predictor``, ``job``: the processes behind the app."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

from medpriv_core.cli.output import say
from medpriv_core.cli.parser import Commands
from medpriv_core.errors import DiskFullError, RunError
from medpriv_core.extras import require
from medpriv_core.home import data_home
from medpriv_core.jobs.process import do_job
from medpriv_core.runs.runner import run_runner
from medpriv_core.shown_text import ForTerminal


def add_to(commands: Commands) -> None:
    """Add the commands to the parser."""
    worker = commands.add_parser("worker", help="train the run in one run directory (started by the runner)")
    worker.add_argument("directory", type=Path)
    worker.add_argument("--device", help="the device that the launcher has chosen, in the place of the run's setting")
    worker.set_defaults(command=_worker)
    spare = commands.add_parser("spare", help="wait for a run, with PyTorch loaded, and be its worker (by the runner)")
    spare.set_defaults(command=_spare)
    devices = commands.add_parser("devices", help="how many CUDA devices PyTorch sees (asked by the runner)")
    devices.set_defaults(command=_devices)
    runner = commands.add_parser("runner", help="take runs off the queue until there are none (started by the app)")
    runner.set_defaults(command=_runner)
    predictor = commands.add_parser("predictor", help="answer what networks say of images (started by the app)")
    predictor.set_defaults(command=_predictor)
    job = commands.add_parser("job", help="do the job in one folder (started by the app and by commands)")
    job.add_argument("folder", type=Path)
    job.set_defaults(command=_job)


def _worker(options: argparse.Namespace) -> int:
    require("train")
    from medpriv_core.training.worker import run_worker  # torch comes with it

    return run_worker(options.directory, data_home(), device=options.device)


def _spare(_options: argparse.Namespace) -> int:
    require("train")
    from medpriv_core.training.waiting import wait_for_order  # torch comes with it, in a while

    return wait_for_order(data_home())


def _devices(_options: argparse.Namespace) -> None:
    require("train")
    from medpriv_core.training.device import count_cuda_devices  # torch comes with it

    say(str(count_cuda_devices()))


def _runner(_options: argparse.Namespace) -> None:
    home = data_home()
    with contextlib.suppress(DiskFullError):  # it looks after the workers, and waits for room with the rest
        home.check_writable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(ForTerminal())
    # Ended politely, the runner must release its lock; its workers go on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if not run_runner(home):
        raise RunError(f"Another runner looks after the runs in {home.root} already; there is nothing to do here.")


def _predictor(_options: argparse.Namespace) -> None:
    require("train")
    # Whatever some library prints must not get between the replies.
    # Without buffers: the end of a picture would lie in one.
    with (
        os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as requests,
        os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0) as replies,
    ):
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        from medpriv_core.training.prediction_server import serve_predictions  # torch comes with it

        serve_predictions(requests, replies)


def _job(options: argparse.Namespace) -> int:
    return do_job(options.folder, data_home())
