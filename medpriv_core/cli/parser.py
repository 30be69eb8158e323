"""The parser: argparse, except that its complaints are one sentence like every other error."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from medpriv_core.errors import SettingError
from medpriv_core.printable import is_storable

# Options whose texts are paths; others of them are turned into paths by the parser.
_PATHS = ("path", "weights")

# (sub)parsers as argparse hands them out; it gives that type no public name.
Commands = Any


class Parser(argparse.ArgumentParser):
    """Raises ``SettingError`` where argparse would print its usage and leave."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # "must be a whole number" instead of "invalid int value".
        self.register("type", int, _whole_number)
        self.register("type", float, _number)

    def error(self, message: str) -> NoReturn:
        """Called by argparse with what is wrong."""
        raise SettingError(f"{message[:1].upper()}{message[1:]}. See {self.prog} --help.")


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Give a command its ``--json``."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, but is {text!r}") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, but is {text!r}") from None


def check_texts(options: argparse.Namespace) -> None:
    """Raise ``SettingError`` for a text that is not UTF-8; names of files may be any bytes, and are left alone."""
    for name, value in vars(options).items():
        texts = value if isinstance(value, list | tuple) else [value]
        if name not in _PATHS and any(isinstance(text, str) and not is_storable(text) for text in texts):
            raise SettingError(f"What was given for {name} is no text in UTF-8. Give it in UTF-8.")
