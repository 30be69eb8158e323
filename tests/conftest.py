"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from medpriv_core.home import DataHome, data_home

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parents[1] / "shared"

# The files of tests that take longest, the longest first. They begin first, so that at the end no process is left alone
# with one of them while the others have nothing to do.
LONGEST = (
    "browser/test_journeys.py",
    "browser/test_doors.py",
    "browser/test_accessibility.py",
    "browser/test_compare.py",
    "runs/test_faults.py",
    "browser/test_text_from_elsewhere.py",
    "browser/test_picture_viewer.py",
    "pages/test_explore.py",
    "cli/test_processes.py",
    "training/test_worker.py",
    "training/test_self_test.py",
    "training/test_adding_an_architecture.py",
    "real_data/test_main_job.py",
    "test_fuzz.py",
    "documents/test_notebooks.py",
    "evaluation/test_coverage.py",
    "runs/test_damaged_runs.py",
    "training/test_predictor.py",
    "runs/test_processes.py",
    "training/audit/test_canaries.py",
    "attacks/test_undo.py",
    "training/test_benchmark.py",
    "test_adding_a_metric.py",
    "runs/test_damage.py",
    "datasets/test_damaged_arrays.py",
    "exports/test_sharing.py",
    "exports/test_stopped_runs.py",
    "pages/test_slides.py",
    "exports/test_charts.py",
    "runs/test_diagnosis.py",
    "pages/test_serving.py",
    "cli/test_noise_labels.py",
    "training/test_spent.py",
    "cli/test_export.py",
    "exports/test_run_archive.py",
    "datasets/test_adding_a_dataset.py",
    "browser/test_waiting.py",
    "test_adding_a_setting.py",
    "datasets/synthetic/test_fundus.py",
)

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # As a shell has it for what it starts in the background: programs that tests start would not hear Ctrl-C either.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if beside := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    # Test processes beside each other share the processors, as do the programs that they start.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(beside))))


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors, since tests often wait for a browser or for another process."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first; xdist, unless told ``--no-loadscope-reorder``, begins with those that have most tests."""
    places = {TESTS / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


# A property is tried on the same examples each time, so that nobody's change fails by another's bad luck; and how long
# one takes depends on the machine.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """What is there by now, some million objects, stays; looking through it again and again takes time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def no_power_cut() -> Iterator[None]:
    """Files reach the disk when they do: that only matters to a machine that loses its power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(autouse=True, scope="module")
def no_event_loop_left() -> Iterator[None]:
    """A loop that a file of tests leaves running in this thread fails the next file that starts one, as Playwright's.

    Which file comes next depends on how fast the others were, so that it fails on one machine and not on another.
    """
    yield
    assert asyncio._get_running_loop() is None


@pytest.fixture(autouse=True)
def own_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's AppTest puts its script in this place, which processes that a later test starts would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataHome:
    """An empty data home of the test's own; no test touches the user's."""
    monkeypatch.setenv("MEDPRIV_HOME", str(tmp_path / "home"))
    return data_home()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images beside the checkout; skips the test where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"real images are not on this machine (looked in {folder})")
    return folder


@pytest.fixture(scope="session")
def imagenet_weights() -> Path:
    """A pretrained ResNet-18 state dict beside the checkout; skips the test where it is absent."""
    file = SHARED / "weights" / "resnet18_imagenet.pth"
    if not file.is_file():
        pytest.skip(f"pretrained weights are not on this machine (looked for {file})")
    return file
