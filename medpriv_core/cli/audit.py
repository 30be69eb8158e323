"""``audit``: attack the training loop, and see whether the epsilon that is claimed for it can be true."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from medpriv_core.cli.output import ProgressBar, print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.extras import require
from medpriv_core.privacy.measured import words_of
from medpriv_core.privacy.statement import dp_sgd_statement, format_delta, format_epsilon

if TYPE_CHECKING:
    from medpriv_core.training.audit.canaries import Audit

VIOLATION = 1

MISTAKES = {
    "noise": "the noise is divided by the batch size twice",
    "half_noise": "the noise has half its size",
    "no_noise": "no noise is added",
    "fixed_seed": "the noise follows from a seed that is in the program",
    "clipping": "gradients are clipped at 100 times the clipping norm",
    "divisor": "the noised sum is divided by how many records were drawn",
    "batch_norm": "features are standardised by the batch",
    "training_statistics": "features are standardised by statistics of the training set",
    "shuffling": "shuffled batches are counted as Poisson samples",
}

# What contradicted the claim, in words.
FINDERS = {
    "epsilon": "the attack's bound on ε",
    "mu": "the attack's bound on μ of one step",
    "self_test": "the self-test",
}


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "audit",
        help="attack DP-SGD with canaries, and try its steps one by one; exit code 1 if what is claimed cannot be true",
    )
    parser.add_argument("--broken", choices=MISTAKES, help="make this mistake on purpose, to see the audit find it")
    parser.add_argument("--engine", choices=["one_pass", "opacus"], default="one_pass", help="default one_pass")
    parser.add_argument(
        "--layers",
        choices=["head", "norms", "all"],
        default="head",
        help="which layers of the audit's small network learn (default head)",
    )
    parser.add_argument("--generator", choices=["fast", "secure"], default="fast", help="of the noise (default fast)")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda, cuda:N or mps (default cpu)")
    add_json_option(parser)
    parser.set_defaults(command=_audit)


def _audit(options: argparse.Namespace) -> int:
    require("train")
    from medpriv_core.training.audit.canaries import audit_loop  # torch comes with it

    with ProgressBar() as bar:
        audit = audit_loop(
            options.broken,
            engine=options.engine,
            layers=options.layers,
            generator=options.generator,
            device=options.device,
            progress=bar,
        )
    if options.json:
        print_json(audit.to_dict())
    else:
        _print(audit)
    return 0 if audit.consistent else VIOLATION


def _print(audit: Audit) -> None:
    if audit.mistake:
        say(f"Broken on purpose: {MISTAKES[audit.mistake]}.")
    claim = dp_sgd_statement(
        epsilon=audit.claimed_epsilon,
        delta=audit.delta,
        adjacency=audit.adjacency,
        sampling=audit.sampling,
        accountant=audit.accountant,
    )
    say(f"Loop: engine {audit.engine}, layers {audit.layers}, {audit.generator} noise, on {audit.device}")
    say(f"Claimed: {claim}")
    say(
        f"Attack: {audit.right} of {audit.guesses} guesses right about {audit.canaries} canaries, noise multiplier "
        f"{audit.noise_multiplier:g}, sampling rate {audit.sample_rate:.6g}, {audit.steps} steps"
    )
    delta = format_delta(audit.delta)
    say(f"Lower bound: ε > {audit.lower_bound:g} (δ = {delta}) with {audit.confidence:.1%} confidence")
    say(
        f"Of one step: a record that is drawn is told apart at μ > {audit.mu_lower_bound:.3f}, with a risk of 1 in "
        f"{1 / (1 - audit.mu_confidence):,.0f}; claimed is μ = {audit.claimed_mu:g}"
    )
    for name, finding in audit.measured.items():
        words = words_of(name, finding)
        say(f"Self-test, {name}: {'holds' if finding['holds'] else 'FAILED'}" + (f" ({words})" if words else ""))
    claimed = format_epsilon(audit.claimed_epsilon)
    if audit.consistent:
        say(f"Consistent: nothing contradicts ε = {claimed}. That is no proof; a better attack could find more.")
        return
    found = [words for finder, words in FINDERS.items() if finder in audit.found_by]
    missed = [words for finder, words in FINDERS.items() if finder not in audit.found_by]
    say(f"Found by {_listed(found, 'and')}" + (f"; not by {_listed(missed, 'or')}." if missed else "."))
    say(f"Violation: ε = {claimed} is not true of this loop; its runs must not claim it.")


def _listed(words: list[str], last: str) -> str:
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
