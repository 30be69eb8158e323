"""``statement``: on standard output, as files, and of two runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medpriv_core.home import DataHome
from tests.cli.conftest import Command, Refusal
from tests.exports.runs import PRIVATE, RUN_ID, put_run

OTHER = "20260102-030405-eeee"


def test_text_and_json(medpriv: Command, home: DataHome) -> None:
    put_run(home, PRIVATE)

    assert "Promised by people" in medpriv("statement", RUN_ID).out
    assert medpriv("statement", RUN_ID, "--recipient", "A clinic", "--json").json["recipient"] == "A clinic"


@pytest.mark.parametrize("suffix", ["html", "json", "yaml"])
def test_files(medpriv: Command, home: DataHome, tmp_path: Path, suffix: str) -> None:
    put_run(home, PRIVATE)
    file = tmp_path / f"statement.{suffix}"

    assert medpriv("statement", RUN_ID, "--output", file, "--purpose", "Teaching & research").code == 0

    assert "Teaching" in file.read_text(encoding="utf-8")


def test_two_runs(medpriv: Command, home: DataHome, tmp_path: Path) -> None:
    put_run(home, PRIVATE)
    put_run(home, PRIVATE.changed(noise_multiplier=2.0), run_id=OTHER)
    file = tmp_path / "both.json"

    assert medpriv("statement", RUN_ID, OTHER, "--output", file).code == 0
    assert json.loads(file.read_text())["runs"] == [RUN_ID, OTHER]
    assert "ε with δ" in medpriv("statement", RUN_ID, OTHER).out


def test_another_ending_is_refused(refused: Refusal, home: DataHome, tmp_path: Path) -> None:
    put_run(home, PRIVATE)

    assert ".html, .json or .yaml" in refused("statement", RUN_ID, "--output", tmp_path / "statement.pdf")
