"""``attack``: attacks on one's own runs, each a command of its own."""

from __future__ import annotations

from medpriv_core.cli import attack_membership
from medpriv_core.cli.parser import Commands


def add_to(commands: Commands) -> None:
    """Add the commands to the parser."""
    parser = commands.add_parser("attack", help="attack your own run, to see what it gives away")
    subcommands = parser.add_subparsers(title="attacks", metavar="ATTACK", required=True)
    attack_membership.add_to(subcommands)
