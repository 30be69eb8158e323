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


def test_the_line_of_a_run_stands_out_while_the_pointer_is_on_its_entry(page: Page, app: App) -> None:
    store_run(app.home, "a", PLAIN, (0.7, 0.8, 0.9))
    store_run(app.home, "b", PRIVATE, (0.6, 0.7, 0.8))
    page.goto(f"{app.url}/runs?runs=a,b&images=test")
    entries = page.locator(".st-key-runs_chart .legend .traces")
    expect(entries.first).to_be_visible()
    opacities = "[...document.querySelectorAll('.st-key-runs_chart .scatterlayer .trace')].map(e => +e.style.opacity)"

    # The chart's script may come after the chart.
    page.wait_for_function("document.querySelector('.st-key-runs_chart .js-plotly-plot').litLines")
    entries.first.hover()
    assert page.evaluate(opacities)[:4] == [1, 1, 0.15, 0.15]  # each line has its marks of the best and the last epoch
    page.mouse.move(0, 0)
    assert set(page.evaluate(opacities)) == {1}


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


def test_a_hundred_people_follow_the_slider_over_epsilon(page: Page, app: App) -> None:
    page.goto(f"{app.url}/compare")
    slider = page.get_by_role("slider", name="ε")
    slider.scroll_into_view_if_needed()
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^ε = 0\.999, what holds here\. Of 100 patients"))
    found, accused = page.locator(".exposure .found .hit"), page.locator(".exposure .accused .hit")
    expect(found).to_have_count(2)
    expect(accused).to_have_count(1)
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^ε = 10, the same training .* at most \d"))
    words = page.locator(".exposure .says").inner_text()
    assert float(re.search(r"at most ([\d.]+) are found", words)[1]) > 10
    assert found.count() > 10
    page.get_by_role("radio", name="5 of 100").check()
    expect(accused).to_have_count(5)
    expect(page.locator(".exposure .says")).to_contain_text("5 of 100 others are falsely accused")
    page.get_by_role("button", name="Back to what holds").click()
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^ε = 0\.999, what holds here"))
    page.locator(".exposure .marks button", has_text=re.compile("^8$")).click()
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^ε = 8,"))
