"""``epsilon``: what a DP-SGD run spends, or which noise multiplier a wanted epsilon needs."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from medpriv_core.cli.output import print_json
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.errors import SettingError
from medpriv_core.privacy import dp_sgd
from medpriv_core.privacy.plan import plan_dp_sgd
from medpriv_core.privacy.statement import dp_sgd_statement
from medpriv_core.spec import check_bound

MAX_DATASET_SIZE = 10**9


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("epsilon", help="epsilon of a DP-SGD run, or the noise it needs")
    parser.add_argument("--dataset-size", type=int, required=True, help="number of training records")
    parser.add_argument("--batch-size", type=int, required=True, help="expected records a step")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--delta", type=float, default=1e-5)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--noise-multiplier", type=float, help="noise standard deviation / clipping norm")
    given.add_argument("--target-epsilon", type=float, help="solve for the noise multiplier")
    add_json_option(parser)
    parser.set_defaults(command=_epsilon)


def _epsilon(options: argparse.Namespace) -> None:
    if not 1 <= options.dataset_size <= MAX_DATASET_SIZE:
        raise SettingError(f"dataset_size must be between 1 and {MAX_DATASET_SIZE}, but is {options.dataset_size}.")
    check_bound("batch_size", options.batch_size)
    check_bound("epochs", options.epochs)
    check_bound("delta", options.delta)
    plan = plan_dp_sgd(
        train_size=options.dataset_size,
        batch_size=options.batch_size,
        epochs=options.epochs,
        delta=options.delta,
        noise_multiplier=options.noise_multiplier,
        target_epsilon=options.target_epsilon,
    )
    if options.json:
        print_json(
            asdict(plan) | {"accountant": dp_sgd.ACCOUNTANT, "sampling": dp_sgd.SAMPLING, "adjacency": dp_sgd.ADJACENCY}
        )
        return
    print(dp_sgd_statement(epsilon=plan.epsilon, delta=plan.delta))
    print(f"noise multiplier {plan.noise_multiplier:g}, sampling rate {plan.sample_rate:.6g}, {plan.steps} steps")
    if options.delta >= 1 / options.dataset_size:
        print("Warning: delta is not below 1/n, which is too weak to call a guarantee.")
