"""The risk page in a real browser: reached by the links of other pages, with what is asked there."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from medpriv_core.spec import RunSpec
from tests.browser.conftest import App
from tests.browser.viewing import settle
from tests.pages.recorded_runs import add_recorded_run

pytestmark = pytest.mark.browser
LINK = "What would an attacker find?"


def test_the_links_of_other_pages_ask_what_stood_there(page: Page, app: App) -> None:
    spec = RunSpec(dataset="synthetic_chest", weights="none", epochs=2, method="dp_sgd", noise_multiplier=2.0)
    add_recorded_run(app.home, spec, "asked")
    page.goto(f"{app.url}/risk?of=images&beta=1000&size=28x28")
    expect(page.get_by_text("are recognised").first).to_be_visible()
    page.get_by_role("link", name="Explore").click()  # the same visit, which remembers what was chosen
    page.get_by_role("tab", name="Formula and numbers").click()
    page.get_by_role("link", name=LINK).click()
    expect(page).to_have_url(re.compile("of=images"))
    expect(
        page.get_by_text(re.compile("Of 100 noised images of one patient, all may be recognised")).first
    ).to_be_visible()
    page.goto(f"{app.url}/runs?run=asked")
    page.get_by_role("link", name=LINK).click()
    expect(page).to_have_url(re.compile("run=asked"))
    expect(page.get_by_text(re.compile("Of 100 patients whose image was used, at most")).first).to_be_visible()


def test_more_noise_lets_fewer_be_found(page: Page, app: App) -> None:
    page.goto(f"{app.url}/risk")
    expect(page.get_by_text("at most 18.7 are found").first).to_be_visible()
    slider = page.get_by_role("slider", name=re.compile("Noise multiplier")).first
    for _ in range(5):
        slider.press("ArrowRight")
    settle(page)
    expect(page.get_by_text("at most 2.06 are found").first).to_be_visible()
    page.reload()
    expect(page.get_by_text("at most 2.06 are found").first).to_be_visible()
