"""``runs``: list, look at, stop and resume training runs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from medpriv_core.cli.output import print_json
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.home import data_home
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.runs import service
from medpriv_core.runs.directory import epsilon_spent
from medpriv_core.runs.service import RunSummary

# Figures of an epoch as they are shown, in this order, where there are any.
ACCURACIES = {
    "train_accuracy": "train accuracy",
    "test_accuracy": "test accuracy",
    "test_noised_accuracy": "on noised test images",
}


def add_to(commands: Commands) -> None:
    """Add the commands to the parser."""
    parser = commands.add_parser("runs", help="list, show, stop and resume training runs")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every run, the newest first")
    add_json_option(listing)
    listing.set_defaults(command=_list)
    for name, command, text in (
        ("show", _show, "one run with its settings and every epoch"),
        ("log", _log, "the last lines that the worker printed"),
        ("stop", _stop, "stop a run; its checkpoint is kept"),
        ("resume", _resume, "go on with a stopped or failed run"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("id", metavar="RUN", help="as shown by: runs list")
        if name == "show":
            add_json_option(action)
        action.set_defaults(command=command)


def describe(run: RunSummary) -> dict[str, Any]:
    """One run as JSON: names of the fields are those of the run directory."""
    return asdict(run) | {"spec": run.spec.to_dict() if run.spec else None}


def epoch_in_words(row: Mapping[str, Any]) -> str:
    """One finished epoch on one line: accuracies, and epsilon where there is one."""
    parts = [f"epoch {row['epoch']:>3}"]
    # An epoch of empty Poisson batches has seen no training image, so it has no training accuracy.
    parts += [f"{name} {row[key]:.3f}" for key, name in ACCURACIES.items() if row.get(key) is not None]
    if (epsilon := epsilon_spent(row)) is not None:
        parts.append(f"ε {format_epsilon(epsilon)} (δ {format_delta(row['delta'])})")
    return "  ".join(parts)


def _list(options: argparse.Namespace) -> None:
    runs = service.list_runs(data_home())
    if options.json:
        print_json({"runs": [describe(run) for run in runs]})
        return
    if not runs:
        print("No runs yet. Start one with: python -m medpriv_core run --dataset synthetic_chest")
    for run in runs:
        last = run.last
        reached = f"epoch {last['epoch']:>4}, test accuracy {last['test_accuracy']:.3f}" if last else "no epoch yet"
        print(f"{run.id}  {run.state:9}  {reached}  {run.name}")
        if run.message:
            print(f"    {run.message}")


def _show(options: argparse.Namespace) -> None:
    run = service.load_run(data_home(), options.id)
    if options.json:
        print_json(describe(run))
        return
    print(f"{run.id}  {run.state}  {run.name}")
    if run.message:
        print(run.message)
    if run.spec:
        print("  ".join(f"{name} {value}" for name, value in run.spec.to_dict().items() if value is not None))
    for row in run.epochs:
        print(epoch_in_words(row))


def _log(options: argparse.Namespace) -> None:
    print(service.read_log(data_home(), options.id) or "The worker of this run has printed nothing yet.")


def _stop(options: argparse.Namespace) -> None:
    service.cancel(data_home(), options.id)
    print(f"Stopping {options.id}. To go on from where it was: python -m medpriv_core runs resume {options.id}")


def _resume(options: argparse.Namespace) -> None:
    service.resume(data_home(), options.id)
    print(f"{options.id} is in the queue again.")
