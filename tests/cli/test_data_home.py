"""A data home that is no folder, cannot be made, or is full: every command that needs it says so."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from medpriv_core import home as home_module
from medpriv_core.home import DataHome
from tests.cli.conftest import Command, Refusal
from tests.datasets.builders import write_npz

WRITING = [
    ["datasets", "add", "pneumoniamnist", "FILE"],
    ["datasets", "remove", "pneumoniamnist"],
    ["datasets", "fetch", "pneumoniamnist", "--base-url", "http://127.0.0.1:9"],
    ["run", "--dataset", "synthetic_chest", "--weights", "none"],
    ["runner"],
]
READING = [["datasets", "list"], ["runs", "list"], ["runs", "show", "x"], ["runs", "stop", "x"], ["runs", "log", "x"]]


@pytest.fixture
def npz(tmp_path: Path) -> str:
    return str(write_npz(tmp_path / "p.npz"))


def _fill_in(arguments: list[str], npz: str) -> list[str]:
    return [npz if argument == "FILE" else argument for argument in arguments]


@pytest.mark.parametrize("below", ["", "home"])
@pytest.mark.parametrize("arguments", READING + WRITING, ids=" ".join)
def test_a_file_where_the_home_should_be(
    refused: Refusal, tmp_path: Path, npz: str, monkeypatch: pytest.MonkeyPatch, below: str, arguments: list[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    monkeypatch.setenv("MEDPRIV_HOME", str(file / below))
    said = refused(*_fill_in(arguments, npz))
    assert said.startswith(str(file))
    assert "is not a folder. Point MEDPRIV_HOME to a folder that you can write to." in said
    assert file.read_text() == "precious"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody can make anything")
@pytest.mark.parametrize("arguments", WRITING, ids=" ".join)
def test_a_home_that_cannot_be_made(
    refused: Refusal, npz: str, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("MEDPRIV_HOME", "/proc/medpriv")
    said = refused(*_fill_in(arguments, npz))
    assert said.startswith("The folder /proc/medpriv")
    assert "cannot be made. Point MEDPRIV_HOME to a folder that you can write to." in said


@pytest.mark.parametrize("arguments", WRITING, ids=" ".join)
def test_a_home_with_an_impossible_name(
    refused: Refusal, tmp_path: Path, npz: str, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("MEDPRIV_HOME", str(tmp_path / ("x" * 300)))
    assert "cannot be made. Point MEDPRIV_HOME" in refused(*_fill_in(arguments, npz))


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "is full. Free some space there, or point MEDPRIV_HOME to another disk, and try again."),
        (errno.EROFS, "medpriv may not write to"),
        (errno.EACCES, "medpriv may not write to"),
    ],
)
@pytest.mark.parametrize("arguments", [WRITING[0], WRITING[3]], ids=" ".join)
def test_a_full_or_read_only_home(
    refused: Refusal,
    medpriv: Command,
    home: DataHome,
    npz: str,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    number: int,
    sentence: str,
) -> None:
    home.root.mkdir()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "refused")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", refuse)
        disk.setattr(home_module.os, "replace", refuse)
        assert sentence in refused(*_fill_in(arguments, npz))
    assert medpriv("runs", "list", "--json").json == {"runs": []}
    assert not home.registry.exists()


def test_looking_at_a_home_that_is_not_there_makes_nothing(medpriv: Command, home: DataHome) -> None:
    for arguments in (["datasets", "list"], ["runs", "list"]):
        assert medpriv(*arguments).code == 0
    assert not home.root.exists()
