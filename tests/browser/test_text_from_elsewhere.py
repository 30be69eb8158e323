"""Text from elsewhere in a real browser: shown as it is, and nothing is asked for that it names."""

from __future__ import annotations

import json
import re
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from medpriv_core.home import DataHome
from medpriv_core.runs.imports import import_run
from medpriv_core.shown_text import for_terminal
from tests.browser.conftest import App
from tests.browser.text_app import LABELS, NAMES, TEXTS
from tests.hostile_text import ELSEWHERE, HTML, MARKDOWN
from tests.runs.archives import members, zipped

pytestmark = pytest.mark.browser
SERVER_MS = 120_000
JOINER = "\u2060"
# The elements below a place, in order, and its text.
LOOK = """([prefix, count]) => Array.from({length: count}, (_, number) => {
    const place = document.querySelector(`.st-key-${prefix}_${number}`);
    return {tags: [...place.querySelectorAll('*')].map(one => one.tagName + (one.getAttribute('href') ?? '')),
            text: place.textContent};
})"""


@pytest.fixture
def text_page(page: Page) -> Page:
    """The page of ``text_app``, drawn to its end."""
    return page


@pytest.fixture
def app(request: pytest.FixtureRequest, home: DataHome) -> Iterator[App]:
    """The app, or the page of texts for the tests that ask for that."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        app = App(home, free.getsockname()[1])
    if "text_page" in request.fixturenames:
        app.script = "tests/browser/text_app.py"
    app.start()
    yield app
    app.kill()


def as_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", for_terminal(text)).replace(JOINER, "").strip()


def seen(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace(JOINER, "")).strip()


def test_every_text_is_shown_as_it_is(text_page: Page, app: App) -> None:
    text_page.goto(app.url)
    expect(text_page.get_by_text("all is drawn")).to_be_visible(timeout=SERVER_MS)
    expect(text_page.locator(".legendtext")).to_have_count(len(NAMES), timeout=SERVER_MS)
    found = text_page.evaluate(LOOK, ["text", len(TEXTS)])
    for text, look in zip(TEXTS, found, strict=True):
        line = as_one_line(text)
        assert look["tags"] == found[0]["tags"], ascii(text)
        assert seen(look["text"]).count(line) >= 6, ascii(text)
        assert len(seen(look["text"]).replace(" ", "")) == len(seen(found[0]["text"]).replace(" ", "")) + 6 * (
            len(line.replace(" ", "")) - 1
        ), ascii(text)
    labels = text_page.evaluate(LOOK, ["label", len(LABELS)])
    for text, look in zip(LABELS, labels, strict=True):
        assert look["tags"] == labels[0]["tags"], ascii(text)
        assert seen(look["text"]) == as_one_line(text), ascii(text)
    chart = text_page.locator(".js-plotly-plot")
    assert [seen(text) for text in chart.locator(".legendtext").all_text_contents()] == list(map(as_one_line, NAMES))
    assert [seen(text) for text in chart.locator(".annotation-text").all_text_contents()] == list(
        map(as_one_line, NAMES)
    )
    assert seen(chart.locator(".gtitle").text_content() or "") == as_one_line(HTML[0])
    assert chart.locator("svg a").count() == 0
    assert text_page.locator("[data-testid=stMain] :is(a[href], img, .katex)").count() == 0


def bring_in(home: DataHome, tmp_path: Path) -> str:
    """A run from elsewhere whose every name is hostile."""
    files = members()
    setup = json.loads(files["setup.json"]) | {"classes": [MARKDOWN[0], HTML[0]], "device": MARKDOWN[1]}
    setup |= {"weights": MARKDOWN[0], "weights_doubt": MARKDOWN[0]}
    labels = {"name": f"{HTML[0]} {MARKDOWN[0]}", "tags": ["![x](//127.0.0.1:9/y)", "=1+1"], "notes": MARKDOWN[0]}
    changed = {"setup.json": json.dumps(setup).encode(), "labels.json": json.dumps(labels).encode()}
    return import_run(home, zipped(files | changed))


def test_the_app_asks_for_nothing_that_a_name_or_an_address_says(
    page: Page, app: App, home: DataHome, tmp_path: Path
) -> None:
    # ``page`` fails the test if anything is asked for elsewhere.
    run_id = bring_in(home, tmp_path)
    for query in (f"run={quote(MARKDOWN[0])}", f"runs={quote('# Log in again,' + MARKDOWN[1])}", f"run={run_id}"):
        page.goto(f"{app.url}/runs?{query}&hide={quote(MARKDOWN[0])}&figure={quote(HTML[0])}")
        expect(page.get_by_text("All runs", exact=True)).to_be_visible(timeout=SERVER_MS)
        main = page.get_by_test_id("stMain")
        expect(main.locator("svg a, h1:has-text('Log in')")).to_have_count(0)
        assert not [link for link in main.locator("a[href]").all() if ELSEWHERE in (link.get_attribute("href") or "")]
    expect(page.locator(".legendtext").first).to_be_visible(timeout=SERVER_MS)
    page.goto(f"{app.url}/datasets")
    archive = tmp_path / "images.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(f"train/NORMAL/{MARKDOWN[0].replace('/', '_')}.jpeg", b"no picture")
    field = page.get_by_role("textbox", name="Path on this computer").first
    field.fill(str(archive))
    field.press("Enter")
    page.get_by_role("button", name="Add", exact=True).first.click()
    expect(page.get_by_test_id("stAlert").first).to_be_visible(timeout=SERVER_MS)
    assert page.locator("[data-testid=stAlert] img").count() == 0
