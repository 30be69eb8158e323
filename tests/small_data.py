"""A small dataset that reads in no time, for tests of what happens around training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from medpriv_core.datasets.registry import add_dataset
from medpriv_core.home import DataHome

NAME = "pneumoniamnist"


def add_small_dataset(home: DataHome, folder: Path, *, train: int = 120, test: int = 40) -> str:
    """Add a MedMNIST file whose second class has a bright square, and return its name."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", train), ("val", 4), ("test", test)):
        labels = np.arange(count) % 2
        images = rng.integers(0, 120, (count, 28, 28), dtype=np.uint8)
        images[labels == 1, 8:20, 8:20] += 100
        arrays[f"{split}_images"] = images
        arrays[f"{split}_labels"] = labels[:, np.newaxis].astype(np.uint8)
    file = folder / "pneumoniamnist.npz"
    np.savez(file, **arrays)
    add_dataset(home, NAME, file)
    return NAME
