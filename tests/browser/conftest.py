"""A real app on a port of its own, and a real browser looking at it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from medpriv_core.home import DataHome
from tests.processes import processes

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    # There is nobody to look at it: half of its time goes into compilers, for pages that are gone before they would
    # pay, and into processors that work beside each other.
    "--disable-gpu-compositing",
    "--num-raster-threads=1",
    "--js-flags=--no-turbofan --no-maglev --single-threaded-gc",
)
PATIENCE_S = 60
SIZE: ViewportSize = {"width": 1440, "height": 1000}
# Folders of a data home that can be made again from what is built in.
COMPUTED = ("prepared", "features")
# No test asks how fast a page is: on a busy machine the first one of a server takes more than the default of 5 s.
expect.set_options(timeout=PATIENCE_S * 1000)


@dataclass
class App:
    """The app as its user starts it; ``start`` again after ``kill`` for a restart. Or another ``script`` of tests."""

    home: DataHome
    port: int
    script: str = "app.py"
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        # A worker that waits would load torch in each of these tests, most of which train nothing.
        environment = os.environ | {"MEDPRIV_HOME": str(self.home.root), "MEDPRIV_SPARE_WORKER": "off"}
        if self.script != "app.py":
            environment["PYTHONPATH"] = str(ROOT)
        environment.pop("MEDPRIV_WEIGHTS", None)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "streamlit", "run", self.script, "--server.port", str(self.port)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise AssertionError("the app did not start")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def serve(home: DataHome, *, script: str = "app.py") -> Iterator[App]:
    """A fresh server on a data home; everything it started is gone afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        app = App(home, free.getsockname()[1], script)
    app.start()
    try:
        yield app
    finally:
        app.kill()
        for process in processes(home):
            process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One server for all tests of a file: starting one takes seconds."""
    with serve(DataHome(tmp_path_factory.mktemp("browser") / "home")) as app:
        yield app


@pytest.fixture
def app(server: App) -> Iterator[App]:
    """The app on an empty data home, in which only what is computed from the built-in images may be there already."""
    if not server.is_alive:  # a test that killed it has failed
        server.start()
    yield server
    empty(server.home)


def empty(home: DataHome) -> None:
    """End all that works in a data home but the server, and take all out of it that people put there."""
    while at_work := processes(home):
        for process in at_work:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.01)
    for entry in home.root.iterdir():
        if entry.is_file():
            entry.unlink()
        elif entry.name not in COMPUTED:
            shutil.rmtree(entry)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium from the system; without it these tests are skipped, or fail where one is required.

    Gone with its file: Playwright keeps an event loop running in this thread as long as it is there, and files that
    this process takes up next start their own.
    """
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        reason = f"no browser on this machine (looked for {', '.join(BROWSERS)})"
        if os.environ.get("MEDPRIV_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


def new_tab(browser: Browser, **settings: Any) -> Page:
    """A visitor of its own who wants no motion: a skeleton that pulsates costs as much as what it waits for."""
    tab = browser.new_page(viewport=SIZE, reduced_motion="reduce", **settings)
    tab.set_default_timeout(PATIENCE_S * 1000)
    return tab


@contextmanager
def watched(tab: Page, app: App) -> Iterator[Page]:
    """Fails if a page in the tab asks another machine for anything, is denied something, or a script fails."""
    strangers: list[str] = []
    errors: list[str] = []
    blocked: list[str] = []
    on: Any = tab.on
    hear: dict[str, Callable[[Any], object]] = {
        "request": lambda request: None if is_local(request.url, app) else strangers.append(request.url),
        "pageerror": lambda error: errors.append(str(error)),
        "console": lambda said: blocked.append(said.text) if "Content Security Policy" in said.text else None,
    }
    for event, note in hear.items():
        on(event, note)
    yield tab
    for event, note in hear.items():
        tab.remove_listener(event, note)
    assert strangers == []
    assert errors == []
    assert blocked == []


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One tab for all tests of a file: a page that is loaded again is there in a third of the time."""
    tab = new_tab(browser)
    yield tab
    tab.close()


@pytest.fixture
def page(tab: Page, app: App) -> Iterator[Page]:
    """The tab as wide as ever, with nothing of an earlier test in it."""
    tab.set_viewport_size(SIZE)
    tab.mouse.move(0, 0)
    with watched(tab, app):
        yield tab
        tab.goto("about:blank")


def is_local(url: str, app: App) -> bool:
    """Whether a request stays on this server (or needs none)."""
    own = tuple(f"{scheme}://{name}:{app.port}" for scheme in ("http", "ws") for name in ("127.0.0.1", "localhost"))
    return url.startswith((*own, "data:", "blob:"))
