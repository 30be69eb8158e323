"""How long a visitor waits from *Launch* to the first point of the curve, with a worker that waits and without.

Serves the app, and in a real browser launches the quick preset under DP-SGD again and again. The first launch is not
counted: it makes images and features, and the browser fetches the library of charts. Where a worker is to wait, the
launch comes when it has loaded all that it loads.

    python -m benchmarks.launch [--times 5]

On a machine that was busy with something else meanwhile it says so and exits with 3.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

from benchmarks.judged import judged
from benchmarks.served_app import ServedApp, serve_app
from medpriv_core.home import DataHome

PATIENCE_S = 180
POINT = ".js-plotly-plot .scatterlayer .point"
WAYS = {"a worker waits": "on", "none waits": "off"}


def launch(page: Page, app: ServedApp, home: DataHome, *, waiting: bool) -> tuple[float, float]:
    """Seconds from the click until the page of runs is there, and until the first point is."""
    page.goto(f"{app.url}/train")
    page.get_by_role("radio", name="DP-SGD").or_(page.get_by_text("DP-SGD", exact=True)).first.click()
    page.get_by_text("ε = ").first.wait_for()
    button = page.get_by_role("button", name="Launch")
    button.wait_for()
    if waiting:
        await_loaded(home)
    begun = time.perf_counter()
    button.click()
    page.wait_for_url("**/runs?**")
    there_s = time.perf_counter() - begun
    page.locator(POINT).first.wait_for(state="attached")
    seconds = time.perf_counter() - begun
    page.get_by_role("button", name="Replay").wait_for()  # it has ended
    return there_s, seconds


def await_loaded(home: DataHome) -> None:
    """Until the process that waits uses the processor no more."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            if line[-1:] == ["spare"] and process.environ().get("MEDPRIV_HOME") == str(home.root):
                used = sum(process.cpu_times()[:2])
                time.sleep(1.0)
                if used > 1.0 and sum(process.cpu_times()[:2]) - used < 0.05:
                    return
        time.sleep(0.1)
    raise TimeoutError("no worker waits")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    with judged(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, sync_playwright() as play:
        home = DataHome(Path(folder) / "home")
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        print(f"{'seconds after Launch, the median (worst)':42} {'page of runs':>14} {'first point':>14}")
        for words, switch in WAYS.items():
            with serve_app(home, MEDPRIV_SPARE_WORKER=switch) as app:
                page = browser.new_page(viewport={"width": 1280, "height": 720})
                page.set_default_timeout(1000 * PATIENCE_S)
                launch(page, app, home, waiting=False)
                taken = [launch(page, app, home, waiting=switch == "on") for _ in range(times)]
            columns = (f"{statistics.median(one):.1f} ({max(one):.1f})" for one in zip(*taken, strict=True))
            print(f"{words:42} " + " ".join(f"{column:>14}" for column in columns), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
