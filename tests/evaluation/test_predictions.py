"""Predictions: what is written is read, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpriv_core.errors import DataHomeError, RunError
from medpriv_core.evaluation.predictions import Predictions, read_predictions, write_predictions

LABELS = np.array([0, 1, 1], dtype=np.int64)
CLEAN = np.array([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]], dtype=np.float32)
NOISED = CLEAN[::-1].copy()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "predictions.npz"


@pytest.mark.parametrize("noised", [None, NOISED])
def test_what_was_written_is_read(path: Path, noised: np.ndarray | None) -> None:
    write_predictions(path, Predictions(7, LABELS, CLEAN, noised))
    found = read_predictions(path)
    assert found is not None
    assert found.epoch == 7
    assert found.labels.dtype == np.int64
    assert np.array_equal(found.labels, LABELS)
    assert list(found.test_sets) == ["test"] + ["test_noised"] * (noised is not None)
    for name, probabilities in found.test_sets.items():
        assert probabilities.dtype == np.float32
        assert np.array_equal(probabilities, CLEAN if name == "test" else NOISED)


def test_a_run_without_predictions_has_none(path: Path) -> None:
    assert read_predictions(path) is None


def test_a_failed_write_leaves_the_old_ones_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_predictions(path, Predictions(1, LABELS, CLEAN))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataHomeError, match="full"):
        write_predictions(path, Predictions(2, LABELS, NOISED))
    found = read_predictions(path)
    assert found is not None
    assert found.epoch == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kept", [0, 10, 100, 400, -30])
def test_a_torn_file_is_refused_in_a_sentence(path: Path, kept: int) -> None:
    write_predictions(path, Predictions(1, LABELS, CLEAN))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(RunError, match="damaged"):
        read_predictions(path)


GOOD: dict[str, Any] = {"epoch": np.int64(1), "labels": LABELS, "test": CLEAN}


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": LABELS[:2]},
        {"labels": LABELS + 1},
        {"labels": LABELS - 1},
        {"labels": LABELS.astype(np.float64)},
        {"labels": np.array([None] * 3)},
        {"test": CLEAN.astype(np.float64)},
        {"test": CLEAN[:, :1]},
        {"test": CLEAN * 2},
        {"test": CLEAN - [[0.5, -0.5]]},
        {"test": np.full_like(CLEAN, np.nan)},
        {"test": CLEAN[:0], "labels": LABELS[:0]},
        {"test_noised": NOISED[:2]},
        {"test_noised": np.full_like(CLEAN, np.inf)},
        {"epoch": np.array([1, 2])},
    ],
)
def test_foreign_content_is_refused_in_a_sentence(path: Path, changes: dict[str, Any]) -> None:
    np.savez(path, **(GOOD | changes))
    with pytest.raises(RunError, match="damaged"):
        read_predictions(path)


def test_an_archive_that_unpacks_to_gigabytes_is_refused_by_its_header(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medpriv_core.evaluation.predictions.MAX_BYTES", 5000)
    np.savez_compressed(path, **(GOOD | {"unused": np.zeros(10_000)}))
    assert path.stat().st_size < 5000
    with pytest.raises(RunError, match="damaged"):
        read_predictions(path)
    np.savez_compressed(path, **GOOD)
    assert read_predictions(path) is not None
