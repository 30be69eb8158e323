"""Pictures for tests of the explore page: a small dataset of one grey, and one of a visitor's own."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from medpriv_core.datasets.registry import add_dataset
from medpriv_core.home import DataHome


def add_grey_pictures(home: DataHome, tmp_path: Path) -> Path:
    """Adds chest X-rays of one colour, one a class and split; returns their folder."""
    folder = tmp_path / "chest"
    for split in ("train", "test"):
        for label in ("NORMAL", "PNEUMONIA"):
            (folder / split / label).mkdir(parents=True)
            Image.new("L", (32, 32), 99).save(folder / split / label / "a.png")
    add_dataset(home, "chest_xray", folder)
    return folder


def own_png() -> bytes:
    """A picture of random greys, 60 × 40 pixels."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
