"""Fetching in the background: done, failed, cancelled, killed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from medpriv_core.atomic import write_json
from medpriv_core.datasets import fetching, medmnist
from medpriv_core.datasets.fetching import FetchStatus, cancel_fetch, fetch_in_foreground, fetch_status, start_fetch
from medpriv_core.datasets.registry import add_dataset, list_datasets, open_dataset
from medpriv_core.errors import DatasetError, DownloadError
from medpriv_core.home import DataHome
from medpriv_core.locks import hold_lock
from medpriv_core.progress import Cancelled
from tests.datasets.builders import write_npz
from tests.web import Web, serve

NAME, SIZE = "pneumoniamnist", 28


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A mirror with a small npz, whose checksum this process takes for the published one."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    data = write_npz(tmp_path / "made.npz").read_bytes()
    monkeypatch.setitem(medmnist._MD5, (NAME, SIZE), hashlib.md5(data).hexdigest())
    with serve() as web:
        web.files["/pneumoniamnist.npz"] = data
        yield web


def wait_until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@contextmanager
def slow_fetch(home: DataHome, web: Web) -> Iterator[subprocess.Popen[bytes]]:
    """A process that fetches a large file, a little at a time."""
    web.files["/slow/pneumoniamnist.npz"] = bytes(10_000_000)
    script = (
        "import sys; from medpriv_core.datasets.fetching import fetch_in_foreground\n"
        "from medpriv_core.home import data_home\n"
        f"fetch_in_foreground(data_home(), {NAME!r}, {SIZE}, base_url={web.url + '/slow'!r})"
    )
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: (status := fetch_status(home, NAME, SIZE)) and status.done > 0)
            yield process
        finally:
            process.kill()


def test_nothing_is_known_before_the_first_fetch(home: DataHome) -> None:
    assert fetch_status(home, NAME, SIZE) is None
    cancel_fetch(home, NAME, SIZE)


def test_a_fetched_dataset_is_registered(home: DataHome, web: Web) -> None:
    calls: list[tuple[str, int, int]] = []
    entry = fetch_in_foreground(home, NAME, SIZE, base_url=web.url, progress=lambda *call: calls.append(call))
    length = len(web.files["/pneumoniamnist.npz"])
    assert fetch_status(home, NAME, SIZE) == FetchStatus("done", length, length, None)
    assert entry.available
    assert entry.location == str(home.downloads / "pneumoniamnist.npz")
    assert len(open_dataset(home, NAME).split("train").labels) == 20
    assert calls[-1] == ("Downloading pneumoniamnist.npz", length, length)


def test_a_failed_fetch_says_why_and_registers_nothing(home: DataHome, web: Web) -> None:
    with pytest.raises(DownloadError, match="404"):
        fetch_in_foreground(home, NAME, SIZE, base_url=f"{web.url}/nowhere")
    status = fetch_status(home, NAME, SIZE)
    assert status is not None
    assert status.state == "failed"
    assert "404" in (status.message or "")
    assert not any(entry.available for entry in list_datasets(home) if entry.info.name == NAME)


def test_a_cancelled_fetch_leaves_no_part(home: DataHome, web: Web) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        fetch_in_foreground(home, NAME, SIZE, base_url=web.url, progress=stop)
    status = fetch_status(home, NAME, SIZE)
    assert status is not None
    assert status.state == "cancelled"
    assert not list(home.downloads.glob("*.part"))


def test_another_process_can_be_cancelled(home: DataHome, web: Web) -> None:
    with slow_fetch(home, web) as process:
        status = fetch_status(home, NAME, SIZE)
        assert status is not None
        assert (status.state, status.total) == ("running", 10_000_000)
        cancel_fetch(home, NAME, SIZE)
        process.wait(20)
    after = fetch_status(home, NAME, SIZE)
    assert after is not None
    assert after.state == "cancelled"
    assert not list(home.downloads.glob("*.part"))


def test_a_killed_process_is_shown_as_failed_and_can_be_started_again(home: DataHome, web: Web) -> None:
    with slow_fetch(home, web) as process:
        process.send_signal(signal.SIGKILL)
    status = fetch_status(home, NAME, SIZE)
    assert status is not None
    assert status.state == "failed"
    assert "interrupted" in (status.message or "")
    assert fetch_in_foreground(home, NAME, SIZE, base_url=web.url).available
    assert not list(home.downloads.glob("*.part"))


def test_starting_in_the_background_goes_through_the_command_line(home: DataHome, web: Web) -> None:
    # The real checksum is in force in the other process, so the made-up file must be refused there.
    start_fetch(home, NAME, SIZE, base_url=web.url)
    started = fetch_status(home, NAME, SIZE)
    assert started is not None
    assert started.state in ("running", "failed")
    wait_until(lambda: fetch_status(home, NAME, SIZE).state != "running")  # type: ignore[union-attr]
    status = fetch_status(home, NAME, SIZE)
    assert status is not None
    assert status.state == "failed"
    assert "wrong checksum" in (status.message or "")
    assert web.asked == ["/pneumoniamnist.npz"]


def test_a_running_fetch_is_not_started_twice(home: DataHome, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    with slow_fetch(home, web), monkeypatch.context() as patched:
        patched.setattr(fetching, "start_process", lambda *arguments, **options: started.append("again"))
        start_fetch(home, NAME, SIZE)
    assert started == []


def test_a_process_that_cannot_start_is_reported(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    start_fetch(home, NAME, SIZE)
    wait_until(lambda: fetch_status(home, NAME, SIZE).state == "failed")  # type: ignore[union-attr]
    assert "could not be started" in (fetch_status(home, NAME, SIZE).message or "")  # type: ignore[union-attr]


@pytest.mark.parametrize("ahead_s", [-1e7, 0.0, 1e7])
def test_a_process_that_never_said_a_word_is_given_up_by_this_processs_own_clock(
    home: DataHome, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    record = home.downloads / "pneumoniamnist.npz.progress.json"
    write_json(record, {"state": "starting", "started_at": time.time() + ahead_s})
    assert fetch_status(home, NAME, SIZE).state == "running"  # type: ignore[union-attr]
    now = time.monotonic()
    monkeypatch.setattr(fetching.time, "monotonic", lambda: now + 60)
    assert fetch_status(home, NAME, SIZE).state == "failed"  # type: ignore[union-attr]
    write_json(record, {"state": "starting", "mark": "another start"})
    assert fetch_status(home, NAME, SIZE).state == "running"  # type: ignore[union-attr]


def test_no_stranger_is_asked_to_stop_in_the_place_of_a_fetch(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_START_WITHIN_S", 0.1)
    target = home.downloads / "pneumoniamnist.npz"
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        record = {"state": "running", "pid": stranger.pid, "begun": "another boot 4711", "done": 1, "total": 2}
        write_json(target.with_name(f"{target.name}.progress.json"), record)
        with hold_lock(target.with_name(f"{target.name}.fetch.lock")):
            cancel_fetch(home, NAME, SIZE)
        assert stranger.poll() is None
        stranger.kill()


def change_a_byte(file: Path) -> None:
    """One bit in the middle of the file, which looks to the file system as it did before."""
    status, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    medmnist._digest.cache_clear()  # as in the process of a run, which has not looked at it yet


def test_a_fetched_file_of_which_a_byte_was_changed_is_refused_when_it_is_used(home: DataHome, web: Web) -> None:
    fetch_in_foreground(home, NAME, SIZE, base_url=web.url)
    open_dataset(home, NAME)
    file = home.downloads / "pneumoniamnist.npz"
    change_a_byte(file)
    with pytest.raises(DatasetError, match=r"changed or damaged since it was added.*SHA256.*Download it again"):
        open_dataset(home, NAME)
    os.utime(file)  # also where it looks like another file: it is not what MedMNIST publishes
    with pytest.raises(DatasetError, match=r"changed or damaged since it was added.*MD5.*Download it again"):
        open_dataset(home, NAME)
    fetch_in_foreground(home, NAME, SIZE, base_url=web.url)
    open_dataset(home, NAME)


def test_so_is_a_file_of_ones_own_unless_it_was_written_anew(home: DataHome, tmp_path: Path) -> None:
    file = write_npz(tmp_path / "own.npz")
    add_dataset(home, NAME, file)
    change_a_byte(file)
    with pytest.raises(DatasetError, match="Put a sound copy in its place, and add the dataset again"):
        open_dataset(home, NAME)
    write_npz(file, train_images=np.zeros((20, 28, 28), dtype=np.uint8))
    assert len(open_dataset(home, NAME).split("train").labels) == 20
