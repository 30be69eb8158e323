"""What a run's network said of each test image, kept so that any figure can be computed later.

``predictions.npz`` in the run directory holds the last epoch written, and is replaced by rename: a reader finds the
old file or the new one. It names no image, only their order in the test set. Like accuracy, it is a result on
patients' images without noise: the epsilon of the run does not cover it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medpriv_core.atomic import replace_file
from medpriv_core.errors import RunError
from medpriv_core.npz_file import read_array, read_header
from medpriv_core.strict_json import open_regular
from medpriv_core.zips import open_zip

FILE_NAME = "predictions.npz"
# Of the arrays together; a million test images of ten classes need 90 MB.
MAX_BYTES = 256 << 20
MOST_MEMBERS = 1000
TOLERANCE = 1e-3
_NAMES = {"epoch", "labels", "test", "test_noised"}


@dataclass(frozen=True)
class Predictions:
    """What the network says after ``epoch`` (from 1).

    labels       true classes, int64 (n,)
    test         probabilities on the test images, float32 (n, classes); each row adds up to 1
    test_noised  the same on noised test images, under Local-DP; else None
    """

    epoch: int
    labels: np.ndarray
    test: np.ndarray
    test_noised: np.ndarray | None = None

    @property
    def test_sets(self) -> dict[str, np.ndarray]:
        """Probabilities by the names that the figures of an epoch begin with: "test", and perhaps "test_noised"."""
        return {"test": self.test} | ({} if self.test_noised is None else {"test_noised": self.test_noised})


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Replace the file of predictions in one step.

    Args:
        path: Of the file, in a folder that is there.
        predictions: What it holds from then on.

    Raises:
        DataHomeError: The disk refuses; the old file stays. ``DiskFullError`` if it is full.
    """
    arrays: dict[str, Any] = {"epoch": predictions.epoch, "labels": predictions.labels, **predictions.test_sets}
    content = io.BytesIO()
    np.savez(content, **arrays)
    replace_file(path, content.getbuffer())


def read_predictions(path: Path) -> Predictions | None:
    """The predictions in a file.

    Args:
        path: Of the file.

    Returns:
        The predictions, checked; None if there is no file.

    Raises:
        RunError: It is damaged.
    """
    try:
        return _checked(_read_arrays(path))
    except FileNotFoundError:
        return None
    # A damaged archive fails inside zipfile and numpy in many ways: BadZipFile, EOFError, ValueError, KeyError, ...
    except Exception as error:
        raise RunError(
            f"The predictions in {path} are damaged, so this run cannot be evaluated. Its curves are not affected; "
            "a run with the same settings makes new ones."
        ) from error


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    with open_regular(path, most_bytes=MAX_BYTES) as file, open_zip(file, most_members=MOST_MEMBERS) as archive:
        present = [name.removesuffix(".npy") for name in archive.namelist()]
        if not set(present) <= _NAMES:  # a damaged name would be a missing array
            raise ValueError("foreign arrays")
        if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
            raise ValueError("too large")
        headers = {name: read_header(archive, name) for name in present}
        return {name: read_array(archive, name, header) for name, header in headers.items()}


def _checked(arrays: dict[str, np.ndarray]) -> Predictions:
    """The arrays as predictions; raises ``ValueError`` or ``KeyError`` where they cannot be."""
    predictions = Predictions(int(arrays["epoch"]), arrays["labels"], arrays["test"], arrays.get("test_noised"))
    labels, (images, classes) = predictions.labels, predictions.test.shape
    if labels.shape != (images,) or labels.dtype != np.int64 or not images or classes < 2:
        raise ValueError("labels and probabilities do not fit")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError("a label of no class")
    for probabilities in predictions.test_sets.values():
        if probabilities.shape != (images, classes) or probabilities.dtype != np.float32:
            raise ValueError("probabilities of another shape or kind")
        # Not a number fails both comparisons.
        if not ((probabilities >= 0).all() and (np.abs(probabilities.sum(1) - 1) < TOLERANCE).all()):
            raise ValueError("not probabilities")
    return predictions
