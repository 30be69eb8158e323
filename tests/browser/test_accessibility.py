"""What all pages are to those who see little, use no mouse, or hear them read: contrast, names, headings, width."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect

from benchmarks import pages
from tests.browser.conftest import PATIENCE_S, SIZE, App, new_tab
from tests.exports.runs import put_run

pytestmark = pytest.mark.browser
CONTRAST = Path(__file__).with_name("contrast.js").read_text("utf-8")
PAGES = (*pages.PAGES, "docs?document=threat-model")
HEADINGS = "() => [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(each => Number(each.tagName[1]))"
# All that the keyboard reaches by going on from the beginning, up to the first control of the page.
RINGED = """() => { const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== "none"; }"""


def open_page(page: Page, app: App, path: str) -> None:
    page.goto(f"{app.url}/{pages.ADDRESSES.get(path, path)}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("after Singh, Sikka, Kotti and Trask")).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def faint_in(tab: Page, path: str) -> list[str]:
    """What is too faint once nothing is drawn anew: Streamlit shows what is about to be replaced paler meanwhile."""
    if path == "explore":  # the last that comes, counted aside
        expect(tab.get_by_text("Patient found among 100?")).to_be_visible()
    with suppress(TimeoutError):
        tab.wait_for_function(f"() => ({CONTRAST})().length === 0", polling=500, timeout=10_000)
    return tab.evaluate(CONTRAST)


def test_pages_open_without_jumping_and_can_be_read_in_order(browser: Browser, app: App) -> None:
    tab = new_tab(browser, color_scheme="light")
    tab.add_init_script(pages.WATCH)
    moved, faint, headings, nameless = {}, {}, {}, {}
    for path in PAGES:
        open_page(tab, app, path)
        if path == "compare":
            expect(tab.locator(".stPlotlyChart svg").first).to_be_visible()
        tab.wait_for_function(pages.SETTLED)
        moved[path] = tab.evaluate("seen.shift")
        faint[path] = faint_in(tab, path)
        levels = tab.evaluate(HEADINGS)
        if levels[:1] != [1] or levels.count(1) != 1 or any(b > a + 1 for a, b in pairwise(levels)):
            headings[path] = levels
        if count := tab.get_by_role("button", name="Help", exact=True).count():
            nameless[path] = count
    tab.close()

    assert max(moved.values()) < 0.1, moved
    assert {path: said for path, said in faint.items() if said} == {}
    assert headings == {}
    assert nameless == {}


def test_on_dark_all_can_be_read_and_at_320_pixels_or_400_percent_no_page_is_scrolled_sideways(
    browser: Browser, app: App
) -> None:
    """One visit to each page for both, opened narrow: on two processors the visits take the time."""
    tab = new_tab(browser, color_scheme="dark")
    wide, faint = {}, {}
    for path in PAGES:
        tab.set_viewport_size({"width": 320, "height": 640})  # what 1280 pixels are at 400 %
        open_page(tab, app, path)
        size = tab.get_by_test_id("stMain").evaluate("e => [document.documentElement.scrollWidth, e.scrollWidth]")
        if max(size) > 320:
            wide[path] = size
        tab.set_viewport_size(SIZE)
        faint[path] = faint_in(tab, path)
    tab.close()

    assert wide == {}
    assert {path: said for path, said in faint.items() if said} == {}


def test_the_keyboard_shows_where_it_is_in_the_navigation(page: Page, app: App) -> None:
    open_page(page, app, "datasets")
    ringed, seen = {}, []
    for _ in range(8):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.innerText.split('\\n').pop()")
        ringed[name] = page.evaluate(RINGED)
        seen.append(name)

    # In the order in which they stand, which is the one in which they are read.
    assert seen == ["Skip to main content", "Explore", "Train", "Sweep", "Runs", "Compare", "Risk", "Datasets"]
    assert set(ringed.values()) == {True}


def test_who_wants_no_motion_sees_none(page: Page, app: App) -> None:
    open_page(page, app, "datasets")
    page.wait_for_function(
        "() => document.getAnimations().every(each => each.effect.getComputedTiming().activeDuration < 1)",
        timeout=PATIENCE_S * 1000,
    )


def test_a_link_at_the_foot_leads_to_a_document_and_a_link_in_it_to_another(page: Page, app: App) -> None:
    open_page(page, app, "datasets")
    page.get_by_role("link", name="Threat model").click()
    expect(page.get_by_role("heading", level=1, name="Threat model")).to_be_visible()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="DP-SGD").first.click()
    expect(opened.value.get_by_role("heading", level=1)).to_contain_text("DP-SGD")
    opened.value.close()


def test_an_address_is_no_html_and_back_and_forward_go_through_ten_states(page: Page, app: App) -> None:
    open_page(page, app, "docs?document=%3Cimg%20src=x%20onerror=alert(1)%3E&run=%3Cscript%3Ealert(1)%3C/script%3E")
    expect(page.get_by_role("heading", level=1, name="Glossary")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    seen = []
    for title in ("Datasets", "Train", "Compare", "Datasets", "Runs", "Datasets", "Compare", "Train", "Datasets"):
        link = page.get_by_role("link", name=title, exact=True)
        link.dblclick()  # two quick clicks are one
        expect(page).to_have_title(f"{title} · medpriv")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        seen.append(title)
    for title in ["Documents", *seen[:-1]][::-1]:
        page.go_back()
        expect(page).to_have_title(f"{title} · medpriv")
    for title in seen:
        page.go_forward()
        expect(page).to_have_title(f"{title} · medpriv")
    expect(page.get_by_role("heading", level=1, name="Which images?")).to_be_visible()
    expect(page.get_by_text("Something went wrong inside medpriv")).to_have_count(0)


def test_a_page_on_which_nothing_is_under_way_asks_the_server_for_nothing(browser: Browser, app: App) -> None:
    put_run(app.home, run_id="20260102-030405-calm", predictions=False)
    tab = new_tab(browser)
    asked: list[object] = []
    tab.on("websocket", lambda socket: socket.on("framesent", lambda frame: asked.append(frame)))
    restless = {}
    for path in ("explore", "runs?runs=20260102-030405-calm"):
        open_page(tab, app, path)
        if path == "explore":  # the last that comes, counted aside
            expect(tab.get_by_text("Patient found among 100?")).to_be_visible()
        tab.wait_for_timeout(2000)
        before = len(asked)
        assert before > 0
        tab.wait_for_timeout(3000)
        if len(asked) > before:
            restless[path] = len(asked) - before
    tab.close()

    assert restless == {}
