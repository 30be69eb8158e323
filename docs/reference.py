"""Makes docs/reference.md: the public interface from its docstrings, and the commands from their options.

    python -m docs.reference

What stands above the mark in that file is written by hand and stays. A test compares the rest with what is made here.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import medpriv_core
from medpriv_core.cli.main import build_parser
from medpriv_core.mechanisms.catalog import MECHANISMS
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.spec import SETTINGS, RunSpec

PAGE = Path(__file__).with_name("reference.md")
MARK = "<!-- From here on made by: python -m docs.reference -->\n"
GROUPS = {
    "Datasets": ("list_datasets", "add_dataset", "load_dataset"),
    "Noise on images": ("picture_noise", "noise_picture"),
    "DP-SGD before it runs": ("plan_dp_sgd", "plan_run"),
    "Runs": ("RunSpec", "submit_run", "wait_for_run", "stop_run", "list_runs", "load_run"),
    "What came of them": ("epoch_table", "run_guarantee", "compare_runs", "export_run"),
    "Errors": ("MedprivError",),
}
SECTIONS = ("Args:", "Returns:", "Raises:")
# Started by the program itself.
INTERNAL = ("worker", "runner", "predictor", "weights")


def reference() -> str:
    """All that stands below the mark."""
    lines = "\n".join([*_interface(), *_mechanisms(), *_commands()])
    return re.sub(r"\n{3,}", "\n\n", lines)


def _interface() -> Iterator[str]:
    assert sorted(name for names in GROUPS.values() for name in names) == medpriv_core.__all__
    for title, names in GROUPS.items():
        yield f"\n## {title}"
        for name in names:
            yield from _entry(name, getattr(medpriv_core, name))


def _entry(name: str, value: Any) -> Iterator[str]:
    yield f"\n### `{name}`\n"
    if inspect.isfunction(value):
        yield f"```python\n{name}{_signature(value)}\n```\n"
    values = {name: f" One of: {', '.join(map(str, one.options))}." for name, one in SETTINGS.items() if one.options}
    yield from _described(inspect.getdoc(value) or "", values if value is RunSpec else {})


def _signature(function: Any) -> str:
    """A parameter a line. By hand, because each version of Python writes them in its own way."""
    signature = inspect.signature(function)
    stars: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    lines, named = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not named:
            named = True
            lines.append("    *,")
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        kind = re.sub(r"\bPlace\b", "str | Path", parameter.annotation)
        lines.append(f"    {stars.get(parameter.kind, '')}{parameter.name}: {kind}{default},")
    return "\n".join(["(", *lines, f") -> {signature.return_annotation}"])


def _described(text: str, values: Mapping[str, str]) -> Iterator[str]:
    """A docstring as Markdown: paragraphs, and what stands under ``Args:`` and ``Raises:`` as a list.

    ``values`` has a sentence on the values of some arguments.
    """
    section = ""
    for block in re.split(r"\n\s*\n", text):
        lines = block.splitlines()
        if lines[0] in SECTIONS:
            section = lines.pop(0)
            yield f"**{section[:-1]}**\n"
        if section in ("Args:", "Raises:") and lines and lines[0].startswith("    "):
            for item in re.split(r"\n    (?=\S)", "\n" + "\n".join(lines))[1:]:
                key, _, said = " ".join(item.split()).partition(": ")
                yield f"- `{key}`: {_code(said)}{values.get(key, '')}"
        else:
            yield _code(" ".join(" ".join(lines).split()))
        yield ""


def _code(text: str) -> str:
    return text.replace("``", "`")


def _mechanisms() -> Iterator[str]:
    yield "\n## Mechanisms\n\nThe names that `picture_noise` takes.\n"
    yield "| name | what it is | formula | β is the | besides |\n| --- | --- | --- | --- | --- |"
    for kind in MECHANISMS.values():
        yield f"| `{kind.name}` | {kind.title} | `{kind.formula}` | {kind.beta_term} | {_besides(kind)} |"


def _besides(kind: type[PictureNoise]) -> str:
    return ", ".join(
        f"`{name}` ({one.low} to {one.high}, usually {one.default})" for name, one in kind.parameters().items()
    )


def _commands() -> Iterator[str]:
    yield "\n## Commands\n\n`medpriv`, or `python -m medpriv_core`. Each has `--help`.\n"
    for words, parser in _parsers(build_parser(), ("medpriv",)):
        yield f"\n### `{' '.join(words)}`\n"
        if parser.description:
            yield f"{_cell(parser.description)}\n"
        for action in parser._actions:
            if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
                yield f"- `{_option(action)}`{': ' if action.help else ''}{_cell(action.help or '')}"


def _parsers(
    parser: argparse.ArgumentParser, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every command that does something, with the words that call it."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        yield words, parser
    for action in inner:
        said = {choice.dest: choice.help for choice in action._choices_actions}
        for name, below in action.choices.items():
            if name not in INTERNAL:
                below.description = below.description or said.get(name)
                yield from _parsers(below, (*words, name))


def _option(action: argparse.Action) -> str:
    called = ", ".join(action.option_strings)
    if action.nargs == 0:
        return called
    choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices is not None else ""
    metavar = action.metavar if isinstance(action.metavar, str) else choices or action.dest.upper()
    return f"{called} {metavar}".strip()


def _cell(text: str) -> str:
    return " ".join(text.replace("%%", "%").split())


def main() -> None:
    """Write the page anew below its mark."""
    head, _, _ = PAGE.read_text("utf-8").partition(MARK)
    PAGE.write_text(head + MARK + reference() + "\n", "utf-8")


if __name__ == "__main__":
    main()
