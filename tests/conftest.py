"""Fixtures that every part of the suite shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from medpriv_core.home import DataHome, data_home

SHARED = Path(__file__).resolve().parents[2] / "shared"


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
