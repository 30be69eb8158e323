"""Finds the commands that a text tells its reader to type, and asks the real parsers whether they exist.

Read are fenced and indented blocks, inline code, and prose: whatever holds ``python -m medpriv_core``, ``python -m
benchmarks.NAME``, ``medpriv``, ``make`` or ``pytest``; inline code that begins with the name of one of our commands
and goes on; and options that stand alone in inline code. A whole command must be accepted by its parser; one with a
hole in it (``ID``, ``…``, a value that is filled in later) must have the subcommands and options that it names.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from medpriv_core.cli.main import build_parser
from medpriv_core.errors import MedprivError

PROJECT = Path(__file__).resolve().parents[1]
BENCHMARKS = sorted(
    file.stem for file in (PROJECT / "benchmarks").glob("*.py") if "def main(" in file.read_text(encoding="utf-8")
)
# Options of other programs that our texts name.
FOREIGN_OPTIONS = {"--requirement", "--break-system-packages", "--extra-index-url"}
# What stands for a value that the reader has to fill in, as FilledIn does for one that the program fills in.
HOLE = re.compile(r"…|\.\.\.|<[^>]*>|\b[A-Z][A-Z_]+\b|\bFilledIn\b|^N$|^[A-Z]$")
NAMED = "(named)"
CALL = re.compile(r"python3? -m (medpriv_core|benchmarks\.\w+)(?![\w.])((?: [^`\n]*)?)")
# At most three words: a docstring's indented lines may be prose that begins with "make".
# The console command. In a block other text may begin with the program's name, so there only names of commands count.
INSTALLED = re.compile(r"^\s*(?:\$ )?medpriv ([a-z]+(?: [^`\n]*)?)$")
MAKE = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*make((?: [\w./=:-]+){0,3})\s*(?:#.*)?$")
PYTEST = re.compile(r"\bpytest ((?:[\w./:-]+ ?)+)")
CODE = re.compile(r"``([^`]+)``|(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")


def complaints(text: str) -> list[str]:
    """A sentence for each command in ``text`` that does not exist."""
    return [complaint for command in commands_in(text) if (complaint := complaint_about(*command)) is not None]


def commands_in(text: str) -> list[tuple[str, str]]:
    """Program and the rest of the line, of each command in a Markdown text or a docstring."""
    blocks, prose = _parted(re.sub(r"\\\n\s*", " ", text))
    found = [(program, _until_the_end(rest)) for line in blocks for program, rest in CALL.findall(line)]
    # In a sentence a command may be named without all that it needs.
    found += [(program, f"{_until_the_end(rest)} {NAMED}") for program, rest in CALL.findall(_joined(prose))]
    inline = _inline(prose)
    for line in [*blocks, *inline]:
        if (asked := INSTALLED.match(line)) is not None and (line in inline or asked[1].split()[0] in _own_names()):
            found.append(("medpriv_core", f"{_until_the_end(asked[1])} {NAMED if line in inline else ''}"))
        if (made := MAKE.match(line)) is not None:
            found.append(("make", (made.group(1) or "").strip()))
        if "python -m pytest" in line or line.lstrip().startswith("pytest"):
            found += [("pytest", part) for part in PYTEST.findall(line)]
    for code in inline:
        first, *others = code.split() or [""]
        if first in _own_names() and others:
            found.append(("medpriv_core", f"{code} {NAMED}"))
        elif re.fullmatch(r"--[a-z][\w.-]*", first):
            found.append(("option", first))
    return list(dict.fromkeys(found))


def complaint_about(program: str, rest: str) -> str | None:
    """What is wrong with one command; None where nothing is."""
    if program == "make":
        unknown = [word for word in rest.split() if "=" not in word and word not in make_targets()]
        return f"make {rest}: no such target: {', '.join(unknown)}" if unknown else None
    if program == "pytest":
        missing = [word for word in rest.split() if "/" in word and not (PROJECT / word.partition("::")[0]).exists()]
        return f"pytest {rest}: no such file: {', '.join(missing)}" if missing else None
    if program == "option":
        return None if rest in all_options() | FOREIGN_OPTIONS else f"{rest}: no command has this option"
    name = program.partition(".")[2]
    if HOLE.search(name):
        return None
    if program.startswith("benchmarks") and name not in BENCHMARKS:
        return f"python -m {program}: no such benchmark"
    parser = benchmark_parser(name) if name else product_parser()
    try:
        words = shlex.split(re.sub(r"[\[\]]", " ", rest), comments=True)
    except ValueError as error:
        return f"python -m {program} {rest}: {error}"
    named = NAMED in words
    words = [word for word in words if word != NAMED]
    whole = words and not any(HOLE.search(word) for word in words) and not {"--help", "--version"} & set(words)
    wrong = _unknown_in(parser, words) or (_refusal(parser, words) if whole else None)
    if wrong is None or (named and ("required: " in wrong or "expected one argument" in wrong)):
        return None
    return f"python -m {program} {' '.join(words)}: {wrong}"


def texts_of(file: Path) -> Iterator[str]:
    """All strings of a Python file, docstrings and help texts among them; of f-strings, ``FilledIn`` for each value."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "FilledIn"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


@cache
def product_parser() -> argparse.ArgumentParser:
    """The parser of all our commands, made once: it takes a hundredth of a second, and each word of the texts asks."""
    return build_parser()


@cache
def make_targets() -> frozenset[str]:
    """What ``make`` itself says it could make, of the files that lie in the project and of the others."""
    asked = ["make", "--print-data-base", "--question", "--no-builtin-rules", "--no-builtin-variables", "clean"]
    said = subprocess.run(asked, cwd=PROJECT, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"}).stdout
    return frozenset(re.findall(r"^([\w./-]+):(?![=:])", said[said.index("# Files") :], re.MULTILINE))


@cache
def benchmark_parser(name: str) -> argparse.ArgumentParser:
    """The parser that a benchmark makes for itself; it is stopped before it measures anything."""
    seen: list[argparse.ArgumentParser] = []

    class Seen(Exception):
        pass

    def stop(parser: argparse.ArgumentParser, *_arguments: Any, **_more: Any) -> None:
        seen.append(parser)
        raise Seen

    module = importlib.import_module(f"benchmarks.{name}")
    real, argparse.ArgumentParser.parse_args = argparse.ArgumentParser.parse_args, stop  # type: ignore[assignment]
    try:
        module.main()
    except Seen:
        pass
    finally:
        argparse.ArgumentParser.parse_args = real
    return seen[0]


@cache
def all_options() -> frozenset[str]:
    parsers, found = [product_parser(), *map(benchmark_parser, BENCHMARKS)], set()
    while parsers:
        parser = parsers.pop()
        found |= set(parser._option_string_actions)
        parsers += _subparsers(parser).values()
    return frozenset(found)


def _parted(text: str) -> tuple[list[str], str]:
    """The lines of fenced and indented blocks, and the rest."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE).splitlines()
    indented = [line for line in rest if line.startswith("    ")]
    blocks = [line for block in fenced for line in block.splitlines()] + indented
    return blocks, "\n".join(line for line in rest if not line.startswith("    "))


def _joined(text: str) -> str:
    """Inline code across a line's end is one line."""
    return CODE.sub(lambda code: code.group(0).replace("\n", " "), text)


def _until_the_end(rest: str) -> str:
    """The command without what a sentence goes on with."""
    rest = re.split(r"(?<=…)|\s{2,}#| # |``|[`\"'”;]|\)(?= |$)|(?<=[\w)])\.(?= |$)|,(?= )|: ", f"{rest} ")[0].strip()
    return rest.rstrip(".,:")


def _inline(text: str) -> list[str]:
    return [" ".join((double or single).split()) for double, single in CODE.findall(text)]


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found[0].choices) if found else {}


def _own_names() -> set[str]:
    return set(_subparsers(product_parser()))


def _refusal(parser: argparse.ArgumentParser, words: list[str]) -> str | None:
    try:
        parser.parse_args(words)
    except MedprivError as error:
        return str(error)
    except SystemExit:
        return "it is not accepted"
    return None


def _unknown_in(parser: argparse.ArgumentParser, words: list[str]) -> str | None:
    """The first subcommand, option or choice among ``words`` that does not exist."""
    left = list(words)
    while left:
        word = left.pop(0)
        if word.startswith("--"):
            name, _, value = word.partition("=")
            action = parser._option_string_actions.get(name)
            if action is None:
                return f"there is no option {name}"
            values = [value] if value else _values_of(action, left)
            if action.choices is not None and any(
                given not in map(str, action.choices) for given in values if not HOLE.search(given)
            ):
                return f"{name} cannot be {' '.join(values)}"
        elif _subparsers(parser) and not HOLE.search(word):
            if word not in _subparsers(parser):
                return f"there is no command {word}"
            parser = _subparsers(parser)[word]
    return None


def _values_of(action: argparse.Action, left: list[str]) -> list[str]:
    """Takes the values of an option from the words that are left."""
    count = 0 if action.nargs == 0 else 1 if action.nargs in (None, "?") else len(left)
    values: list[Any] = []
    while left and len(values) < count and not left[0].startswith("--"):
        values.append(left.pop(0))
    return values
