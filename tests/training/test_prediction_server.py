"""The process that holds networks: which it keeps, and what it answers when something goes wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpriv_core.errors import WeightsError
from medpriv_core.home import DataHome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.training import prediction_server
from medpriv_core.training.prediction_server import Networks, answer
from medpriv_core.training.predictor import Predictor

PICTURE = np.zeros((16, 16, 1), dtype=np.uint8)


class Loader:
    """Stands in for ``load_predictor`` and remembers which runs were loaded."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def __call__(self, directory: RunDirectory, *, home: DataHome) -> Predictor:
        self.loaded.append(directory.path.name)
        return Predictor(
            ("a", "b"), 1, 16, "squash", 16, lambda images: images.float().mean((1, 2, 3))[:, None].repeat(1, 2)
        )


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Loader:
    made = Loader()
    monkeypatch.setattr(prediction_server, "load_predictor", made)
    return made


def directory(folder: Path, name: str) -> RunDirectory:
    made = RunDirectory(folder / name)
    if not made.path.exists():
        made.path.mkdir()
        made.checkpoint.touch()
    return made


def test_the_last_two_networks_are_kept(tmp_path: Path, home: DataHome, loader: Loader) -> None:
    networks = Networks()
    for name in ("a", "b", "a", "c", "a", "b"):
        networks.get(directory(tmp_path, name), home=home)
    assert loader.loaded == ["a", "b", "c", "b"]


def test_a_network_that_was_replaced_is_loaded_anew(tmp_path: Path, home: DataHome, loader: Loader) -> None:
    networks, run = Networks(), directory(tmp_path, "a")
    networks.get(run, home=home)
    os.utime(run.checkpoint, ns=(1, 1))
    networks.get(run, home=home)
    assert loader.loaded == ["a", "a"]


def test_a_network_that_was_deleted_is_not_asked_any_more(tmp_path: Path, home: DataHome) -> None:
    networks, run = Networks(), directory(tmp_path, "a")
    run.checkpoint.unlink()
    reply, arrays = answer({"home": str(home.root), "run": str(run.path)}, [PICTURE], networks)
    assert reply["error"] == "RunError"
    assert "spec.json" in reply["message"]
    assert arrays == []


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (WeightsError("The weights are gone."), "WeightsError", "The weights are gone."),
        (MemoryError(), "RunError", "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "RunError", "not enough memory"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    error: Any,
    kind: Any,
    words: Any,
    tmp_path: Path,
    home: DataHome,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(prediction_server, "load_predictor", fail)
    question = {"home": str(home.root), "run": str(directory(tmp_path, "a").path)}
    reply, arrays = answer(question, [PICTURE], Networks())
    assert reply["error"] == kind
    assert words in reply["message"]
    assert arrays == []
    assert capsys.readouterr().err == ""


def test_a_bug_is_a_sentence_for_the_page_and_a_traceback_for_the_console(
    tmp_path: Path, home: DataHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prediction_server, "load_predictor", lambda *_, **__: 1 / 0)
    question = {"home": str(home.root), "run": str(directory(tmp_path, "a").path)}
    reply, _ = answer(question, [PICTURE], Networks())
    assert reply["message"] == "The network stopped on an internal error (ZeroDivisionError: division by zero)."
    assert "Traceback" in capsys.readouterr().err


def test_an_answer_has_the_classes_and_a_row_for_each_picture(tmp_path: Path, home: DataHome, loader: Loader) -> None:
    question = {"home": str(home.root), "run": str(directory(tmp_path, "a").path)}
    reply, (probabilities,) = answer(question, [PICTURE, PICTURE], Networks())
    assert reply == {"classes": ("a", "b")}
    assert np.array_equal(probabilities, np.full((2, 2), 0.5, dtype=np.float32))
