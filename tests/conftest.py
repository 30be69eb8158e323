"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from medpriv_core.home import DataHome, data_home

SHARED = Path(__file__).resolve().parents[2] / "shared"

if beside := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    # Test processes beside each other share the processors, as do the programs that they start.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(beside))))


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
