"""The two drawn datasets, in the form of every other dataset.

Image i of a split is drawn from its own seed when it is asked for, so any image can be had alone, in any order,
and a split knows its labels without drawing anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from medpriv_core.datasets.base import DatasetInfo, SplitName
from medpriv_core.datasets.synthetic.chest import CHEST_CLASSES, draw_chest
from medpriv_core.datasets.synthetic.fundus import FUNDUS_CLASSES, draw_fundus
from medpriv_core.errors import DatasetError, ImageError

IMAGE_SIZE = 128
SPLIT_SIZES: dict[SplitName, int] = {"train": 640, "test": 160}

# Raise it whenever a drawing changes: prepared copies of the old pictures are then left alone.
DRAWING_VERSION = 1

_SEED = 20200909
_SOURCE = "Drawn by medpriv, not photographed: it shows no patient and is no medical evidence."


@dataclass(frozen=True)
class SyntheticSplit:
    """One split of a drawn dataset."""

    dataset: str
    name: SplitName
    labels: np.ndarray  # int64, shape (n,)
    ids: Sequence[str]
    draw: Callable[..., np.ndarray]

    def image(self, index: int, image_size: int = IMAGE_SIZE) -> Image.Image:
        """Image ``index``, mode "L" or "RGB"; other sizes show the same picture at another resolution.

        Raises ``ImageError`` if there is no such image, ``SettingError`` for an impossible size.
        """
        if not 0 <= index < len(self.labels):
            raise ImageError(
                f"{self.dataset} has no {self.name} image {index}; choose one from 0 to {len(self.labels) - 1}."
            )
        seed = _seed(self.dataset, self.name, index)
        label = int(self.labels[index])
        return Image.fromarray(self.draw(image_size=image_size, label=label, rng=np.random.default_rng(seed)))


@dataclass(frozen=True)
class SyntheticDataset:
    """A dataset of drawn images (see ``datasets.base.Dataset``)."""

    info: DatasetInfo
    proportions: tuple[float, ...]  # of the classes; they sum to 1
    draw: Callable[..., np.ndarray]

    def split(self, name: SplitName) -> SyntheticSplit:
        """The split's labels and lazy images; both splits have the same class proportions."""
        if name not in self._splits:
            raise DatasetError(f"{self.info.name} has no split {name!r}; choose train or test.")
        return self._splits[name]

    def content_key(self) -> str:
        """A hexadecimal digest of all that decides about the images and labels."""
        content = [DRAWING_VERSION, _SEED, IMAGE_SIZE, self.info.name, self.info.classes, self.proportions, SPLIT_SIZES]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @cached_property
    def _splits(self) -> dict[SplitName, SyntheticSplit]:
        splits: dict[SplitName, SyntheticSplit] = {}
        for name, size in SPLIT_SIZES.items():
            labels = _labels(self.info.name, name, size, self.proportions)
            ids = tuple(f"synthetic-{name}-{number:04d}" for number in range(size))
            splits[name] = SyntheticSplit(self.info.name, name, labels, ids, self.draw)
        return splits


def _labels(dataset: str, split: SplitName, size: int, proportions: Sequence[float]) -> np.ndarray:
    """Labels in a fixed shuffled order, in these proportions up to rounding."""
    ends = np.rint(np.cumsum(proportions) * size).astype(int)
    labels = np.searchsorted(ends, np.arange(size), side="right").astype(np.int64)
    np.random.default_rng(_seed(dataset, split)).shuffle(labels)
    labels.setflags(write=False)
    return labels


def _seed(dataset: str, split: SplitName, *index: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([_SEED, *dataset.encode()], spawn_key=(list(SPLIT_SIZES).index(split), *index))


SYNTHETIC_DATASETS: dict[str, SyntheticDataset] = {
    dataset.info.name: dataset
    for dataset in (
        SyntheticDataset(
            DatasetInfo(
                name="synthetic_chest",
                title="Synthetic chest radiographs",
                classes=CHEST_CLASSES,
                channels=1,
                synthetic=True,
                source=_SOURCE,
            ),
            proportions=(0.4, 0.6),
            draw=draw_chest,
        ),
        SyntheticDataset(
            DatasetInfo(
                name="synthetic_fundus",
                title="Synthetic fundus photographs",
                classes=FUNDUS_CLASSES,
                channels=3,
                synthetic=True,
                source=_SOURCE,
                ordered=True,
            ),
            proportions=(0.45, 0.12, 0.22, 0.11, 0.10),
            draw=draw_fundus,
        ),
    )
}
