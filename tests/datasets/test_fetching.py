"""Fetching as a job: done, failed, stopped, killed."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from medpriv_core.datasets import medmnist
from medpriv_core.datasets.fetching import fetch_and_wait, fetch_job, start_fetch
from medpriv_core.datasets.registry import add_dataset, list_datasets, open_dataset
from medpriv_core.errors import DatasetError, DownloadError
from medpriv_core.home import DataHome
from medpriv_core.jobs.job import Job, JobStatus
from medpriv_core.progress import Cancelled
from tests.datasets.builders import write_npz
from tests.jobs.here import work_here
from tests.processes import processes
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
        web.files["/slow/pneumoniamnist.npz"] = bytes(10_000_000)
        yield web


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is done by a thread, which has the checksum of the small npz."""
    work_here(monkeypatch)


def status_when(job: Job, good: Callable[[JobStatus], bool], timeout_s: float = 60.0) -> JobStatus:
    deadline = time.monotonic() + timeout_s
    while (status := job.status()) is None or not good(status):
        assert time.monotonic() < deadline, (status, job.log_tail())
        time.sleep(0.02)
    return status


def test_nothing_is_known_before_the_first_fetch(home: DataHome) -> None:
    job = fetch_job(home, NAME, SIZE)
    job.stop()
    assert job.status() is None
    with pytest.raises(DatasetError, match="There is no imagenet"):
        fetch_job(home, "imagenet", SIZE)


def test_a_fetched_dataset_is_registered(home: DataHome, web: Web, here: None) -> None:
    calls: list[tuple[str, int, int]] = []
    entry = fetch_and_wait(home, NAME, SIZE, base_url=web.url, progress=lambda *call: calls.append(call))
    assert fetch_job(home, NAME, SIZE).status().state == "finished"
    assert entry.available
    assert entry.location == str(home.downloads / "pneumoniamnist.npz")
    assert len(open_dataset(home, NAME).split("train").labels) == 20


def test_a_failed_fetch_says_why_and_registers_nothing(home: DataHome, web: Web, here: None) -> None:
    with pytest.raises(DownloadError, match="404"):
        fetch_and_wait(home, NAME, SIZE, base_url=f"{web.url}/nowhere")
    assert not any(entry.available for entry in list_datasets(home) if entry.info.name == NAME)


def test_a_cancelled_fetch_leaves_no_part(home: DataHome, web: Web, here: None) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        if done:
            raise Cancelled

    with pytest.raises(Cancelled):
        fetch_and_wait(home, NAME, SIZE, base_url=f"{web.url}/slow", progress=stop)
    assert fetch_job(home, NAME, SIZE).status().state == "cancelled"
    assert not list(home.downloads.glob("*.part"))


def test_a_killed_process_is_shown_as_failed_and_can_be_started_again(
    home: DataHome, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_fetch(home, NAME, SIZE, base_url=f"{web.url}/slow")
    assert status_when(job, lambda status: status.done > 0).total == 10_000_000
    (process,) = processes(home, "job")
    process.kill()
    assert status_when(job, lambda status: status.state != "running").message == Job.KILLED
    work_here(monkeypatch)
    assert fetch_and_wait(home, NAME, SIZE, base_url=web.url).available
    assert not list(home.downloads.glob("*.part"))


def test_starting_in_the_background_goes_through_the_command_line(home: DataHome, web: Web) -> None:
    # The real checksum is in force in the other process, so the made-up file must be refused there.
    job = start_fetch(home, NAME, SIZE, base_url=web.url)
    assert job.status().state == "running"
    ended = status_when(job, lambda status: status.state != "running")
    assert ended.state == "failed"
    assert "wrong checksum" in (ended.message or "")
    assert web.asked == ["/pneumoniamnist.npz"]


def change_a_byte(file: Path) -> None:
    """One bit in the middle of the file, which looks to the file system as it did before."""
    status, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    medmnist._digest.cache_clear()  # as in the process of a run, which has not looked at it yet


def test_a_fetched_file_of_which_a_byte_was_changed_is_refused_when_it_is_used(
    home: DataHome, web: Web, here: None
) -> None:
    fetch_and_wait(home, NAME, SIZE, base_url=web.url)
    open_dataset(home, NAME)
    file = home.downloads / "pneumoniamnist.npz"
    change_a_byte(file)
    with pytest.raises(DatasetError, match=r"changed or damaged since it was added.*SHA256.*Download it again"):
        open_dataset(home, NAME)
    os.utime(file)  # also where it looks like another file: it is not what MedMNIST publishes
    with pytest.raises(DatasetError, match=r"changed or damaged since it was added.*MD5.*Download it again"):
        open_dataset(home, NAME)
    fetch_and_wait(home, NAME, SIZE, base_url=web.url)
    open_dataset(home, NAME)


def test_so_is_a_file_of_ones_own_unless_it_was_written_anew(home: DataHome, tmp_path: Path) -> None:
    file = write_npz(tmp_path / "own.npz")
    add_dataset(home, NAME, file)
    change_a_byte(file)
    with pytest.raises(DatasetError, match="Put a sound copy in its place, and add the dataset again"):
        open_dataset(home, NAME)
    write_npz(file, train_images=np.zeros((20, 28, 28), dtype=np.uint8))
    assert len(open_dataset(home, NAME).split("train").labels) == 20
