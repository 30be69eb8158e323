"""First paint, settled, and layout shift of every page, in a real browser.

Opens each page in a browser that keeps nothing, with a store of some finished runs; each round opens all of them, so
that a slow moment of the machine does not fall on one page. *First paint* is the browser's first contentful paint.
*Settled* is the last change of the document before it stayed as it was for a second and a half. *Layout shift* adds up
all shifts that nobody's input caused (Chromium's layout-shift entries); below 0.1 is called good. *Fetched* is what
came over the wire. The browser shares the machine with the server here, which visitors' browsers do not.

    python -m benchmarks.pages [--rounds 3] [--runs 5] [--width 1280] [--height 720] [--pages compare runs]

On a machine that was busy with something else meanwhile it says so and exits with 3.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.judged import judged
from benchmarks.runs_list import fill
from benchmarks.served_app import ServedApp, serve_app
from medpriv_core.home import DataHome

PAGES = ("explore", "train", "sweep", "runs", "compare", "risk", "datasets")
ADDRESSES = {page: "" if page == "explore" else page for page in PAGES}  # the first page has the app's own
QUIET_MS = 1500
PATIENCE_MS = 60_000
EPOCHS = 10
# Notes what the browser tells of the page, from its first moment on.
WATCH = """
window.seen = {changed: 0, shift: 0, bytes: 0};
new MutationObserver(() => { seen.changed = performance.now(); })
  .observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) seen.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""
SETTLED = f"""
() => document.querySelector("[data-testid=stMainBlockContainer] h1, [data-testid=stMainBlockContainer] h2")
  && !document.querySelector("[data-testid=stStatusWidget]") && performance.now() - seen.changed > {QUIET_MS}
"""
READ = """
() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
  settled: seen.changed,
  shift: seen.shift,
  bytes: performance.getEntriesByType("resource").reduce((sum, entry) => sum + entry.transferSize, 0),
})
"""


@dataclass(frozen=True)
class Opening:
    """One opening of a page: milliseconds, layout shift without unit, bytes over the wire."""

    paint: float
    settled: float
    shift: float
    bytes: float


def open_page(browser: Browser, app: ServedApp, page: str, size: dict[str, Any]) -> Opening:
    """Open a page in a context of its own, which has kept nothing, and wait until it has settled."""
    with browser.new_context(viewport=size) as context:  # type: ignore[arg-type]
        tab = context.new_page()
        tab.add_init_script(WATCH)
        tab.goto(f"{app.url}/{ADDRESSES[page]}", wait_until="commit")
        tab.wait_for_function(SETTLED, timeout=PATIENCE_MS)
        return Opening(**tab.evaluate(READ))


def report(page: str, opened: list[Opening]) -> None:
    """One line: medians, and the largest of settled and shift."""
    middle = {name: statistics.median(getattr(each, name) for each in opened) for name in Opening.__annotations__}
    slowest = max(each.settled for each in opened)
    shift = max(each.shift for each in opened)
    print(
        f"{page:10} {middle['paint'] / 1000:8.2f} s {middle['settled'] / 1000:8.2f} s {slowest / 1000:8.2f} s"
        f" {middle['shift']:7.3f} {shift:7.3f} {middle['bytes'] / 1e6:7.1f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=PAGES)
    options = parser.parse_args()
    size = {"width": options.width, "height": options.height}
    with judged(), tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = DataHome(Path(folder))
        fill(home, runs=options.runs, epochs=EPOCHS)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with serve_app(home) as app:
            print(
                f"{'':10} {'painted':>10} {'settled':>10} {'slowest':>10} {'shift':>7} {'largest':>7} {'fetched':>10}"
            )
            open_page(browser, app, options.pages[0], size)  # a new server's first visitor waits for its imports
            opened = [
                {page: open_page(browser, app, page, size) for page in options.pages} for _ in range(options.rounds)
            ]
            for page in options.pages:
                report(page, [round_[page] for round_ in opened])
        browser.close()


if __name__ == "__main__":
    main()
