"""Parses the command line and turns errors into one sentence and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import medpriv_core
from medpriv_core.cli import datasets, epsilon, noise, processes, run, runs
from medpriv_core.errors import MedprivError
from medpriv_core.progress import Cancelled

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.command(options) or 0)
    except MedprivError as error:
        print(f"medpriv: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, Cancelled):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain again while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m medpriv_core",
        description="Differential privacy on medical images: noise, epsilon, datasets and training runs.",
    )
    parser.add_argument("--version", action="version", version=f"medpriv {medpriv_core.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (datasets, noise, epsilon, run, runs, processes):
        module.add_to(commands)
    return parser
