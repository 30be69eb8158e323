"""The documents as the app shows them: all of them are there, and their links lead on within the app."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from medpriv_core import documents
from medpriv_core.citation import PAPER_ARXIV, PAPER_AUTHORS, PAPER_TITLE, PAPER_YEAR, bibtex
from medpriv_core.documents import TITLES, document, documents_folder
from medpriv_core.errors import MedprivError

PROJECT = Path(__file__).resolve().parents[1]


def test_every_document_is_in_the_app_and_in_the_wheel() -> None:
    names = {file.stem for file in (PROJECT / "docs").glob("*.md")}
    wheel = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert set(TITLES) == names
    assert {place for place in wheel["force-include"] if place.startswith("docs/")} == {f"docs/{n}.md" for n in names}


@pytest.mark.parametrize("name", TITLES)
def test_every_link_of_a_document_leads_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)]*)\)", document(name, address="docs?document="))

    within = [target for target in targets if not target.startswith(("https://", "#"))]
    assert [target for target in within if target.partition("=")[2].partition("#")[0] not in TITLES] == []


def test_links_and_formulas_are_those_of_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "documents_folder", lambda: tmp_path)
    text = "# A\n<!-- no -->[b](paper.md#c), [d](notebooks/e.ipynb), [f](https://g.example) cost $1, `$2 [h](i.md)`.\n"
    (tmp_path / "utility.md").write_text(text, "utf-8")

    assert document("utility", address="docs?document=") == (
        "# A\n[b](docs?document=paper#c), d, [f](https://g.example) cost \\$1, `$2 [h](i.md)`.\n"
    )


@pytest.mark.parametrize("name", ["nothing", "../README", "reference.md", ""])
def test_no_other_file_is_shown(name: str) -> None:
    with pytest.raises(MedprivError, match="no document of this name"):
        document(name, address="")


def test_a_document_that_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "documents_folder", lambda: tmp_path)
    with pytest.raises(MedprivError, match=r"paper\.md of this medpriv is missing or damaged"):
        document("paper", address="")


def test_the_citation_is_that_of_the_file_for_other_programs() -> None:
    said = (PROJECT / "CITATION.cff").read_text("utf-8")

    assert all(f"family-names: {name.partition(', ')[0]}" in said for name in PAPER_AUTHORS)
    assert all(words in said for words in (PAPER_TITLE, f"year: {PAPER_YEAR}", PAPER_ARXIV))
    assert bibtex().count("{") == bibtex().count("}")
    assert documents_folder() == PROJECT / "docs"
