"""``runs``: list, look at, stop and resume training runs."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from medpriv_core.cli.output import Commands, add_json_option, print_json
from medpriv_core.home import data_home
from medpriv_core.runs import service
from medpriv_core.runs.service import Run


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
        action.add_argument("id")
        if name == "show":
            add_json_option(action)
        action.set_defaults(command=command)


def describe(run: Run) -> dict[str, Any]:
    """One run as JSON: names of the fields are those of the run directory."""
    return asdict(run) | {"spec": run.spec.to_dict() if run.spec else None}


def _list(options: argparse.Namespace) -> None:
    runs = service.list_runs(data_home())
    if options.json:
        print_json({"runs": [describe(run) for run in runs]})
        return
    if not runs:
        print("No runs yet. Start one with: python -m medpriv_core run --dataset synthetic_chest")
    for run in runs:
        last = run.epochs[-1] if run.epochs else {}
        accuracy = f"test accuracy {last['test_accuracy']:.3f}" if last else "no epoch yet"
        print(f"{run.id}  {run.state:9}  epoch {last.get('epoch', 0):>3}  {accuracy}  {run.name}")
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
    for row in run.epochs:
        epsilon = f"  ε {row['epsilon']:.3g} (δ {row['delta']:g})" if "epsilon" in row else ""
        print(
            f"epoch {row['epoch']:>3}  train accuracy {row['train_accuracy']:.3f}  "
            f"test accuracy {row['test_accuracy']:.3f}{epsilon}"
        )


def _log(options: argparse.Namespace) -> None:
    print(service.read_log(data_home(), options.id))


def _stop(options: argparse.Namespace) -> None:
    service.cancel(data_home(), options.id)
    print(f"Stopping {options.id}. Its checkpoint is kept; resume goes on from there.")


def _resume(options: argparse.Namespace) -> None:
    service.resume(data_home(), options.id)
    print(f"{options.id} is in the queue again.")
