"""The command line as a function: arguments in, exit code and both streams out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from medpriv_core.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What one command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Command(Protocol):
    def __call__(self, *arguments: object) -> Answer: ...


class Refusal(Protocol):
    def __call__(self, *arguments: object) -> str: ...


@pytest.fixture
def medpriv(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leaving:  # argparse leaves like this after --help and --version
            code = int(leaving.code or 0)
        streams = capsys.readouterr()
        return Answer(code, streams.out, streams.err)

    return call


@pytest.fixture
def refused(medpriv: Command) -> Refusal:
    """Runs a command that must be refused, and returns the sentence without its "medpriv: "."""

    def call(*arguments: object) -> str:
        answer = medpriv(*arguments)
        assert answer.code == 2
        assert answer.out == ""
        (line,) = (line for line in answer.err.splitlines() if line not in ("Reading files",))
        assert line.startswith("medpriv: ")
        assert line.endswith(".")
        assert "Traceback" not in answer.err
        return line.removeprefix("medpriv: ")

    return call
