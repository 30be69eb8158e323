"""A document cut into its sentences, and the table that says which test holds each of them.

The table is a TOML file with an entry for each sentence: ``says`` is the sentence, ``tests`` names the tests that
turn red when it stops being true, and ``because`` says why there is none, or what the tests leave open. A sentence
that is new or was changed has no entry, so whoever writes it has to say what holds it; an entry whose sentence is
gone is left over. To see what is missing, ready to be pasted, with the old entry that is nearest:

    python -m tests.documents.sentences
"""

from __future__ import annotations

import ast
import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENT = PROJECT / "docs" / "threat-model.md"
TABLE = Path(__file__).with_name("threat_model.toml")
# A full stop ends a sentence where something follows it; the one of a bold title ("**Labels.** They are ...") does not.
END = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][)”\"])\s+")
LIKE = 0.5  # from here on a sentence counts as another form of an old one
SHORTEST_REASON = 20  # characters


@dataclass(frozen=True)
class Entry:
    """What holds a sentence."""

    says: str
    tests: tuple[str, ...]
    because: str


def sentences(markdown: str) -> list[str]:
    """The sentences of a Markdown text in order, with single blanks; a row of a table is one, titles are none."""
    found: list[list[str]] = []  # the lines of a paragraph or of an item of a list; a row of a table alone
    rows = 0  # of the table under way
    fresh = True  # whether the next line begins a block
    for line in markdown.splitlines():
        rows = rows + 1 if line.startswith("|") else 0
        if rows:
            if rows > 2:  # below the heads of the columns and the line under them
                found.append([line])
            fresh = True
        elif not line.strip() or line.startswith("#"):
            fresh = True
        elif fresh or line.startswith("- "):
            found.append([line.removeprefix("- ")])
            fresh = False
        else:
            found[-1].append(line)
    return [sentence for lines in found for sentence in _parts(" ".join(" ".join(lines).split()))]


def _parts(text: str) -> list[str]:
    """The sentences of a paragraph; the cells of a row."""
    if text.startswith("|"):
        return [" | ".join(cell.strip() for cell in text.strip("|").split("|"))]
    return [part for part in END.split(text) if part]


def read_table(text: str) -> list[Entry]:
    """The entries of a table; raises ``ValueError`` for one that is not as described above."""
    return [_entry(values) for values in tomllib.loads(text).get("sentence", [])]


def _entry(values: Mapping[str, Any]) -> Entry:
    unknown = set(values) - {"says", "tests", "because"}
    if unknown or not values.get("says"):
        raise ValueError(f"An entry has says, tests and because, and nothing else: {dict(values)}")
    return Entry(values["says"], tuple(values.get("tests", ())), values.get("because", ""))


def complaints(found: Sequence[str], table: Sequence[Entry]) -> list[str]:
    """What is wrong between a document's sentences and the table, ready to be pasted where something is missing."""
    known = [entry.says for entry in table]
    gone = [says for says in known if says not in found]
    wrong = [_missing(sentence, gone, table) for sentence in found if sentence not in known]
    wrong += [f"# No sentence of the document any more; take its entry out: {says}" for says in gone]
    wrong += [f"# Two entries for one sentence: {says}" for says in sorted({s for s in known if known.count(s) > 1})]
    for entry in table:
        missing = [name for name in entry.tests if not is_test(name)]
        wrong += [f"# There is no test {name}, which is to hold: {entry.says}" for name in missing]
        if not entry.tests and len(entry.because) < SHORTEST_REASON:
            wrong.append(f"# Neither a test nor the reason why there is none: {entry.says}")
    return wrong


def _missing(sentence: str, gone: Sequence[str], table: Sequence[Entry]) -> str:
    """The entry to paste; what held a sentence like it is a comment, for somebody has to look whether it still does."""
    lines = ["[[sentence]]", f"says = {quoted(sentence)}", "tests = []", 'because = ""']
    for old in difflib.get_close_matches(sentence, gone, n=1, cutoff=LIKE):
        entry = next(one for one in table if one.says == old)
        lines += [f"# It said: {old}", *(f"# held by {quoted(name)}" for name in entry.tests)]
        lines += [f"# because {quoted(entry.because)}"] if entry.because else []
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A TOML string, which is written as JSON's."""
    return json.dumps(text, ensure_ascii=False)


def is_test(name: str) -> bool:
    """Whether pytest would collect "tests/x/test_y.py::test_z", and would not skip it whatever the machine is."""
    file, _, function = name.partition("::")
    path = Path(file)
    return path.parts[:1] == ("tests",) and path.name.startswith("test_") and function in _functions(PROJECT / path)


@cache
def _functions(file: Path) -> frozenset[str]:
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return frozenset(node.name for node in found if not any(map(_skips, node.decorator_list)))


def _skips(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call | ast.Attribute) and ast.unparse(decorator).startswith("pytest.mark.skip(")


def main() -> None:
    """Print what is missing and what is left over."""
    found = sentences(DOCUMENT.read_text(encoding="utf-8"))
    table = read_table(TABLE.read_text(encoding="utf-8"))
    wrong = complaints(found, table)
    print("\n".join(wrong) or f"{len(found)} sentences, each with its test or the reason why it has none.")


if __name__ == "__main__":
    main()
