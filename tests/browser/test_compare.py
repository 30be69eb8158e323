"""The compare page in a real browser: from the reference set to one's own frontier, and away as CSV."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_S, App
from tests.results.chosen_results import PLAIN, PRIVATE
from tests.results.stored import store_run

pytestmark = pytest.mark.browser


def test_own_runs_join_the_reference_set_and_their_frontier_can_be_taken_away(page: Page, app: App) -> None:
    page.goto(f"{app.url}/compare")
    expect(page.get_by_label(re.compile("Accuracy against epoch. No privacy"))).to_be_visible(timeout=PATIENCE_S * 1000)
    expect(page.get_by_text("in the reference set")).to_be_visible()

    store_run(app.home, "a", PLAIN, auroc=0.95)
    store_run(app.home, "b", PRIVATE, auroc=0.90)
    page.reload()
    expect(page.get_by_text("in your runs (the last layer, 64 pixels): DP-SGD with ε =")).to_be_visible()
    page.get_by_role("tab", name="Frontier").click()
    expect(page.get_by_label(re.compile("AUROC against the epsilon that holds"))).to_be_visible()
    page.wait_for_url(re.compile("view=frontier"))
    page.get_by_role("tab", name="Figure 4").click()
    expect(page.get_by_text("the paper's optimistic protocol")).to_be_visible()
    page.get_by_role("tab", name="Frontier").click()
    page.wait_for_url(re.compile("view=frontier"))

    page.set_viewport_size({"width": 480, "height": 900})
    page.reload()
    expect(page.get_by_text("costs 0.050 of AUROC")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 480
    page.get_by_text("The same numbers as a table").click()
    with page.expect_download() as taken:
        page.get_by_role("button", name="All numbers as CSV").click()
    assert "one image added or removed" in Path(taken.value.path()).read_text(encoding="utf-8")
