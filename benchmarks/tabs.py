"""Tabs of a real browser that watch one run in a store of hundreds: how soon each shows an epoch, and what it costs.

Fills a data home of its own with finished runs and one that trains, as far as their files tell: an epoch every two
seconds. Reports how long the page of runs takes to open, the delay between an epoch's end and each tab's saying so,
and what server and browser use. The browser shares the machine with the server here, which visitors' browsers do not.

    python -m benchmarks.tabs [--tabs 20] [--runs 500] [--epochs 50]

On a machine that was busy with something else meanwhile it says so and exits with 3.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from playwright.sync_api import BrowserContext, Page, sync_playwright

from benchmarks.judged import judged
from benchmarks.runs_list import epoch, fill, read_options
from benchmarks.served_app import ServedApp, serve_app
from medpriv_core.home import DataHome
from medpriv_core.locks import hold_lock
from medpriv_core.runs.directory import RunDirectory

EPOCHS_WATCHED = 10
EPOCH_S = 2.0
PATIENCE_S = 300
ALL_EPOCHS = 10_000
# Notes in the tab when each epoch was first said.
OBSERVER = r"""
window.saidAt = {};
new MutationObserver(() => {
  const said = document.body.innerText.match(/Epoch (\d+) of 10000/);
  if (said && !(said[1] in window.saidAt)) window.saidAt[said[1]] = Date.now() / 1000;
}).observe(document, {subtree: true, childList: true, characterData: true});
"""


def begin_epoch(directory: RunDirectory, number: int) -> float:
    """Finish the epoch before this one and begin it; returns the time."""
    directory.append_epoch(epoch(number - 1))
    directory.write_progress(phase=f"Epoch {number} of {ALL_EPOCHS}", done=number, total=ALL_EPOCHS, seconds_left=900)
    return time.time()


def open_tab(browser: BrowserContext, app: ServedApp, run_id: str) -> tuple[Page, float]:
    """A tab that shows the run's chart and the list, and the seconds until it did."""
    page = browser.new_page()
    page.add_init_script(OBSERVER)
    begun = time.perf_counter()
    page.goto(f"{app.url}/runs?run={run_id}", wait_until="commit")
    for shown in (".js-plotly-plot .main-svg", "[data-testid=stDataFrame] canvas"):
        page.locator(shown).first.wait_for(state="visible", timeout=1000 * PATIENCE_S)
    return page, time.perf_counter() - begun


def used_s(process: psutil.Process) -> float:
    """Processor seconds of a process and its children so far."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def watch(tabs: Sequence[Page], app: ServedApp, directory: RunDirectory, first: int) -> None:
    """Let epochs end and print how the tabs and the server fared."""
    server = psutil.Process(app.pid)
    used, begun, ended_at = used_s(server), time.perf_counter(), {}
    for number in range(first, first + EPOCHS_WATCHED):
        ended_at[number] = begin_epoch(directory, number)
        time.sleep(EPOCH_S)
    time.sleep(2 * EPOCH_S)
    share = (used_s(server) - used) / (time.perf_counter() - begun)
    delays, missed = [], 0
    for tab in tabs:
        said_at = {int(number): moment for number, moment in tab.evaluate("window.saidAt").items()}
        delays += [said_at[number] - moment for number, moment in ended_at.items() if number in said_at]
        missed += sum(number not in said_at for number in ended_at)
    print(f"an epoch is said after   {statistics.median(delays):6.2f} s (median), {max(delays):.2f} s at worst")
    print(f"epochs passed over       {missed:6} of {len(tabs) * len(ended_at)}")
    print(f"the server uses          {100 * share:6.0f} % of a core, {server.memory_info().rss / 2**20:.0f} MiB")
    wrong = [tab for tab in tabs if tab.locator("[data-testid=stException], [data-testid=stAlert]").count()]
    print(f"tabs with a complaint    {len(wrong):6}")


def main() -> None:
    """Print the figures."""
    options = read_options(__doc__ or "")
    with judged(), tempfile.TemporaryDirectory() as folder:
        home = DataHome(Path(folder) / "home")
        run_id = fill(home, runs=options.runs, epochs=options.epochs)
        directory = RunDirectory(home.runs / run_id)
        # As if a runner and a worker were at it, so that none is started.
        with hold_lock(home.runner_lock), hold_lock(directory.lock), serve_app(home) as app, sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            # One for all tabs, so that they share what the browser has kept of the app's files.
            visitor = browser.new_context(viewport={"width": 1280, "height": 900})
            begin_epoch(directory, options.epochs + 1)
            opened = [open_tab(visitor, app, run_id) for _ in range(options.tabs)]
            tabs, seconds = zip(*opened, strict=True)
            print(f"{options.tabs} tabs, {options.runs} runs of {options.epochs} epochs")
            then = f", then {min(seconds[1:]):.2f} s" if len(seconds) > 1 else ""
            print(f"the page opens in        {seconds[0]:6.2f} s at a new server{then}")
            watch(tabs, app, directory, options.epochs + 2)
            browser.close()


if __name__ == "__main__":
    main()
