"""``run``: queue one training run, watch it and print its result. Ctrl-C stops it."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import MISSING, fields
from typing import Any, get_args, get_type_hints

from medpriv_core.cli.output import Commands, ProgressBar, add_json_option, print_json
from medpriv_core.cli.runs import describe
from medpriv_core.home import DataHome, data_home
from medpriv_core.privacy.statement import dp_sgd_statement
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.service import Run
from medpriv_core.spec import RunSpec

WATCH_S = 0.2


def add_to(commands: Commands) -> None:
    """Add the command to the parser, with one option for each setting of a RunSpec."""
    parser = commands.add_parser("run", help="fine-tune ResNet-18 on a dataset, in the foreground")
    hints = get_type_hints(RunSpec)
    for field in fields(RunSpec):
        kinds = [kind for kind in get_args(hints[field.name]) if kind is not type(None)]
        choices = kinds if kinds and isinstance(kinds[0], str) else None
        kind: Any = str if choices else (kinds[0] if kinds else hints[field.name])
        flag = "--" + field.name.replace("_", "-")
        if field.default is MISSING:
            parser.add_argument(flag, required=True)
        elif kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default)
        else:
            text = f"default {field.default}" if field.default is not None else None
            parser.add_argument(flag, type=kind, choices=choices, default=field.default, help=text)
    add_json_option(parser)
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    home = data_home()
    spec = RunSpec(**{field.name: getattr(options, field.name) for field in fields(RunSpec)})
    run_id = service.submit(home, spec)
    print(f"Run {run_id}: {service.name_run(spec)}", file=sys.stderr)
    run = _watch(home, run_id)
    if options.json:
        print_json(describe(run))
    elif run.epochs:
        last = run.epochs[-1]
        print(f"{run.state} after epoch {last['epoch']}: test accuracy {last['test_accuracy']:.4f}")
        if "epsilon" in last:
            print(dp_sgd_statement(epsilon=last["epsilon"], delta=last["delta"]))
    if run.message:
        print(f"medpriv: {run.message}", file=sys.stderr)
    if run.state == "cancelled":
        return 130
    outcome = RunDirectory(home.runs / run_id).read_outcome() or {}
    return 0 if run.state == "finished" else int(outcome.get("exit_code", 1))


def _watch(home: DataHome, run_id: str) -> Run:
    bar = ProgressBar()
    stopping = False
    while True:
        try:
            run = service.load_run(home, run_id)
            if run.ended:
                bar.close()
                return run
            if run.progress:
                progress = run.progress
                bar(progress["phase"], progress["done"], progress["total"], progress["seconds_left"])
            time.sleep(WATCH_S)
        except KeyboardInterrupt:
            if stopping:
                raise
            stopping = True
            print("\nStopping; press Ctrl-C again to leave it to stop by itself.", file=sys.stderr)
            service.cancel(home, run_id)
