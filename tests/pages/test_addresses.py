"""Addresses of an older version, foreign and hostile: a page shows what it knows, or what it shows without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import texts

PAGES = ("explore", "train", "sweep", "runs", "compare", "risk", "datasets", "docs")
# All names that a page reads, and some that none does.
NAMES = (
    "about", "about_risk", "axes", "batch", "beta", "by", "channels", "compare", "copies", "dataset", "delta",
    "document", "epoch", "epochs", "epsilon", "image", "images", "learned", "measure", "mechanism", "n", "notebooks",
    "of", "prior", "question", "rate", "run", "runs", "sampling", "show", "sigma", "size", "sources", "tags", "unit",
    "utm_source", "view",
)  # fmt: skip
HOSTILE = {
    "html": "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "markdown": "](https://stranger.example) ![x](https://stranger.example/x.png) :red[x] $x$ # x",
    "path": "../../../../etc/passwd\x00",
    "number": "1e999",
    "nan": "nan",
    "long": "9" * 5000,
    "letters": "\u202e\u0000\ud7ff٣٤",
    "nothing": "",
}


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", PAGES)
def test_a_hostile_address_shows_a_sentence_or_what_is_shown_without_it(
    open_page: Callable[..., AppTest], name: str, value: str
) -> None:
    page = open_page(name, **dict.fromkeys(NAMES, HOSTILE[value]))

    assert not page.exception
    said = texts(page)
    assert "Something went wrong inside medpriv" not in said
    assert "Traceback" not in said
    assert not [each for each in ("<img src=x", "<script>", "](https://stranger.example") if each in said]
    assert page.title or page.markdown


def test_the_titles_of_an_older_version_are_understood(open_page: Callable[..., AppTest]) -> None:
    page = open_page("explore", size="64", question="Take away", by="ε of the picture", epsilon="8")

    assert "*demonstration*" in texts(page)
    assert (page.query_params["question"], page.query_params["by"]) == ("take", "epsilon")


def test_names_that_no_page_knows_stay_out_of_what_it_says(open_page: Callable[..., AppTest]) -> None:
    page = open_page("compare", utm_source="newsletter", figure="figure_9")

    assert not page.exception
    assert "newsletter" not in texts(page)
