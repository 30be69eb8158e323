"""Some hundred hostile inputs at every door; ``python -m benchmarks.fuzz --cases 10000`` tries ten thousand."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import fuzz
from benchmarks.fuzz import KINDS, MOST_MEMORY_MB, Result, Summary, kind_of, numbers_of, try_numbers
from benchmarks.fuzzing.addresses import names
from benchmarks.fuzzing.mutations import HOSTILE, RAW, damage, damage_json, hostile_text
from benchmarks.fuzzing.subject import Case, Fault, command, complaint_about, seeded, try_case
from benchmarks.fuzzing.uploads import decode_here
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome

CASES = {"uploads": 60, "zips": 25, "runs": 6, "imports": 20, "addresses": 3, "arguments": 24}
ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and resource limits")
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_input_ends_in_a_result_or_a_sentence(kind: str, tmp_path: Path) -> None:
    words = ["--fork", "--failures", str(tmp_path / "failures"), "--kinds", kind, "--cases", str(CASES[kind])]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    words = run.stdout.split()
    results, sentences = (int(words[words.index(name) - 1].replace(",", "")) for name in ("results,", "sentences,"))
    assert results + sentences == CASES[kind]
    # Damage of both kinds is among the cases: that which shows, and that which does not. A page ends in no sentence.
    assert min(results, sentences) >= 2 or kind == "addresses"


def test_cases_of_all_kinds_take_turns_and_keep_their_number_whatever_is_chosen() -> None:
    every = {number for kind in KINDS for number in numbers_of(kind, cases=60, kinds=KINDS)}
    assert every == set(range(60))
    alone = numbers_of("zips", cases=10, kinds=["zips"])
    assert len(alone) == 10
    assert {kind_of(number) for number in alone} == {"zips"}


@pytest.mark.parametrize("change", [damage, damage_json])
def test_damage_follows_from_the_number_of_the_case_alone(change: Any) -> None:
    data = json.dumps({"epochs": 3, "beta": None, "weights": [1.0, 2.5], "name": "x"}).encode()
    first = [change(data, seeded(7, number), [b"PK\x03\x04 other"]) for number in range(200)]
    assert first == [change(data, seeded(7, number), [b"PK\x03\x04 other"]) for number in range(200)]
    assert first != [change(data, seeded(8, number), [b"PK\x03\x04 other"]) for number in range(200)]
    assert sum(changed == data for changed in first) < 20
    assert len(set(first)) > 100


def test_json_is_changed_into_json_that_readers_have_to_refuse_by_its_kinds() -> None:
    data = json.dumps({"epochs": 3, "classes": ["a", "b"], "guarantee": {"steps": 10}}).encode()
    made = [damage_json(data, seeded(0, number)) for number in range(2000)]
    for raw in ("many digits", "beyond", "deep", "nan", "half a letter"):
        assert any(RAW[raw].encode() in text for text in made), raw
    parsed = []
    for text in made:
        try:
            parsed.append(json.loads(text))
        except (ValueError, RecursionError):
            continue
    assert len(parsed) > 1000
    assert {type(value.get("epochs")) for value in parsed if isinstance(value, dict)} >= {
        int,
        str,
        list,
        dict,
        bool,
        float,
    }


def test_a_file_of_lines_is_changed_in_one_line() -> None:
    data = b'{"epoch": 1}\n{"epoch": 2}\n{"epoch": 3}\n'
    made = [damage_json(data, seeded(0, number)) for number in range(200)]
    assert sum(text.count(b"\n") == 3 for text in made) > 80


def test_hostile_texts_are_drawn_and_joined() -> None:
    drawn = {hostile_text(random.Random(number)) for number in range(3000)}
    assert set(HOSTILE) <= drawn
    assert len(drawn) > len(HOSTILE) + 100


def test_the_names_in_addresses_are_those_of_the_pages() -> None:
    assert {"run", "runs", "dataset", "beta", "mechanism", "sources", "tags", "hide", "smooth", "view"} <= set(names())


class Pretended:
    """A door that does with a case what the test wants."""

    canaries: Sequence[str] = ("Zaphodson",)

    def __init__(self, act: Any) -> None:
        self.act = act

    def make(self, rng: random.Random) -> Case:
        return Case("a case")

    def attempt(self, case: Case) -> None:
        self.act()


def refuse(sentence: str) -> Any:
    def act() -> None:
        raise MedprivError(sentence)

    return act


def stumble() -> None:
    raise KeyError("epoch")


def find_fault() -> None:
    raise Fault("The others are not listed.")


def ask_outside() -> None:
    import socket

    try:
        socket.getaddrinfo("example.org", 443)
    except OSError:
        raise MedprivError("There is no network.") from None


@pytest.mark.parametrize(
    ("act", "outcome", "said"),
    [
        (lambda: None, "result", ""),
        (refuse("This file is damaged. Choose another."), "sentence", "damaged"),
        (stumble, "failure", "KeyError: 'epoch'"),
        (find_fault, "failure", "The others are not listed."),
        (decode_here, "failure", "decoded in the process of the app"),
        (ask_outside, "failure", "It asked for the address of 'example.org'"),
        (refuse("The scan of Zaphodson is damaged."), "failure", "repeats 'Zaphodson' of a header"),
        (refuse("This file is damaged"), "failure", "without its end"),
        (refuse("x " * 1000 + "."), "failure", "A sentence of 2,001 characters"),
    ],
)
def test_what_comes_of_a_case_is_told_from_what_must_not(act: Any, outcome: str, said: str) -> None:
    subject = Pretended(act)
    tried = try_case(subject, subject.make(seeded(0, 0)))
    assert tried.outcome == outcome
    assert said in tried.detail


def test_a_sentence_with_a_command_for_the_terminal_is_none() -> None:
    assert complaint_about("Run \x1b[2J is gone.") is not None
    assert complaint_about("Run \\x1b[2J is gone.") is None


def test_a_command_line_ends_with_its_output_or_its_sentence(
    home: DataHome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "No runs yet" in command("runs", "list")
    with pytest.raises(MedprivError, match="There is no run x"):
        command("runs", "show", "x")
    with pytest.raises(Fault, match="ended with 2"):
        command("runs", "show", "x", codes=(0,))
    assert capsys.readouterr().out == ""


def process(body: str) -> list[str]:
    """A process in the place of the one that tries the cases."""
    start = "import json, os, sys, time\nnumbers = sys.stdin.read().split()\nprint('ready', flush=True)\n"
    say = "def say(n): print(json.dumps({'number': int(n), 'outcome': 'result'}), flush=True)\n"
    return [sys.executable, "-S", "-c", f"{start}{say}for n in numbers:\n    {body}"]


def test_a_case_that_ends_its_process_is_a_failure_and_the_others_are_tried() -> None:
    results = list(try_numbers(process("os._exit(7) if n == '2' else say(n)"), [1, 2, 3]))
    assert [(result.number, result.outcome) for result in results] == [(1, "result"), (2, "failure"), (3, "result")]
    assert "exit code 7" in results[1].detail


def test_a_case_that_takes_too_long_is_a_failure_and_the_others_are_tried() -> None:
    results = list(try_numbers(process("time.sleep(600) if n == '2' else say(n)"), [1, 2, 3], limit_s=2.0))
    assert [(result.number, result.outcome) for result in results] == [(1, "result"), (2, "failure"), (3, "result")]
    assert "took longer than 2 s" in results[1].detail


def test_a_process_that_does_not_start_is_said() -> None:
    with pytest.raises(SystemExit, match="did not start"):
        list(try_numbers([sys.executable, "-S", "-c", ""], [1]))


def test_a_failure_is_kept_with_the_command_that_makes_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = argparse.Namespace(failures=str(tmp_path), seed=5)
    fuzz.keep(Result(7, "failure", "It broke.", "a case"), "zips", options)
    kept = json.loads((tmp_path / "5-7" / "failure.json").read_text())
    assert (kept["kind"], kept["detail"]) == ("zips", "It broke.")
    assert kept["again"] == "python -m benchmarks.fuzz --only 5:7"
    assert kept["again"] in capsys.readouterr().out


def test_one_case_can_be_tried_alone(tmp_path: Path) -> None:
    number = next(number for number in range(20) if kind_of(number) == "imports")
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz", "--only", f"3:{number}", "--failures", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("imports: run as a zip")


def test_the_summary_counts_and_notices_too_much_memory() -> None:
    summary = Summary("zips")
    for result in (Result(1, "result", peak_mb=100.0), Result(2, "sentence", "No.", seconds=2.5), Result(3, "failure")):
        summary.add(result)
    said = "zips 3 cases: 1 results, 1 sentences, 1 failures; slowest 2.5 s, 100 MB"
    assert " ".join(str(summary).split()) == said
    assert [result.number for result in summary.failures] == [3]
    assert not summary.too_much_memory
    summary.add(Result(4, "result", peak_mb=MOST_MEMORY_MB + 1))
    assert summary.too_much_memory
