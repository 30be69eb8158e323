"""The documents and the glossary in the app, and the foot of every page that leads there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core import __version__
from medpriv_core.documents import TITLES
from pages.parts.explore.glossary import TERMS
from tests.pages.conftest import texts

OPEN = ("explore", "train", "sweep", "runs", "compare", "datasets", "docs")


@pytest.mark.parametrize("name", OPEN)
def test_the_foot_of_every_page_says_paper_and_version(open_page: Callable[..., AppTest], name: str) -> None:
    page = open_page(name)

    assert f"medpriv {__version__}, after Singh, Sikka, Kotti and Trask 2020 (arXiv 2005.13099)" in texts(page)
    labels = [each.proto.label for each in page.get("page_link")]
    assert {"Glossary", "Threat model", "The paper and its claims"} <= set(labels)
    assert "eprint        = {2005.13099}" in page.code[-1].value


@pytest.mark.parametrize("name", TITLES)
def test_a_document_is_shown_by_its_name_in_the_address(open_page: Callable[..., AppTest], name: str) -> None:
    page = open_page("docs", document=name)

    assert not page.exception
    assert not page.error
    assert page.markdown[0].value.lstrip().startswith("# ")
    assert page.query_params["document"] == name


@pytest.mark.parametrize("name", [{}, {"document": "<script>alert(1)</script>"}, {"document": "../../etc/passwd"}])
def test_without_a_known_name_it_is_the_glossary_with_all_terms(
    open_page: Callable[..., AppTest], name: dict[str, str]
) -> None:
    page = open_page("docs", **name)

    assert page.title[0].value == "Glossary"
    assert [each.value for each in page.markdown] == list(TERMS.values())
    assert page.query_params["document"] == "glossary"
