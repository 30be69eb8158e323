"""What waits for the second accountant is drawn again when the answer is there, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from medpriv_core.home import DataHome
from tests.browser.conftest import App, serve

pytestmark = pytest.mark.browser


@pytest.fixture
def app(home: DataHome) -> Iterator[App]:
    home.root.mkdir(parents=True)
    with serve(home, script="tests/browser/awaiting_app.py") as app:
        yield app


def test_a_list_that_is_open_stays_open_when_the_answer_comes(page: Page, app: App) -> None:
    page.goto(app.url)
    for place in ("above", "below"):
        expect(page.get_by_text(f"{place}: pending")).to_be_visible()
    page.get_by_role("combobox", name="A list").click()
    last = page.get_by_role("option", name="last")
    expect(last).to_be_visible()
    (app.home.root / "answer").touch()
    for place in ("above", "below"):
        expect(page.get_by_text(f"{place}: confirmed")).to_have_count(1)
        expect(page.get_by_text(f"{place}: pending")).to_have_count(0)
    expect(last).to_be_visible()
    expect(page.get_by_text("runs of the page: 1", exact=True)).to_be_visible()
    last.click()
    expect(page.get_by_text("runs of the page: 2", exact=True)).to_be_visible()
