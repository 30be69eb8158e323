"""Turns a command line into one call, and every error into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import medpriv_core
from medpriv_core.cli.output import complain
from medpriv_core.cli.parser import Parser, check_texts
from medpriv_core.errors import MedprivError
from medpriv_core.progress import Cancelled

# The module of each command. Only that of the command that is given is loaded: all of them take a second.
MODULES = {
    "app": "app",
    "datasets": "datasets",
    "noise": "noise",
    "epsilon": "epsilon",
    "risk": "risk",
    "run": "run",
    "runs": "runs",
    "sweep": "sweep",
    "compare": "compare",
    "export": "export",
    "import": "export",
    "predict": "predict",
    "bench": "bench",
    "audit": "audit",
    "attack": "attack",
    "worker": "processes",
    "spare": "processes",
    "devices": "processes",
    "runner": "processes",
    "predictor": "processes",
    "job": "processes",
}

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    try:
        try:
            words = sys.argv[1:] if arguments is None else arguments
            options = build_parser(*words[:1]).parse_args(words)
            check_texts(options)
            return int(options.command(options) or 0)
        finally:
            # A closed pipe must show here: while Python shuts down nobody could catch it.
            sys.stdout.flush()
    except MedprivError as error:
        return _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, Cancelled):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough. What is still buffered must go somewhere.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.dup2(nowhere, sys.stderr.fileno())
        return 0
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        return _fail(f"The system refused a file or folder{place}: {error.strerror or error}. Check it.", BAD_INPUT)
    except MemoryError:
        return _fail("There is not enough memory for this. Take a smaller image or fewer of them.", FAILED)


def build_parser(command: str | None = None) -> Parser:
    """The parser with all commands; with those of one module alone, if ``command`` is one of them."""
    parser = Parser(
        prog="medpriv" if Path(sys.argv[0]).stem == "medpriv" else "python -m medpriv_core",
        description="Differential privacy on medical images: noise, epsilon, datasets and training runs.",
    )
    parser.add_argument("--version", action="version", version=f"medpriv {medpriv_core.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    modules = [MODULES[command]] if command in MODULES else dict.fromkeys(MODULES.values())
    for module in modules:
        import_module(f"medpriv_core.cli.{module}").add_to(commands)
    return parser


def _fail(sentence: str, code: int) -> int:
    complain(sentence)
    return code
