"""Makes the pictures of the README: starts the app on an empty data home, uses it, and photographs it.

    MEDPRIV_WEIGHTS=resnet18.pth python docs/screenshots.py

Needs Chromium. Without ``MEDPRIV_WEIGHTS`` the run starts from random weights.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"


def main() -> None:
    with socket.socket() as free, tempfile.TemporaryDirectory() as home:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            env=os.environ | {"MEDPRIV_HOME": home},
        )
        try:
            wait_until_up(f"http://127.0.0.1:{port}/_stcore/health")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
                )
                page = browser.new_page(viewport={"width": 1280, "height": 860})
                take_explore(page, port)
                take_run(page, port)
                browser.close()
        finally:
            server.terminate()
            server.wait()
            # The runner leaves by itself when idle; here its data home is about to vanish.
            subprocess.run(["pkill", "-f", "medpriv_core runner"], check=False)


def wait_until_up(address: str) -> None:
    """Return when the server answers; raises ``TimeoutError`` after a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise TimeoutError(address)


def take_explore(page: Page, port: int) -> None:
    """The landing page as a first visitor sees it."""
    page.goto(f"http://127.0.0.1:{port}/")
    page.get_by_text("yours, β = 0.5").wait_for()
    page.wait_for_timeout(2000)
    page.screenshot(path=IMAGES / "explore.png")


def take_run(page: Page, port: int) -> None:
    """A private run on the synthetic radiographs, after its last epoch."""
    page.goto(f"http://127.0.0.1:{port}/train")
    page.get_by_role("button", name="Use this").first.click()
    page.get_by_text("one image added or removed").wait_for()
    if not os.environ.get("MEDPRIV_WEIGHTS"):
        page.get_by_role("combobox", name=re.compile("Pretrained weights")).click()
        page.get_by_role("option", name="None (random start)").click()
    page.wait_for_timeout(2000)
    page.get_by_role("button", name="Launch").click()
    page.get_by_text("finished").first.wait_for(timeout=180_000)
    page.wait_for_timeout(2000)
    page.screenshot(path=IMAGES / "runs.png")


if __name__ == "__main__":
    main()
