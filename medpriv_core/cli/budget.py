"""``datasets budget`` and ``runs release``: what may be spent on the images of a dataset, and what was."""

from __future__ import annotations

import argparse
import math
from typing import Any

from medpriv_core.cli.output import print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.datasets import registry
from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import DatasetError, RunError, SettingError
from medpriv_core.home import DataHome, data_home
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.runs import service
from medpriv_core.runs.budget import BudgetState, budget_state, mark_released, set_budget
from medpriv_core.runs.image_ledger import ImageLedger, read_ledger
from medpriv_core.runs.on_images import WITHOUT_PRIVACY, all_runs


def add_budget_to(commands: Commands) -> None:
    """Add the action to those of ``datasets``."""
    parser = commands.add_parser("budget", help="what may be spent on the images of a dataset, and what was")
    parser.add_argument("name")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--epsilon", type=float, help="what all networks together may cost; runs beyond it are refused")
    change.add_argument("--remove", action="store_true", help="take the limit off")
    parser.add_argument("--delta", type=float, default=DEFAULT_DELTA, help=f"of that ε (default {DEFAULT_DELTA:g})")
    add_json_option(parser)
    parser.set_defaults(command=_budget)


def add_release_to(commands: Commands) -> None:
    """Add the action to those of ``runs``."""
    parser = commands.add_parser("release", help="note in the ledger of its images that a network was given away")
    parser.add_argument("id", metavar="RUN", help="as shown by: runs list")
    parser.add_argument("--undo", action="store_true", help="it was not given away after all")
    parser.set_defaults(command=_release)


def entry_of(home: DataHome, name: str) -> DatasetEntry:
    """The dataset of that name, which must be there."""
    registry.dataset_info(name)  # says which names there are
    entry = next(entry for entry in registry.list_datasets(home) if entry.info.name == name)
    if not entry.available:
        raise DatasetError(
            entry.problem or f"The dataset {name} has not been added yet. {entry.how_to_add or ''}".strip()
        )
    return entry


def _budget(options: argparse.Namespace) -> None:
    home = data_home()
    entry = entry_of(home, options.name)
    if not entry.info.trainable:
        raise SettingError(f"{entry.info.title} is a single image to look at, and nothing is spent on it.")
    if options.remove or options.epsilon is not None:
        set_budget(home, entry, epsilon=None if options.remove else options.epsilon, delta=options.delta)
    runs = all_runs(home)
    state, ledger = budget_state(home, entry, runs=runs), read_ledger(home, entry, runs)
    if options.json:
        print_json(_facts(state, ledger))
        return
    say(state.sentence)
    if state.copies:
        say(f"Of it, ε = {format_epsilon(state.copies)} for noised copies under Local-DP.")
    for line in ledger.lines:
        of = "" if line.delta is None or line.unit is None else f" (δ = {format_delta(line.delta)}; one {line.unit})"
        epsilon = "not known" if line.epsilon is None else format_epsilon(line.epsilon)
        given = f", given away on {line.released}" if line.released else ""
        say(f"{line.run}  ε = {epsilon}{of}  {line.state}{given}  {line.name or ''}".rstrip())
    if ledger.released is not None:
        say(f"Given away together: {ledger.released.statement}.")
    say(f"{WITHOUT_PRIVACY} What other data homes or programs spent on copies of these images is not known here.")


def _facts(state: BudgetState, ledger: ImageLedger) -> dict[str, Any]:
    budget = state.budget
    return {
        "epsilon": budget.epsilon if budget.limited else None,
        "delta": budget.delta,
        "unit": budget.unit,
        "spent": None if math.isinf(state.spent) else state.spent,
        "left": state.left if budget.limited else None,
        "networks": state.networks.networks,
        "networks_statement": state.networks.statement,
        "noised_copies": state.copies,
        "runs": [vars(line) for line in ledger.lines],
        "released_statement": ledger.released.statement if ledger.released else None,
    }


def _release(options: argparse.Namespace) -> None:
    home = data_home()
    run = service.load_run(home, options.id)
    if run.spec is None or run.spec.method != "dp_sgd":
        raise RunError(f"Run {run.id} is not under DP-SGD, so it takes no part in the ledger of its images.")
    entry = entry_of(home, run.spec.dataset)
    if run.setup.content not in (None, entry.content):
        raise RunError(
            f"Run {run.id} was trained on other images than those that lie under the name {run.spec.dataset} now, so "
            "their ledger does not know it."
        )
    mark_released(home, entry, run.id, released=not options.undo)
    said = "is no longer marked as given away" if options.undo else "is marked as given away"
    say(f"{run.id} {said} in the ledger of {entry.info.title}.")
