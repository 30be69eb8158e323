"""``statement``: the privacy statement of a run for a data-protection officer, or where those of two runs differ."""

from __future__ import annotations

import argparse
from pathlib import Path

from medpriv_core.atomic import atomic_file
from medpriv_core.cli.output import print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.home import data_home


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("statement", help="one page on a run for a data-protection officer")
    parser.add_argument("id", metavar="RUN", help="as shown by: runs list")
    parser.add_argument("other", metavar="OTHER", nargs="?", help="another run: only where the two statements differ")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="its name ends in .html, .json or .yaml; default: text here"
    )
    parser.add_argument("--recipient", metavar="TEXT", help="who gets the network; default: a blank line")
    parser.add_argument("--purpose", metavar="TEXT", help="what for; default: a blank line")
    parser.add_argument("--retention", metavar="TEXT", help="how long it is kept; default: a blank line")
    parser.add_argument(
        "--with-attack-figures",
        action="store_true",
        help="also what an attack on this run counted, which ε does not cover",
    )
    add_json_option(parser)
    parser.set_defaults(command=_statement)


def _statement(options: argparse.Namespace) -> None:
    # scipy comes with it.
    from medpriv_core.exports.privacy_statement import Blanks, as_json, differences, read_statement
    from medpriv_core.exports.privacy_statement_files import (
        check_suffix,
        comparison_file,
        comparison_json,
        statement_file,
        statement_text,
        suffix_of,
    )

    home, file = data_home(), options.output
    if file is not None:  # before anything is computed
        check_suffix(suffix_of(file))
    blanks = Blanks(options.recipient, options.purpose, options.retention)
    figures = options.with_attack_figures
    first = read_statement(home, options.id, blanks=blanks, with_attack_figures=figures)
    second = (
        None
        if options.other is None
        else read_statement(home, options.other, blanks=blanks, with_attack_figures=figures)
    )
    if file is not None:
        suffix = suffix_of(file)
        text = statement_file(first, suffix) if second is None else comparison_file(first, second, suffix)
        with atomic_file(file, private=False) as opened:
            opened.write(text.encode())
    if options.json:
        print_json(as_json(first) if second is None else comparison_json(first, second))
    elif file is not None:
        say(f"Written: {file}")
    elif second is None:
        say(*statement_text(first))
    else:
        found = differences(first, second)
        for one in found:
            say(one.label, f"  {first.run}: {one.first or 'not in this one'}", f"  {second.run}: {one.second or '-'}")
        if not found:
            say("The two statements say the same.")
