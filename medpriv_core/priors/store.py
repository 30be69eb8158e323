"""Priors in the data home, beside the prepared images that they are made of.

``<data home>/prepared/<content key>-<side>-prior<version>/`` holds what was learned from each half of a training set:
mean, directions, variances and grey levels as npy files, and a sealed ``meta.json`` with their checksums. The key is
the dataset's content, so a changed dataset has none until it is learned from anew. Damaged files count as missing.

A prior is made of patients' images. Nothing exports it, and it goes when the folder of prepared images is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medpriv_core.atomic import atomic_folder
from medpriv_core.attacks.prior import DIRECTIONS, GREY_LEVELS, Prior
from medpriv_core.checksums import file_checksum, read_sealed, write_sealed
from medpriv_core.datasets.arrays import read_array
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.private_files import open_private

VERSION = 1  # to be raised when priors are learned in another way
_ARRAYS: dict[str, type[np.generic]] = {
    "mean": np.float32,
    "directions": np.float32,
    "variances": np.float32,
    "histogram": np.float64,
}


@dataclass(frozen=True)
class PriorPlace:
    """Where the priors of one content of a dataset and one size lie."""

    home: DataHome
    content: str
    side: int

    @property
    def folder(self) -> Path:
        """Of both halves."""
        return self.home.prepared / f"{self.content}-{self.side}-prior{VERSION}"

    @property
    def lock(self) -> Path:
        """Held by whoever learns."""
        return self.home.prepared / f"{self.folder.name}.lock"

    @property
    def stamp(self) -> int | None:
        """Tells what was learned from what is learned later; None where nobody has learned."""
        try:
            return (self.folder / "meta.json").stat().st_mtime_ns
        except OSError:
            return None

    def write(self, priors: list[Prior]) -> None:
        """Keep what was learned from each half; only for the holder of the lock. Raises ``DataHomeError``."""
        room_bytes = sum(getattr(prior, name).nbytes for prior in priors for name in _ARRAYS)
        with explain_disk_errors(self.folder), atomic_folder(self.folder, room_bytes=room_bytes) as part:
            halves = []
            for half, prior in enumerate(priors):
                sums = {}
                for name, dtype in _ARRAYS.items():
                    path = part / f"{name}_{half}.npy"
                    with open_private(path, "wb") as file:
                        np.save(file, np.ascontiguousarray(getattr(prior, name), dtype=dtype))
                    sums[name] = file_checksum(path)
                halves.append({"images": prior.images, "rest": prior.rest, "checksums": sums})
            write_sealed(part / "meta.json", {"version": VERSION, "side": self.side, "halves": halves})

    def read(self, half: int) -> Prior | None:
        """What was learned from one half; None where nobody has, or its files are damaged."""
        with explain_disk_errors(self.folder):
            meta = read_sealed(self.folder / "meta.json")
        about = _about(meta.values, half) if meta.state == "sealed" else None
        if about is None:
            return None
        found = {
            name: read_array(self.folder / f"{name}_{half}.npy", dtype=dtype, checksum=about["checksums"][name])
            for name, dtype in _ARRAYS.items()
        }
        arrays = {name: np.array(array) for name, array in found.items() if array is not None}
        if len(arrays) < len(_ARRAYS) or not _fit(arrays, self.side):
            return None
        return Prior(**arrays, rest=float(about["rest"]), images=int(about["images"]))


def _about(meta: Any, half: int) -> dict[str, Any] | None:
    """What is said of a half; None where it does not say all that is needed."""
    try:
        about: dict[str, Any] = meta["halves"][half]
        sound = all(isinstance(about["checksums"][name], str) for name in _ARRAYS)
        return about if sound and about["rest"] >= 0 and about["images"] > 0 else None
    except (KeyError, IndexError, TypeError):
        return None


def _fit(arrays: dict[str, np.ndarray], side: int) -> bool:
    """Whether the arrays are of one prior of this size."""
    mean, count = arrays["mean"], len(arrays["variances"])
    return (
        mean.ndim == 3
        and mean.shape[:2] == (side, side)
        and count <= DIRECTIONS
        and arrays["directions"].shape == (count, mean.size)
        and arrays["variances"].shape == (count,)
        and arrays["histogram"].shape == (GREY_LEVELS,)
    )
