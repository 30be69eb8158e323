"""Help, version, and what is wrong with a command line itself."""

from __future__ import annotations

import argparse

import pytest

from medpriv_core import __version__
from medpriv_core.cli import datasets
from medpriv_core.cli.main import MODULES, build_parser
from medpriv_core.home import DataHome
from tests.cli.conftest import Command, Refusal


def _commands(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                found += _commands(below, (*path, name))
    return found


ALL = _commands(build_parser())


def test_the_promised_commands_are_there() -> None:
    promised = {("datasets", "add"), ("noise",), ("epsilon",), ("run",), ("runs", "list"), ("runs", "resume")}
    assert promised <= set(ALL)


def test_each_command_is_found_in_its_module_alone() -> None:
    assert set(MODULES) == {path[0] for path in ALL if path}
    for command, module in MODULES.items():
        found = {path[0] for path in _commands(build_parser(command)) if path}
        assert found == {name for name, place in MODULES.items() if place == module}


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_command_has_help(medpriv: Command, command: tuple[str, ...]) -> None:
    answer = medpriv(*command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert " ".join(("usage: python -m medpriv_core", *command)) in answer.out


def test_the_version(medpriv: Command) -> None:
    answer = medpriv("--version")
    assert (answer.code, answer.out) == (0, f"medpriv {__version__}\n")


EPSILON = ["epsilon", "--dataset-size", "500", "--batch-size", "50"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "The following arguments are required: COMMAND. See python -m medpriv_core --help."),
        (["nothing"], "Argument COMMAND: invalid choice: 'nothing'"),
        (["runs"], "required: ACTION. See python -m medpriv_core runs --help."),
        (["runs", "list", "--nothing"], "Unrecognized arguments: --nothing"),
        (["runs", "show"], "required: RUN"),
        (["datasets", "fetch", "chest_xray"], "invalid choice: 'chest_xray'"),
        (["datasets", "fetch", "pneumoniamnist", "--size", "30"], "invalid choice: 30"),
        ([*EPSILON, "--epochs", "1e3", "--noise-multiplier", "1"], "--epochs: must be a whole number, but is '1e3'."),
        ([*EPSILON, "--epochs", "3", "--noise-multiplier", "one"], "must be a number, but is 'one'."),
        ([*EPSILON, "--epochs", "3"], "one of the arguments --noise-multiplier --target-epsilon is required"),
        ([*EPSILON, "--epochs", "3", "--noise-multiplier", "1", "--target-epsilon", "1"], "not allowed with"),
        (["run", "--dataset", "synthetic_chest", "--method", "magic"], "--method: invalid choice: 'magic'"),
        (["run", "--dataset", "synthetic_chest", "--image-size", "big"], "--image-size: must be a whole number"),
    ],
)
def test_a_wrong_command_line_gets_one_sentence(
    refused: Refusal, home: DataHome, arguments: list[str], sentence: str
) -> None:
    said = refused(*arguments)
    assert sentence[1:] in said
    assert not home.root.exists()


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (OSError(5, "Input/output error", "/disk/file"), 2, "The system refused a file or folder (/disk/file): Input"),
        (MemoryError(), 1, "There is not enough memory"),
        (KeyboardInterrupt(), 130, None),
    ],
)
def test_what_the_system_refuses_is_said(
    medpriv: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, sentence: str | None
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(datasets.registry, "list_datasets", fail)
    answer = medpriv("datasets", "list")
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(f"medpriv: {sentence}" if sentence else "")
    assert answer.err.count("\n") == (1 if sentence else 0)
