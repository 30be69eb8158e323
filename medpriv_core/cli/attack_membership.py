"""``attack membership``: who was in the training set of a run like this? Exit code 1 if more than ε allows is found."""

from __future__ import annotations

import argparse

from medpriv_core.attacks.membership_words import (
    NO_EXPORT,
    WHAT_IT_DOES_NOT_SAY,
    alarm_sentences,
    conditions,
    finding,
    found_by_sentence,
    table,
)
from medpriv_core.cli.output import ProgressBar, print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.errors import RunError
from medpriv_core.home import data_home
from medpriv_core.progress import Cancelled
from medpriv_core.records.membership import MembershipReport
from medpriv_core.runs.attacked import read_attack, start_attack

VIOLATION = 1


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "membership",
        help="train networks as the run was, and find out who was in their training; exit code 1 if it finds more "
        "than the guarantee allows",
    )
    parser.add_argument("run", metavar="RUN", help="a finished run, as shown by: runs list")
    parser.add_argument("--references", type=int, default=64, metavar="N", help="from 16 to 128 (default 64)")
    parser.add_argument(
        "--targets", type=int, default=8, metavar="N", help="networks that are attacked, from 1 to 32 (default 8)"
    )
    parser.add_argument("--seed", type=int, default=0, help="for who is in which network; not of the noise (default 0)")
    add_json_option(parser)
    parser.set_defaults(command=_attack)


def _attack(options: argparse.Namespace) -> int:
    home = data_home()
    job = start_attack(home, options.run, references=options.references, targets=options.targets, seed=options.seed)
    with ProgressBar() as bar:
        try:
            job.wait(progress=bar)
        except Cancelled:
            status = job.status()
            if status is None or "targets" not in status.result:
                raise
    report = read_attack(home, options.run)
    if report is None:
        raise RunError("The attack left no result. Start it again.")
    if options.json:
        print_json(report.to_dict())
    else:
        _print(report)
    return VIOLATION if report.alarm else 0


def _print(report: MembershipReport) -> None:
    say(finding(report))
    for sentence in alarm_sentences(report):
        say(f"ALARM: {sentence}")
    for row in table(report):
        told = [f"{heading} {words}" for heading, words in row.items() if words and heading != "attack"]
        say(f"  {row['attack']}: {', '.join(told)}")
    say(found_by_sentence(report))
    for sentence in (*conditions(report), WHAT_IT_DOES_NOT_SAY, NO_EXPORT):
        say(sentence)
