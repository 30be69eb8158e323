"""The doors as a real browser finds them: every name, foreign pages and frames, and a tab that is closed."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pydicom
import pytest
from playwright.sync_api import Browser, Page, expect
from pydicom.data import get_testdata_file

from benchmarks.pages import PAGES
from medpriv_core.uploads.opening import open_upload
from tests.browser.conftest import App, new_tab
from tests.server.looking import holds

pytestmark = pytest.mark.browser
PATIENT, FILE_NAME = "CANARY^PATIENT^OF^THE^TEST", "canary_name_of_the_file.dcm"
GONE_WITHIN_S = 10.0


@pytest.fixture
def foreign_page() -> Iterator[tuple[str, dict[str, str]]]:
    """A page of another program on this machine: its address, and what stands at its paths."""
    pages: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path, "").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keeps the test output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", pages
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A tab of its own for each test: what one has kept of the app must not let another in."""
    page = new_tab(browser)
    yield page
    page.close()


def own_dicom(patient: str) -> bytes:
    file = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    file.PatientName = patient
    written = io.BytesIO()
    file.save_as(written)
    return written.getvalue()


def open_own_picture(page: Page, file: Path) -> None:
    page.get_by_text("My own image").click()
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("img", name="Original: your own image")).to_be_visible()


def test_by_the_name_localhost_too_pages_come_and_an_upload_and_a_download_work(
    page: Page, app: App, tmp_path: Path
) -> None:
    (tmp_path / FILE_NAME).write_bytes(own_dicom(PATIENT))
    for path in (*PAGES, "explore?beta=2"):  # each by its name
        page.goto(f"http://localhost:{app.port}/{path}")
        expect(page.get_by_role("link", name=path.partition("?")[0].title(), exact=True)).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("heading").first).to_be_visible()
        if path == "compare":
            expect(page.locator(".stPlotlyChart svg").first).to_be_visible()
    expect(page.get_by_role("slider").first).to_have_attribute("aria-valuetext", "2")
    open_own_picture(page, tmp_path / FILE_NAME)
    page.get_by_role("tab", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG", exact=True).click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_a_picture_goes_with_its_file_and_its_file_goes_when_it_has_been_read(
    page: Page, app: App, tmp_path: Path
) -> None:
    (tmp_path / FILE_NAME).write_bytes(own_dicom(PATIENT))
    page.goto(app.url)
    open_own_picture(page, tmp_path / FILE_NAME)
    slider = page.get_by_role("slider", name=re.compile("Your amount of noise"))
    slider.focus()
    slider.press("ArrowRight")
    expect(page.get_by_role("img", name="Original: your own image")).to_be_visible()
    page.get_by_role("link", name="Train").click()
    page.get_by_role("link", name="Explore").click()
    expect(page.get_by_role("img", name="Original: your own image")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Choose an image, or drop one here")).to_be_visible()
    expect(page.get_by_role("img", name="Original: your own image")).to_have_count(0)


def test_the_app_shows_nothing_in_a_foreign_frame(
    tab: Page, app: App, foreign_page: tuple[str, dict[str, str]]
) -> None:
    address, pages = foreign_page
    pages["/"] = f"<p>foreign</p><iframe src='{app.url}' width=900 height=600></iframe>"
    answers: list[int] = []
    tab.on("response", lambda answer: answers.append(answer.status) if answer.url.startswith(app.url) else None)
    tab.goto(address)
    expect(tab.get_by_text("foreign")).to_be_visible()
    assert answers == [403]
    assert tab.frame_locator("iframe").locator("#root").count() == 0


SCRIPT = """
async url => {
    const outcome = {};
    for (const [name, how] of Object.entries({
        read: {}, blind: {mode: 'no-cors'}, post: {method: 'POST', mode: 'no-cors', body: 'x'},
        put: {method: 'PUT', body: 'x'},
    }))
        outcome[name] = await fetch(url + '/_stcore/health', how).then(answer => answer.type, () => 'no');
    outcome.socket = await new Promise(resolve => {
        const socket = new WebSocket(url.replace('http', 'ws') + '/_stcore/stream', ['streamlit']);
        socket.onopen = () => resolve('open');
        socket.onerror = () => resolve('no');
    });
    const image = new Image();
    outcome.image = await new Promise(resolve => {
        image.onload = () => resolve('seen');
        image.onerror = () => resolve('no');
        image.src = url + '/favicon.png';
    });
    return outcome;
}
"""


def test_a_foreign_pages_script_gets_in_by_no_way(
    tab: Page, app: App, foreign_page: tuple[str, dict[str, str]]
) -> None:
    address, pages = foreign_page
    pages["/"] = "<p>foreign</p>"
    tab.goto(address)
    outcome = tab.evaluate(SCRIPT, app.url)
    assert outcome == {
        "read": "no",
        "blind": "no",  # refused already by the resource policy
        "post": "no",
        "put": "no",
        "socket": "no",
        "image": "no",
    }


def test_a_link_on_a_foreign_page_opens_the_app_which_the_page_then_has_no_hold_of(
    tab: Page, app: App, foreign_page: tuple[str, dict[str, str]]
) -> None:
    address, pages = foreign_page
    pages["/"] = f"<a href='{app.url}/runs'>to the runs</a>"
    tab.goto(address)
    tab.get_by_text("to the runs").click()
    expect(tab.get_by_text("No runs yet.")).to_be_visible()
    tab.goto(address)
    with tab.expect_popup() as opened:
        tab.evaluate("url => { window.held = window.open(url) }", f"{app.url}/runs")
    expect(opened.value.get_by_text("No runs yet.")).to_be_visible()
    assert tab.evaluate("window.held.closed")
    assert opened.value.evaluate("window.opener === null")
    opened.value.close()


def test_nothing_of_a_file_is_left_in_the_server_ten_seconds_after_its_tab_was_closed(
    browser: Browser, app: App, tmp_path: Path
) -> None:
    (tmp_path / FILE_NAME).write_bytes(own_dicom(PATIENT))
    assert app.process is not None
    pid = app.process.pid
    stays = new_tab(browser)
    stays.goto(app.url)
    leaves = new_tab(browser)
    leaves.goto(app.url)
    open_own_picture(leaves, tmp_path / FILE_NAME)
    expect(leaves.get_by_text("is not removed")).to_be_visible()
    assert not holds(pid, PATIENT.encode()), "the header is gone once the image is there"
    leaves.get_by_role("tab", name="Export").click()
    with leaves.expect_download() as download:
        leaves.get_by_role("button", name="PNG", exact=True).click()
    made = Path(download.value.path()).read_bytes()
    slide = made[len(made) // 2 :][:64]
    assert holds(pid, slide), "a slide that was made is kept for the second time"
    row = open_upload(FILE_NAME, own_dicom(PATIENT), visitor="this test")._decoded.frames[0, 64].tobytes()
    assert holds(pid, row), "looked in the right place"
    leaves.close()
    closed = time.monotonic()
    while any(holds(pid, gone) for gone in (row, slide, FILE_NAME.encode(), PATIENT.encode())):
        assert time.monotonic() < closed + GONE_WITHIN_S
        time.sleep(0.2)  # it takes the server's time to look at all of its memory
    expect(stays.get_by_role("img", name=re.compile("Original"))).to_be_visible()
    stays.close()
