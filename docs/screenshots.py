"""Makes the pictures of the README: starts the app on an empty data home, uses it, and photographs it.

    MEDPRIV_WEIGHTS=resnet18.pth python -m docs.screenshots [explore] [train] [runs] [compare]

Needs Chromium. Without ``MEDPRIV_WEIGHTS`` the run starts from random weights. Its 640 pictures of 224 pixels take
minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.served_app import serve_app
from medpriv_core.home import DataHome
from medpriv_core.locks import is_held
from medpriv_core.runs import service

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
PATIENCE_S = 900


def main() -> None:
    wanted = sys.argv[1:] or list(PICTURES)
    with tempfile.TemporaryDirectory() as folder:
        home = DataHome(Path(folder))
        try:
            with serve_app(home) as app, sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
                )
                for name in wanted:
                    page = browser.new_page(viewport={"width": 1280, "height": 960})
                    PICTURES[name](page, app.port)
                    page.close()
                browser.close()
        finally:
            end_runs(home)


def end_runs(home: DataHome) -> None:
    """Stop what still runs, and wait until the runner has left: the data home is about to vanish."""
    for run in service.list_runs(home):
        if not run.ended:
            service.cancel(home, run.id)
    deadline = time.monotonic() + 60
    while is_held(home.runner_lock) and time.monotonic() < deadline:
        time.sleep(0.5)


def take_explore(page: Page, port: int) -> None:
    """The landing page as a first visitor sees it."""
    page.goto(f"http://127.0.0.1:{port}/")
    page.get_by_text("yours, β = 0.5").wait_for()
    page.wait_for_timeout(2000)
    page.screenshot(path=IMAGES / "explore.png")


def take_train(page: Page, port: int) -> None:
    """The run of the paper's authors before its launch, with the lights that show why its epsilon does not hold."""
    page.set_viewport_size({"width": 1280, "height": 1060})
    open_train(page, port)
    page.locator(".st-key-preset_authors button").click()
    page.get_by_text("No ε holds for this run").wait_for()
    page.wait_for_timeout(2000)
    page.screenshot(path=IMAGES / "train.png")


def take_runs(page: Page, port: int) -> None:
    """A private run on the synthetic radiographs, after its last epoch."""
    page.set_viewport_size({"width": 1280, "height": 1330})
    open_train(page, port)
    page.locator(".st-key-preset_sound button").click()
    page.get_by_text("one image replaced by an empty one").wait_for()
    if not os.environ.get("MEDPRIV_WEIGHTS"):
        page.get_by_role("combobox", name=re.compile("Pretrained weights")).click()
        page.get_by_role("option", name="None (random start)").click()
    page.wait_for_timeout(2000)
    page.get_by_role("button", name="Launch").click()
    page.get_by_text("finished").first.wait_for(timeout=1000 * PATIENCE_S)
    page.mouse.move(0, 0)
    page.wait_for_timeout(2000)
    page.screenshot(path=IMAGES / "runs.png")


def take_compare(page: Page, port: int) -> None:
    """The frontier over the reference set."""
    page.set_viewport_size({"width": 1280, "height": 1260})
    page.goto(f"http://127.0.0.1:{port}/compare?view=frontier")
    page.get_by_label(re.compile("AUROC against the epsilon that holds")).wait_for()
    page.wait_for_timeout(5000)
    page.screenshot(path=IMAGES / "compare.png")


def open_train(page: Page, port: int) -> None:
    """The train page, drawn to its end."""
    page.goto(f"http://127.0.0.1:{port}/train")
    page.get_by_text("Before you launch").wait_for()
    page.get_by_role("button", name="Launch").wait_for()


PICTURES = {"explore": take_explore, "train": take_train, "runs": take_runs, "compare": take_compare}


if __name__ == "__main__":
    main()
