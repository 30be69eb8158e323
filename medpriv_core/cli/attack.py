"""``attack``: attacks that are really run, and what they find."""

from __future__ import annotations

from medpriv_core.cli import attack_invert, attack_membership
from medpriv_core.cli.parser import Commands


def add_to(commands: Commands) -> None:
    """Add the command and its attacks to the parser."""
    parser = commands.add_parser("attack", help="run an attack, and see what it finds")
    attacks = parser.add_subparsers(title="attacks", metavar="ATTACK", required=True)
    attack_membership.add_to(attacks)
    attack_invert.add_to(attacks)
