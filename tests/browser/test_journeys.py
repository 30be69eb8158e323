"""What people do with medpriv, in a real browser."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pydicom.data import get_testdata_file

from medpriv_core.runs import service
from tests.browser.conftest import PATIENCE_S, App
from tests.browser.viewing import settle
from tests.exports.runs import put_run
from tests.pages.recorded_runs import add_run, put_in_state
from tests.processes import processes

pytestmark = pytest.mark.browser
LONG_MS = 240_000  # on a busy machine the features of a run take minutes


def launch(page: Page, app: App, *, epochs: int | None = None) -> str:
    """Launch the quick preset without pretrained weights from the train page; returns the run's id."""
    page.goto(f"{app.url}/train")
    page.get_by_role("slider").press("Home")  # the smallest images
    choose_no_weights(page)
    expect(page.get_by_text("expect much lower accuracy")).to_be_visible()
    if epochs is not None:
        field = page.get_by_role("spinbutton", name="Epochs")
        field.fill(str(epochs))
        field.press("Enter")
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url(re.compile(r"/runs\?run="))
    return page.url.split("run=")[1]


def choose_no_weights(page: Page) -> None:
    """Start from random numbers."""
    box = page.get_by_role("combobox", name=re.compile("Pretrained weights"))
    box.scroll_into_view_if_needed()
    page.wait_for_timeout(500)  # a list that is open closes when its page is still scrolling
    box.click()
    page.get_by_role("option", name="None (random start)").click()


def use_preset(page: Page, title: str) -> None:
    """Fill the form from the card with this title."""
    cards = page.locator(".st-key-presets").get_by_test_id("stVerticalBlock").filter(has_text=title)
    cards.filter(has=page.get_by_role("button", name=re.compile("Use this|Chosen"))).last.get_by_role("button").click()


def fill(page: Page, label: str, value: str) -> None:
    """Type a number into a field."""
    field = page.get_by_role("spinbutton", name=re.compile(label))
    field.fill(value)
    field.press("Enter")


def epochs_shown(page: Page) -> int:
    """The epoch that the curve says it has reached."""
    chart = page.get_by_label(re.compile("Accuracy against epoch; after epoch"))
    chart.first.wait_for(timeout=LONG_MS)
    return int(re.search(r"after epoch (\d+)", chart.first.get_attribute("aria-label") or "").group(1))


def wait_for_more_than(page: Page, epochs: int) -> None:
    """Wait until the curve has more epochs than these."""
    page.wait_for_function(
        """least => [...document.querySelectorAll('[aria-label]')].some(element => {
            const found = /after epoch (\\d+)/.exec(element.getAttribute('aria-label'));
            return found && Number(found[1]) > least;
        })""",
        arg=epochs,
    )


def test_a_deep_link_on_a_fresh_server_opens_its_page_with_the_menu(page: Page, app: App) -> None:
    page.goto(f"{app.url}/runs")
    expect(page.get_by_role("heading", name="How is it going?")).to_be_visible()
    expect(page.get_by_text("No runs yet.")).to_be_visible()
    for name in ("Explore", "Train", "Runs", "Datasets"):
        expect(page.get_by_role("link", name=name)).to_be_visible()
    expect(page.get_by_text("index")).to_have_count(0)


NOISED = re.compile("The same image with noise")


def test_changing_the_noise_changes_pictures_and_link_and_a_reload_keeps_them(page: Page, app: App) -> None:
    page.goto(app.url)
    expect(page.get_by_role("img", name=NOISED)).to_have_count(1)
    expect(page.get_by_text("yours, β = 0.5")).to_be_visible()
    slider = page.get_by_role("slider", name=re.compile("Your amount of noise"))
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    expect(page.get_by_text("yours, β = 1.5")).to_be_visible()
    page.wait_for_url(re.compile(r"beta=1\.5"))
    page.reload()
    expect(page.get_by_text("yours, β = 1.5")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("same image with noise: .* β = 1.5"))).to_be_visible()


def test_controls_pictures_and_answers_stand_in_one_window_without_scrolling(page: Page, app: App) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{app.url}/?dataset=synthetic_chest")
    expect(page.get_by_text("100 of 100 times")).to_be_visible()
    expect(page.get_by_role("img", name="ε of the whole image")).to_be_visible()
    for part in (
        page.get_by_role("slider", name=re.compile("Your amount of noise")),
        *page.locator(".viewer .window").all(),
        *page.locator(".st-key-answers [data-testid='stMarkdownContainer']").all(),
        page.locator(".epsilon-scale"),
    ):
        box = part.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 1280
        assert 0 <= box["y"] <= box["y"] + box["height"] <= 720
    assert all(window.bounding_box()["height"] >= 250 for window in page.locator(".viewer .window").all())


def test_the_picture_follows_the_slider_while_it_is_dragged(page: Page, app: App) -> None:
    page.goto(f"{app.url}/?dataset=synthetic_chest&size=64")
    expect(page.get_by_text("yours, β = 0.5")).to_be_visible()
    number = page.locator(".st-key-beta [data-testid='stSliderThumbValue']").bounding_box()
    assert number is not None
    x, y = number["x"] + number["width"] / 2, number["y"] + number["height"] + 8
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 36, y, steps=6)
    expect(page.get_by_text("yours, β = 1.5")).to_be_visible()
    page.mouse.move(x + 60, y, steps=6)
    expect(page.get_by_text(re.compile("yours, β = [3468]"))).to_be_visible()
    page.mouse.up()
    page.wait_for_url(re.compile(r"beta=[3468]&"))
    expect(page.get_by_text(re.compile("yours, β = [3468]"))).to_be_visible()
    expect(page.get_by_text(re.compile("of 100 times$"))).to_be_visible()


def test_a_narrow_window_does_not_scroll_sideways(page: Page, app: App) -> None:
    page.set_viewport_size({"width": 480, "height": 900})
    page.goto(f"{app.url}/?dataset=synthetic_chest&size=64&question=Formula+and+numbers")
    expect(page.get_by_role("img", name=re.compile("Original"))).to_be_visible()
    expect(page.get_by_text("How well is a finding hidden?")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_an_image_is_found_in_the_grid_and_the_noise_on_it_is_undone(page: Page, app: App) -> None:
    page.goto(f"{app.url}/?dataset=synthetic_chest&size=64&beta=0.3")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("button", name="Pneumonia, image 3", exact=True).click()
    expect(page.get_by_role("img", name="Original: Pneumonia")).to_be_visible()
    page.get_by_text("Try to undo the noise").click()
    expect(page.get_by_text(re.compile("The noise can be undone"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Best that an attacker could choose"))).to_be_visible()
    for question, name in (("Several copies", "copies"), ("Formula and numbers", "numbers")):
        page.get_by_role("tab", name=question).click()
        page.wait_for_url(re.compile(f"question={name}"))
        expect(page.get_by_role("tab", name=question)).to_have_attribute("aria-selected", "true")


def test_launch_is_in_the_first_window_with_dp_sgd_and_a_hundred_people_stand_below_it(page: Page, app: App) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{app.url}/train")
    use_preset(page, "Sound DP")
    expect(page.get_by_text("What it rests on:")).to_be_visible()
    people = page.get_by_role("img", name=re.compile("at most .* of 100 found"))
    expect(people).to_be_visible()
    launch_button = page.get_by_role("button", name="Launch")
    expect(launch_button).to_be_in_viewport(ratio=1)
    assert people.bounding_box()["y"] > launch_button.bounding_box()["y"]


def test_an_own_dicom_is_shown_windowed_and_taken_away_without_its_name(page: Page, app: App, tmp_path: Path) -> None:
    (tmp_path / "Doe^Jane.dcm").write_bytes(Path(get_testdata_file("CT_small.dcm", download=False)).read_bytes())
    page.goto(app.url)
    page.get_by_text("My own image").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "Doe^Jane.dcm")
    expect(page.get_by_role("img", name="Original: your own image")).to_be_visible()
    expect(page.get_by_text("is not removed")).to_be_visible()
    expect(page.get_by_text("Doe^Jane")).to_have_count(0)
    page.set_viewport_size({"width": 1280, "height": 720})
    expect(page.locator(".st-key-beta")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("img", name="Original: your own image")).to_be_in_viewport()
    expect(page.get_by_text("Promised by ε?")).to_be_in_viewport()
    page.get_by_role("button", name="Window").click()
    expect(page.get_by_role("slider", name="Centre (HU)")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Export").click()
    for button, start in (("PNG", b"\x89PNG"), ("SVG", b"<?xml"), ("The noised image", b"\x89PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=button, exact=True).click()
        content = Path(download.value.path()).read_bytes()
        assert content.startswith(start)
        assert "Doe" not in download.value.suggested_filename
        assert b"Doe" not in content
        assert b"CompressedSamples" not in content  # the patient's name in the header


def test_a_zip_of_runs_is_made_at_one_click_and_there_at_the_next(page: Page, app: App, tmp_path: Path) -> None:
    ids = ("20260102-030405-zip1", "20260102-030405-zip2")
    for run_id in ids:
        put_run(app.home, run_id=run_id, predictions=False)
    page.goto(f"{app.url}/runs?runs={','.join(ids)}")
    page.get_by_text("Take the chosen runs away").click()
    begun: list[object] = []
    page.on("download", lambda one: begun.append(one))
    for _ in range(2):  # first it is made and begins by itself
        with page.expect_download(timeout=PATIENCE_S * 1000) as download:
            page.get_by_role("button", name="Zip of 2 runs").first.click()
        assert download.value.suggested_filename == "medpriv-runs.zip"
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    page.get_by_text("Time", exact=True).click()
    page.wait_for_url("**against=time**")
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_role("heading", name="What does privacy cost here?")).to_be_visible()
    page.go_back()
    page.get_by_text("Take the chosen runs away").click()
    expect(page.get_by_role("button", name="Zip of 2 runs").first).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    page.wait_for_timeout(500)
    assert len(begun) == 2, "drawn again, it begins no more by itself"


def test_runs_are_chosen_in_the_table_drawn_together_deleted_and_brought_back(page: Page, app: App) -> None:
    for run_id in ("r1", "r2", "r3"):
        add_run(app.home, run_id)
        put_in_state(app.home, run_id, "finished")
    page.goto(f"{app.url}/runs")
    table = page.get_by_test_id("stDataFrame").last
    table.scroll_into_view_if_needed()
    expect(page.get_by_text("Mark rows to put them on the chart.")).to_be_visible(timeout=PATIENCE_S * 1000)
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 2.5 * 35)  # the box of the second row, below the header
    page.wait_for_url(re.compile("runs=r3(,|%2C)r2"))
    together = page.get_by_label("Accuracy against epoch of 2 runs; at the end: name of r3 80.0%; name of r2 80.0%.")
    expect(together.first).to_be_visible(timeout=PATIENCE_S * 1000)
    page.reload()
    expect(together.first).to_be_visible(timeout=PATIENCE_S * 1000)
    page.get_by_role("button", name="Remove 2 runs").click()
    expect(page.get_by_text("Removed 2 runs.")).to_be_visible(timeout=PATIENCE_S * 1000)
    expect(together).to_have_count(0)
    assert [run.id for run in service.list_runs(app.home)] == ["r1"]
    page.get_by_role("button", name="Undo").click()
    expect(together.first).to_be_visible(timeout=PATIENCE_S * 1000)


def test_the_guarantee_is_there_before_a_launch_and_by_what_was_recorded_after_it_with_the_curve(
    page: Page, app: App
) -> None:
    page.goto(f"{app.url}/train")
    use_preset(page, "As the authors ran it")
    expect(page.get_by_text("No ε holds for this run")).to_be_visible()
    expect(page.get_by_text(re.compile("BatchNorm in training mode lets each image"))).to_be_visible()
    use_preset(page, "Sound DP")
    expect(page.get_by_text("No ε holds for this run")).to_have_count(0)
    said = re.compile(r"ε = 3 \(δ = 1e-5; one image replaced by an empty one; full batch")
    expect(page.get_by_text(said).first).to_be_visible()
    fill(page, "Privacy budget", "2")
    expect(page.get_by_text(re.compile(r"ε = 2 \(δ = 1e-5")).first).to_be_visible()
    expect(page.get_by_text(re.compile("instead of 3"))).to_be_visible()
    page.get_by_role("slider").press("Home")
    expect(page.get_by_text(re.compile("Image size \\(pixels\\): 28 instead of"))).to_be_visible()
    fill(page, "Epochs", "5")
    expect(page.get_by_text(re.compile("Epochs: 5 instead of"))).to_be_visible()
    choose_no_weights(page)
    expect(page.get_by_text("expect much lower accuracy")).to_be_visible()
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url(re.compile(r"/runs\?run="))
    expect(page.get_by_text(re.compile(r"Spent: ε = 2 \(δ = 1e-5"))).to_be_visible(timeout=LONG_MS)
    page.get_by_text("conditions that hold").click()
    expect(page.get_by_text("The ledger covers exactly the 5 steps")).to_be_visible()
    expect(page.get_by_text("fails", exact=True)).to_have_count(0)
    for _ in range(2):
        expect(page.get_by_text("finished").first).to_be_visible()
        assert epochs_shown(page) == 5
        assert "run=" in page.url
        page.reload()


def test_the_summary_stays_beside_the_form_and_below_it_on_a_narrow_window(page: Page, app: App) -> None:
    page.goto(f"{app.url}/train")
    page.get_by_text("More settings").click()
    launch_button = page.get_by_role("button", name="Launch")
    last_setting = page.get_by_text("Memory of a pass")
    last_setting.scroll_into_view_if_needed()
    expect(launch_button).to_be_in_viewport()
    assert launch_button.bounding_box()["x"] > last_setting.bounding_box()["x"] + 300
    page.set_viewport_size({"width": 480, "height": 900})
    # Not "outside the window": how far the page scrolls while it is laid out anew depends on the machine's pace.
    page.wait_for_function(
        "([setting, launch]) => launch.getBoundingClientRect().top > setting.getBoundingClientRect().bottom",
        arg=[last_setting.element_handle(), launch_button.element_handle()],
    )
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_long_run_grows_is_stopped_and_resumed_outlives_its_app_and_says_that_its_worker_was_killed(
    page: Page, app: App
) -> None:
    run_id = launch(page, app, epochs=1000)
    first = epochs_shown(page)
    wait_for_more_than(page, first)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("stopped", exact=True).first).to_be_visible(timeout=PATIENCE_S * 1000)
    stopped_at = service.load_run(app.home, run_id).epochs[-1].epoch
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    wait_for_more_than(page, stopped_at)

    app.kill()
    before = len(service.load_run(app.home, run_id).epochs)
    app.start()
    page.goto(f"{app.url}/runs")
    expect(page.get_by_text("running").first).to_be_visible(timeout=PATIENCE_S * 1000)
    assert epochs_shown(page) >= before
    (worker,) = processes(app.home, " worker ")
    os.kill(worker.pid, signal.SIGKILL)
    expect(page.get_by_text("The training was killed (signal 9)").first).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_a_tab_stays_open_however_quickly_they_are_changed(page: Page, app: App) -> None:
    for address, titles in (
        ("/?dataset=synthetic_chest&size=64", ("Formula and numbers", "Export")),
        ("/sweep", ("Any grid", "The paper's grid")),
        ("/compare?sources=reference", ("Figure 4", "Figure 3")),
        ("/risk", ("Numbers", "Odds")),
    ):
        page.goto(app.url + address)
        for title in (*titles, *titles):
            tab = page.get_by_role("tab", name=title)
            tab.click()
            settle(page)
            expect(tab).to_have_attribute("aria-selected", "true")


def test_back_leaves_a_page_whose_controls_were_moved(page: Page, app: App) -> None:
    page.goto(app.url)
    page.get_by_role("link", name="Train").click()
    expect(page).to_have_title("Train · medpriv")
    page.get_by_role("link", name="Explore").click()
    slider = page.get_by_role("slider", name=re.compile("Your amount of noise"))
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
        settle(page)
    page.wait_for_url(re.compile(r"beta=1\.5"))
    page.go_back()
    expect(page).to_have_title("Train · medpriv")
    page.go_forward()
    expect(page).to_have_title("Explore · medpriv")
    page.wait_for_url(re.compile(r"beta=1\.5"))
    expect(page.get_by_text("yours, β = 1.5")).to_be_visible()
