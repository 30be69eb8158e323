"""``audit``: attack the training loop, and see whether the epsilon that is claimed for it can be true."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from medpriv_core.cli.output import ProgressBar, print_json
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.privacy.statement import dp_sgd_statement, format_delta, format_epsilon

if TYPE_CHECKING:
    from medpriv_core.training.audit.canaries import Audit

VIOLATION = 1

MISTAKES = {
    "noise": "the noise is divided by the batch size twice",
    "half_noise": "the noise has half its size",
    "clipping": "gradients are not clipped",
    "batch_norm": "features are standardised by the batch",
    "shuffling": "batches from a shuffled deck are counted as Poisson samples",
}


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "audit", help="attack DP-SGD with canaries: a lower bound on epsilon; exit code 1 if it exceeds the claim"
    )
    parser.add_argument("--broken", choices=MISTAKES, help="make this mistake on purpose, to see the audit find it")
    add_json_option(parser)
    parser.set_defaults(command=_audit)


def _audit(options: argparse.Namespace) -> int:
    from medpriv_core.training.audit.canaries import audit_loop  # torch comes with it

    with ProgressBar() as bar:
        audit = audit_loop(options.broken, progress=bar)
    if options.json:
        print_json(audit.to_dict())
    else:
        _print(audit)
    return 0 if audit.consistent else VIOLATION


def _print(audit: Audit) -> None:
    if audit.mistake:
        print(f"Broken on purpose: {MISTAKES[audit.mistake]}.")
    claim = dp_sgd_statement(
        epsilon=audit.claimed_epsilon,
        delta=audit.delta,
        adjacency=audit.adjacency,
        sampling=audit.sampling,
        accountant=audit.accountant,
    )
    print(f"Claimed: {claim}")
    print(
        f"Attack: {audit.right} of {audit.guesses} guesses right about {audit.canaries} canaries, noise multiplier "
        f"{audit.noise_multiplier:g}, sampling rate {audit.sample_rate:.6g}, {audit.steps} steps"
    )
    delta = format_delta(audit.delta)
    print(f"Lower bound: ε > {audit.lower_bound:g} (δ = {delta}) with {audit.confidence:.1%} confidence")
    print(
        f"Of one step: a record that is drawn is told apart at μ > {audit.mu_lower_bound:.3f}; claimed is μ = "
        f"{audit.claimed_mu:g}"
    )
    claimed = format_epsilon(audit.claimed_epsilon)
    if audit.consistent:
        print(
            f"Consistent: the attack leaves ε = {claimed} standing. That is no proof; a better attack could find more."
        )
    else:
        print(f"Violation: ε = {claimed} is not true of this loop; its runs must not claim it.")
