"""Names that are escape sequences, forged lines or formulas: the command line prints them as text."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import pytest

from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.runs.imports import import_run
from medpriv_core.shown_text import for_terminal
from tests.cli.conftest import Answer, Command
from tests.exports.runs import put_run
from tests.hostile_text import TERMINAL
from tests.runs.archives import RUN_ID, members, zipped

FORGED = "x\nmedpriv: all is well\rSpent: ε = 0.1\x1b[1A\x1b]8;;http://127.0.0.1:9\x1b\\\x9b2J\u202e"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


@pytest.fixture
def run_id(home: DataHome) -> str:
    """A finished run whose name, tag and notes are hostile."""
    put_run(home)
    service.rename(home, RUN_ID, FORGED)
    service.set_tags(home, RUN_ID, [FORGED[:40]])
    service.set_notes(home, RUN_ID, FORGED, expected="first\nsecond")
    return RUN_ID


def only_text(answer: Answer) -> str:
    """Both streams of a command, in which there is nothing that a terminal obeys but its own line ends."""
    said = answer.out + answer.err
    assert not OBEYED.search(said), ascii(said)
    assert not any(line.startswith(("medpriv: all", "Spent: ε = 0.1")) for line in said.splitlines())
    return said


@pytest.mark.parametrize(
    "command",
    [["list"], ["list", "--json"], ["show"], ["show", "--json"], ["log"], ["delete"], ["resume"], ["stop"]],
    ids=" ".join,
)
def test_a_name_is_printed_as_text(medpriv: Command, run_id: str, command: list[str]) -> None:
    said = only_text(medpriv("runs", command[0], *([] if command[0] == "list" else [run_id]), *command[1:]))
    assert "127.0.0.1:9" in said or command[0] not in ("list", "show")


def test_a_new_name_is_repeated_as_text(medpriv: Command, run_id: str) -> None:
    for text in TERMINAL[:-1]:  # half a surrogate pair is no argument of a terminal
        answer = medpriv("runs", "rename", run_id, f"a{text}b")
        assert len(answer.out.splitlines()) == 1
        only_text(answer)


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs", "show", FORGED],
        ["sweep", "show", FORGED],
        ["datasets", "show", FORGED],
        ["datasets", "add", "chest_xray", FORGED],
        ["datasets", "add", FORGED, "x"],
        ["noise", FORGED, "--beta", "1", "--output", "o.png"],
        ["noise", "x.png", "--beta", FORGED, "--output", "o.png"],
        ["noise", "x.png", "--beta", "1", "--output", FORGED],
        ["export", "run", FORGED],
        ["import", FORGED],
        ["compare", FORGED],
        [FORGED],
    ],
    ids=lambda arguments: " ".join(arguments[:2]) if arguments[0] != FORGED else "command",
)
def test_an_error_that_repeats_an_argument_is_one_line_of_text(
    medpriv: Command, home: DataHome, arguments: list[str]
) -> None:
    answer = medpriv(*arguments)
    assert answer.code in (1, 2)
    (line,) = answer.err.splitlines()
    assert line.startswith("medpriv: ")
    only_text(answer)


def test_a_table_printed_to_the_terminal_has_neither_formulas_nor_commands(medpriv: Command, home: DataHome) -> None:
    files = members()
    rows = [json.loads(line) | {"=HYPERLINK(1)": 0.5} for line in files["metrics.jsonl"].splitlines()]
    files["metrics.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
    files["labels.json"] = json.dumps({"name": "@SUM(A1)", "tags": ["a;=1+1"], "notes": "-1\n=1\u202e"}).encode()
    import_run(home, zipped(files))
    for options in ([], ["--epochs"]):
        said = only_text(medpriv("export", "csv", *options))
        for line in csv.reader(io.StringIO(said)):
            assert not [cell for cell in line if re.match(r"\s*[=@]|.*[;\n]\s*[=@]", cell)]


def test_what_is_written_beside_a_run_is_text(medpriv: Command, home: DataHome, tmp_path: Path) -> None:
    put_run(home, classes=[FORGED, "<b>[k](http://127.0.0.1:9)"])
    service.rename(home, RUN_ID, FORGED)
    assert medpriv("export", "run", RUN_ID, "--output", tmp_path / "run.zip").code == 0
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        card = archive.read("model_card.md").decode()
        assert archive.read("accuracy.svg").count(b"</svg>") == 1
    assert not OBEYED.search(card)
    assert r"\<b\>\[k\](http:" in card
    assert "](http" not in card.replace("\\](http", "")
    assert card.startswith(f"# {for_terminal('x medpriv: all is well')}")
