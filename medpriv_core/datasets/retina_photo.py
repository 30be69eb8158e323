"""One real photograph of a retina, public domain, that comes with scikit-image.

It lets a first visitor see noise on a real picture without downloading anything. There is nothing to
learn from one picture, so it cannot be trained on: its training split holds it, its test split is empty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np
from PIL import Image

from medpriv_core.datasets.base import DatasetInfo, SplitName
from medpriv_core.datasets.images import decode_image


@dataclass(frozen=True)
class _PhotoSplit:
    ids: Sequence[str]
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def image(self, index: int) -> Image.Image:
        return decode_image(_read_photo(), channels=3, name=self.ids[index])


class RetinaPhoto:
    """The dataset ``retina_photo``: 1411 x 1411 pixels, RGB."""

    info = DatasetInfo(
        name="retina_photo",
        title="One real retina photograph",
        classes=("Retina",),
        channels=3,
        synthetic=False,
        source="A healthy retina, Mikael Häggström 2014, CC0; it comes with scikit-image.",
        trainable=False,
    )

    def split(self, name: SplitName) -> _PhotoSplit:
        if name == "train":
            return _PhotoSplit(ids=("retina.jpg",), labels=np.zeros(1, dtype=np.int64))
        return _PhotoSplit(ids=())

    def content_key(self) -> str:
        return hashlib.sha256(b"retina_photo" + _read_photo()).hexdigest()[:32]


def _read_photo() -> bytes:
    # Through the package's files: importing scikit-image's loader would take longer than the picture.
    return (files("skimage.data") / "retina.jpg").read_bytes()
