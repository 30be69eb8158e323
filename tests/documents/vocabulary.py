"""The sentences that people read, and the table of words in CONTRIBUTING.md that says which words they do not hold.

Read are the string constants of pages, of their scripts and of the program that are sentences or titles (docstrings are
for those who read the source, keys and names for programs), and the prose of the documents. Code, commands, links and
names of icons are no prose. To see what is said where:

    python -m tests.documents.vocabulary WORD
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
TABLE = PROJECT / "CONTRIBUTING.md"
HEAD = "| say | not | where |"
SOURCES = ("app.py", "pages", "medpriv_core")
# Statements for a database, style sheets and programs handed to another process are no sentences.
NO_SENTENCE = re.compile(r"\s*(?:(?:SELECT|DELETE|INSERT|UPDATE|ALTER|CREATE|WITH|PRAGMA)\b|<style>|import \w+, )")
NO_PROSE = re.compile(
    r"```.*?```|^(?: {4}|\t)[^\n]*$|`[^`\n]*`|\]\([^)]*\)|https?://\S+|:material/\w+:|(?<=\s)--[\w-]+"
    r"|python -m medpriv_core(?: [\w.{}…-]+)*",
    re.DOTALL | re.MULTILINE,
)
IN_HTML = re.compile(r">([^<>]+)<|(?:title|aria-label)=\"([^\"]*)\"")
# A comment, passed over, or a string of a script; what it fills in is ``${...}``.
IN_SCRIPT = re.compile(r"//[^\n]*|([\"'`])((?:\\.|(?!\1)[^\\])*?)\1")
FILLED_IN_SCRIPT = re.compile(r"\$\{[^}]*\}")
# Values in files and addresses that look like words.
VALUES = frozenset({"own picture", "Take away", "ε of the picture"})
FILLED_IN = "…"  # stands for what a sentence has filled in


@dataclass(frozen=True)
class Row:
    """One line of the table: the word that won, those that lost, and whether only pages are looked at."""

    say: str
    losers: tuple[str, ...]
    where: str

    def patterns(self) -> dict[str, re.Pattern[str]]:
        """What each loser looks like in a sentence: in any case, and in the plural."""
        return {loser: pattern(loser) for loser in self.losers}


def pattern(loser: str) -> re.Pattern[str]:
    """A word of the table as an expression: ``*`` stands for further letters, 95 for any number.

    >>> bool(pattern("delete*").search("It is deleted.")), bool(pattern("delete*").search("deleted_at"))
    (True, False)
    """
    words = re.escape(loser).replace(r"\*", "[a-z]*").replace("95", rf"(?:\d+|{FILLED_IN})").replace(r"\ ", r"\s+")
    return re.compile(rf"(?<![\w-]){words}{'s?' if loser[-1].isalpha() else ''}(?!\w)", re.IGNORECASE)


def table() -> list[Row]:
    """The rows of the table in CONTRIBUTING.md; the losers stand in code, so that the document does not hold them."""
    lines = TABLE.read_text("utf-8").partition(HEAD)[2].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]
    return [Row(say, tuple(re.findall(r"`([^`]+)`", losers)), where) for say, losers, where in rows]


def shown(*, pages_only: bool = False) -> Iterator[tuple[str, str]]:
    """Every sentence with its place: "pages/train.py:12"."""
    folders = ("app.py", "pages") if pages_only else SOURCES
    for folder in folders:
        place = PROJECT / folder
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            for line, text in sentences_of(file.read_text("utf-8")):
                yield f"{file.relative_to(PROJECT).as_posix()}:{line}", prose(text)
    for file in sorted((PROJECT / "pages").rglob("*.html")):
        yield file.relative_to(PROJECT).as_posix(), " ".join(map("".join, IN_HTML.findall(file.read_text("utf-8"))))
    for file in sorted((PROJECT / "pages").rglob("*.js")):
        for line, text in sentences_of_script(file.read_text("utf-8")):
            yield f"{file.relative_to(PROJECT).as_posix()}:{line}", text
    if not pages_only:
        for file in [*sorted(PROJECT.glob("*.md")), *sorted(PROJECT.glob("docs/*.md"))]:
            yield file.relative_to(PROJECT).as_posix(), prose(file.read_text("utf-8"))
        for file in sorted(PROJECT.glob("docs/notebooks/*.ipynb")):
            cells = json.loads(file.read_text("utf-8"))["cells"]
            said = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
            yield file.relative_to(PROJECT).as_posix(), prose(said)


def sentences_of(source: str) -> Iterator[tuple[int, str]]:
    """The string constants of a module that people read, each with its line; what is filled in is a ``…``."""
    tree = ast.parse(source)
    passed = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    passed |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in passed:
            continue
        text = ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else FILLED_IN for part in node.values]
            text = "".join(map(str, parts))
        if isinstance(node, ast.expr) and is_sentence(text):
            yield node.lineno, text


def sentences_of_script(source: str) -> Iterator[tuple[int, str]]:
    """The strings of a JavaScript module that people read, each with its line."""
    for found in IN_SCRIPT.finditer(source):
        text = FILLED_IN_SCRIPT.sub(FILLED_IN, found[2] or "")
        if is_sentence(text):
            yield source.count("\n", 0, found.start()) + 1, text


def is_sentence(text: str) -> bool:
    """Whether people read it: several words, or a title of one. Names and keys are for programs."""
    return (" " in text.strip() or re.match(r"[A-Z][a-z]", text) is not None) and not (
        NO_SENTENCE.match(text) or text in VALUES
    )


def prose(text: str) -> str:
    """The text without code, commands, addresses and icons."""
    return NO_PROSE.sub(" ", text)


if __name__ == "__main__":
    for place, text in shown():
        for found in pattern(" ".join(sys.argv[1:])).finditer(text):
            around = text[max(0, found.start() - 50) : found.end() + 50]
            sys.stdout.write(f"{place}: {' '.join(around.split())}\n")
