"""The picture viewer in a real browser: what is on screen, by which key, at which width."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from medpriv_core.home import DataHome
from tests.browser.conftest import App, new_tab, serve
from tests.browser.viewing import (
    SERVER_MS,
    boxes,
    choose_mode,
    drag,
    middle,
    on_screen,
    places,
    readout,
    region,
    settle,
    stage,
)

pytestmark = pytest.mark.browser
PICTURES = 5


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One server with the viewer alone, for all tests here: nothing of one visitor reaches the next."""
    with serve(DataHome(tmp_path_factory.mktemp("home")), script="tests/browser/viewer_app.py") as server:
        yield server


@pytest.fixture
def viewer(page: Page, app: App) -> Iterator[Page]:
    """The page with the viewer drawn; whatever the browser complains about fails the test."""
    complaints: list[str] = []

    def hear(said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            complaints.append(said.text)

    page.on("console", hear)
    open_viewer(page, app)
    yield page
    page.remove_listener("console", hear)
    assert complaints == []


def open_viewer(page: Page, app: App) -> None:
    page.goto(app.url)
    expect(page.locator(".viewer img")).to_have_count(PICTURES, timeout=SERVER_MS)
    settle(page)


def test_the_whole_picture_is_shown_in_squares_of_whole_screen_pixels(viewer: Page) -> None:
    shown = on_screen(viewer, 0)
    factor = len(shown) // 64
    assert factor >= 2
    columns, rows = np.meshgrid(np.arange(64), np.arange(64))
    np.testing.assert_array_equal(shown[:, :, 0], np.kron(columns, np.ones((factor, factor))))
    np.testing.assert_array_equal(shown[:, :, 1], np.kron(rows, np.ones((factor, factor))))
    expect(readout(viewer)).to_have_text(f"{factor}×")


def test_keys_zoom_and_move_all_pictures_alike_and_the_page_does_not_run(viewer: Page) -> None:
    whole = places(viewer)
    stage(viewer).focus()
    for _ in range(4):
        viewer.keyboard.press("+")
    zoomed = on_screen(viewer, 0)
    factor = int((readout(viewer).text_content() or "").removesuffix("×"))
    assert np.all(zoomed[:factor, 5 * factor : 6 * factor] == zoomed[0, 5 * factor])
    first, last, top, bottom = region(zoomed)
    assert last - first + 1 == pytest.approx(len(zoomed) / factor, abs=1)
    assert first + last == pytest.approx(63, abs=1)
    assert (first, last) == (top, bottom)
    viewer.keyboard.press("ArrowRight")
    viewer.keyboard.press("ArrowUp")
    moved = on_screen(viewer, 0)
    assert region(moved)[0] > first
    assert region(moved)[2] < top
    np.testing.assert_array_equal(on_screen(viewer, 1), 255 - moved)
    assert len(set(places(viewer))) == 1
    viewer.keyboard.press("0")
    assert places(viewer) == whole
    expect(viewer.get_by_text("runs of the page: 1", exact=True)).to_be_visible()


def test_the_buttons_do_it_too_and_say_when_they_cannot(viewer: Page) -> None:
    closer, back = (viewer.get_by_role("button", name=name) for name in ("Zoom in", "Whole image"))
    expect(back).to_have_attribute("aria-disabled", "true")
    whole = places(viewer)
    closer.focus()
    viewer.keyboard.press("Enter")
    assert places(viewer) != whole
    expect(back).to_have_attribute("aria-disabled", "false")
    for _ in range(12):
        closer.press("Enter")
    expect(closer).to_have_attribute("aria-disabled", "true")
    expect(readout(viewer)).to_have_text("32×")
    viewer.get_by_role("button", name="Zoom out").press("Enter")
    expect(readout(viewer)).to_have_text("24×")
    back.press("Enter")
    assert places(viewer) == whole


def test_new_pictures_of_the_same_size_keep_the_zoom_and_others_begin_anew(viewer: Page) -> None:
    stage(viewer).focus()
    for key in ("+", "+", "+", "ArrowLeft"):
        viewer.keyboard.press(key)
    kept, before = places(viewer), on_screen(viewer, 0)
    viewer.get_by_role("slider", name="Blue").press("End")
    expect(viewer.get_by_text("runs of the page: 2", exact=True)).to_be_visible(timeout=SERVER_MS)
    expect(viewer.locator(".viewer img").first).to_have_js_property("complete", True)
    after = on_screen(viewer, 0)
    assert before[0, 0, 2] == 0
    assert after[0, 0, 2] == 255
    np.testing.assert_array_equal(after[:, :, :2], before[:, :, :2])
    assert places(viewer) == kept
    viewer.get_by_role("radio", name="48").click()
    expect(viewer.get_by_text("runs of the page: 3", exact=True)).to_be_visible(timeout=SERVER_MS)
    expect(viewer.get_by_role("button", name="Whole image")).to_have_attribute("aria-disabled", "true")
    assert region(on_screen(viewer, 0)) == (0, 47, 0, 47)


def test_the_handle_of_the_wipe_moves_by_arrow_keys(viewer: Page) -> None:
    choose_mode(viewer, "wipe", windows=1)
    handle = viewer.get_by_role("slider", name="Wipe between ramp (left) and fifth (right)")
    expect(handle).to_have_value("50")
    viewer.get_by_role("combobox", name="Image on the right").select_option("inverted")
    handle = viewer.get_by_role("slider", name="Wipe between ramp (left) and inverted (right)")
    handle.focus()
    for _ in range(30):
        viewer.keyboard.press("ArrowLeft")
    expect(handle).to_have_value("20")
    expect(handle).to_have_attribute("aria-valuetext", "20% of the left image")
    shown = on_screen(viewer, 0)
    beside, row = len(shown) // 16, len(shown) // 8  # clear of the line and of the knob
    edge = len(shown) // 5
    for line in (0, row, -1):  # pure up to the rim
        assert np.all(shown[line, : edge - beside, 2] == 0)
        assert np.all(shown[line, edge + beside :, 2] == 255)
    # Both halves still lie over each other, column by column.
    assert shown[row, 0, 0] == 0
    assert shown[row, -1, 0] == 255 - 63
    for name in ("ramp", "inverted"):
        expect(viewer.locator(".viewer .title", has_text=name)).to_be_visible()
    viewer.keyboard.press("+")
    assert on_screen(viewer, 0)[row, 0, 0] > 0


def test_the_handle_follows_the_pointer_and_beside_it_the_picture_is_moved(viewer: Page) -> None:
    choose_mode(viewer, "wipe", windows=1)
    box = viewer.locator(".viewer .window").bounding_box()
    assert box is not None
    half, quarter, low = box["x"] + box["width"] / 2, box["x"] + box["width"] / 4, box["y"] + box["height"] * 0.9
    drag(viewer, (half, low), (quarter, low))
    expect(viewer.locator(".viewer .wipe")).to_have_value("25")
    stage(viewer).focus()
    for _ in range(3):
        viewer.keyboard.press("+")
    before = places(viewer)
    drag(viewer, (half, low), (half - 30, low))
    assert places(viewer) != before
    expect(viewer.locator(".viewer .wipe")).to_have_value("25")


def test_the_other_mode_shows_the_same_region(viewer: Page) -> None:
    stage(viewer).focus()
    for key in ("+", "+", "+", "+", "ArrowDown", "ArrowDown"):
        viewer.keyboard.press(key)
    zoom, before = readout(viewer).text_content() or "", on_screen(viewer, 0)
    choose_mode(viewer, "wipe", windows=1)
    expect(readout(viewer)).to_have_text(zoom)
    assert middle(on_screen(viewer, 0)) == pytest.approx(middle(before), abs=1)
    choose_mode(viewer, "side by side", windows=PICTURES)
    np.testing.assert_array_equal(on_screen(viewer, 0), before)


def test_the_wheel_scrolls_the_page_and_zooms_only_with_ctrl(viewer: Page) -> None:
    whole = places(viewer)
    viewer.locator(".viewer .window").first.hover()
    top = "document.querySelector('[data-testid=stMain]').scrollTop"
    viewer.mouse.wheel(0, 50)
    viewer.wait_for_function(f"{top} > 0")
    assert places(viewer) == whole
    scrolled = viewer.evaluate(top)
    viewer.locator(".viewer .window").nth(1).hover(position={"x": 10, "y": 10})
    viewer.keyboard.down("Control")
    for _ in range(3):
        viewer.mouse.wheel(0, -100)
    viewer.keyboard.up("Control")
    expect(viewer.get_by_role("button", name="Whole image")).to_have_attribute("aria-disabled", "false")
    assert viewer.evaluate(top) == scrolled
    # What was under the pointer, near the upper left corner, is still there.
    assert region(on_screen(viewer, 0))[0] <= 3


def test_dragging_moves_and_a_double_click_goes_there_and_back(viewer: Page) -> None:
    whole = places(viewer)
    window = viewer.locator(".viewer .window").nth(2)
    box = window.bounding_box()
    assert box is not None
    window.dblclick()
    before = region(on_screen(viewer, 0))
    start = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    drag(viewer, start, (start[0] - 24, start[1] - 24))
    after = region(on_screen(viewer, 0))
    factor = int((readout(viewer).text_content() or "").removesuffix("×"))
    assert after[0] - before[0] == pytest.approx(24 / factor, abs=1)
    assert after[2] - before[2] == pytest.approx(24 / factor, abs=1)
    viewer.mouse.move(*start)  # with no button held, nothing moves
    assert region(on_screen(viewer, 0)) == after
    window.dblclick()
    assert places(viewer) == whole


def test_pictures_words_and_controls_have_names_and_nothing_is_markup(viewer: Page) -> None:
    expect(viewer.get_by_role("group", name="Test images", exact=True)).to_be_visible()
    for name in ("ramp", "inverted", "third", "fourth", "fifth"):
        expect(viewer.get_by_role("img", name=f"Test image {name}")).to_be_visible()
    expect(viewer.locator(".viewer strong").first).to_have_text("bold")
    expect(viewer.get_by_text("<b>no markup</b>").first).to_be_visible()
    buttons = viewer.locator(".viewer button")
    for button in buttons.all():
        assert button.get_attribute("aria-label") or button.inner_text().strip()
    assert buttons.count() == 3 + (PICTURES - 1)


def test_the_long_form_of_a_caption_opens_with_the_focus_and_with_the_pointer(viewer: Page) -> None:
    more = viewer.get_by_role("button", name="More about inverted")
    note = viewer.get_by_text("All about inverted")
    expect(note).to_be_hidden()
    more.focus()
    expect(note).to_be_visible()
    viewer.keyboard.press("Escape")
    expect(note).to_be_hidden()
    expect(viewer.get_by_role("button", name="More about ramp")).to_have_count(0)
    last = viewer.get_by_role("button", name="More about fifth")
    last.hover()
    opened = viewer.get_by_text("All about fifth")
    expect(opened).to_be_visible()
    box = opened.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 1440
    viewer.locator(".viewer .hint").hover()
    expect(opened).to_be_hidden()


@pytest.mark.parametrize("mode", ["side by side", "wipe"])
def test_a_narrow_window_has_rows_and_no_horizontal_scroll_bar(viewer: Page, mode: str) -> None:
    assert len({box["y"] for box in boxes(viewer)}) == 1
    choose_mode(viewer, mode, windows=1 if mode == "wipe" else PICTURES)
    viewer.set_viewport_size({"width": 480, "height": 900})
    viewer.wait_for_function("document.querySelector('[data-testid=stMain]').clientWidth <= 480")
    settle(viewer)
    widest = "e => e.scrollWidth - e.clientWidth"
    assert viewer.get_by_test_id("stMain").evaluate(widest) == 0
    assert viewer.locator(".viewer").evaluate(widest) == 0
    for box in boxes(viewer):
        assert 0 < box["x"] < box["x"] + box["width"] < 480
    if mode == "side by side":
        assert len({box["y"] for box in boxes(viewer)}) == 3
        assert len({box["width"] for box in boxes(viewer)}) == 1


@pytest.mark.parametrize("density", [1.25, 2])
def test_on_a_dense_screen_the_squares_are_whole_screen_pixels_too(browser: Browser, app: App, density: float) -> None:
    page = new_tab(browser, device_scale_factor=density)
    open_viewer(page, app)
    stage(page).focus()
    for _ in range(3):
        width = page.locator(".viewer img").first.evaluate("image => parseFloat(image.style.width)")
        factor = int((readout(page).text_content() or "").removesuffix("×"))
        assert width * density / 64 == pytest.approx(factor, abs=1e-6)
        page.keyboard.press("+")
    page.close()
