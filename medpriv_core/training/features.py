"""What the frozen part of the network makes of each image, computed once and kept.

When only the last layer is trained, the rest of the network maps each image to the same 512 numbers in every epoch and
in every run with the same weights. So they are kept in the data home: the first run computes them, and a what-if with
other settings of the training takes seconds.

``<data home>/features/<name>/`` holds the numbers of one split and a ``meta.json`` that says what they were computed
from; the name is a hash of that. A sum over the bytes tells a damaged file, which is computed anew.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from medpriv_core.architectures import RESNET18
from medpriv_core.atomic import atomic_folder, write_json
from medpriv_core.datasets.arrays import read_array
from medpriv_core.datasets.base import PreparedDataset, PreparedSplit, SplitName
from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome, explain_disk_errors, read_json
from medpriv_core.locks import hold_lock
from medpriv_core.private_files import open_private
from medpriv_core.progress import ProgressCallback
from medpriv_core.spec import Features
from medpriv_core.training.augmentation import network_input
from medpriv_core.training.device import forward_batch_size
from medpriv_core.training.model import Network
from medpriv_core.training.variants import is_broad, vary

PHASE = "Computing features"
WAITING_PHASE = "Waiting for another run that computes the same features"

# To be raised when images reach the network in another way: then no stored features fit any more.
VERSION = 1
_FIRST_IMAGES = 64


@dataclass(frozen=True)
class FeatureKind:
    """Which of the network's numbers stand for an image.

    width    how many they are of this network
    compute  network and input (n, 3, size, size) -> (n, width)
    """

    name: Features
    width: Callable[[Network], int]
    compute: Callable[[Network, Tensor], Tensor]


GRID = 4

KINDS: dict[Features, FeatureKind] = {
    kind.name: kind
    for kind in (
        FeatureKind("last", lambda network: network.width, lambda network, inputs: network.features(inputs)),
        FeatureKind(
            "layer3",
            lambda network: network.maps_width,
            lambda network, inputs: network.layer3_maps(inputs).mean((2, 3)),
        ),
        FeatureKind(
            "layer3_grid",
            lambda network: network.maps_width * GRID**2,
            lambda network, inputs: F.adaptive_avg_pool2d(network.layer3_maps(inputs), GRID).flatten(1),
        ),
    )
}


@dataclass(frozen=True)
class Backbone:
    """The frozen network below the last layer; ``fingerprint`` is that of its weights."""

    model: Network
    fingerprint: str
    input_size: int
    device: torch.device
    mixed: torch.dtype | None
    kind: FeatureKind = KINDS["last"]

    def features(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """``uint8`` (n, side, side, channels) -> float32 (n, width)."""
        inputs = network_input(images, size=self.input_size, generator=generator)
        with torch.no_grad(), torch.autocast(self.device.type, self.mixed, enabled=self.mixed is not None):
            return self.kind.compute(self.model, inputs).float()


@dataclass(frozen=True)
class FeatureSource:
    """The images of one split: as they are (``variant`` 0), or each image's variant of that number."""

    dataset: PreparedDataset
    split: SplitName
    variant: int = 0

    @property
    def images(self) -> np.ndarray:
        """``uint8`` (n, side, side, channels), before they are varied."""
        return self._split.images

    @property
    def labels(self) -> np.ndarray:
        """int64 (n,)."""
        return self._split.labels

    @property
    def _split(self) -> PreparedSplit:
        split: PreparedSplit = getattr(self.dataset, self.split)
        return split


@dataclass(frozen=True)
class FeatureStore:
    """The features in a data home."""

    home: DataHome

    def get(self, sources: Sequence[FeatureSource], backbone: Backbone, progress: ProgressCallback) -> list[np.ndarray]:
        """The features (n, width) of each source, computed now where there are none.

        Two processes that need the same do it once: the second waits. Whatever goes wrong, also ``Cancelled``, leaves
        nothing half-written behind. Raises ``DataHomeError`` where the disk refuses.
        """
        identities = [_identity(source, backbone) for source in sources]
        found = [_read(self._folder(identity), identity) for identity in identities]
        total = sum(identity["images"] for identity, values in zip(identities, found, strict=True) if values is None)
        done = 0
        features = []
        for source, identity, values in zip(sources, identities, found, strict=True):
            if values is None:
                values = self._computed(source, identity, backbone, progress, done, total)
                done += len(values)
            features.append(values)
        return features

    def _computed(
        self,
        source: FeatureSource,
        identity: dict[str, Any],
        backbone: Backbone,
        progress: ProgressCallback,
        done: int,
        total: int,
    ) -> np.ndarray:
        folder = self._folder(identity)
        with hold_lock(folder.with_suffix(".lock"), progress=progress, phase=WAITING_PHASE):
            values = _read(folder, identity)  # another run may have computed them meanwhile
            if values is None:
                with explain_disk_errors(folder):
                    _write(folder, identity, _passes(source, backbone, progress, done, total))
                values = _read(folder, identity)
        if values is None:
            raise DataHomeError(f"The features just written to {folder} cannot be read back. Check the disk.")
        return values

    def _folder(self, identity: dict[str, Any]) -> Path:
        name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return self.home.features / name[:32]


def _identity(source: FeatureSource, backbone: Backbone) -> dict[str, Any]:
    """All that the features depend on."""
    images = source.images
    # Such a variant was a mild one before there were broad ones: told apart, so that no old features are taken for it.
    broad = {"broad": True} if is_broad(source.variant) else {}
    # Two networks may have numbers of the same names and compute something else with them.
    named = {"architecture": backbone.model.architecture} if backbone.model.architecture != RESNET18.name else {}
    return (
        broad
        | named
        | {
            "version": VERSION,
            "dataset": source.dataset.key,  # with the image size
            "split": source.split,
            "variant": source.variant,
            "images": len(images),
            # Tells the noised copy of a dataset from the clean one, and from a copy drawn at another time.
            "first_images": hashlib.sha256(np.ascontiguousarray(images[:_FIRST_IMAGES]).data).hexdigest(),
            "input_size": backbone.input_size,
            "backbone": backbone.fingerprint,  # of names and values, so of the kind of normalisation too
            "kind": backbone.kind.name,
            "width": backbone.kind.width(backbone.model),
            "precision": str(backbone.mixed or torch.float32),
        }
    )


def _passes(
    source: FeatureSource, backbone: Backbone, progress: ProgressCallback, done: int, total: int
) -> Iterator[np.ndarray]:
    size = forward_batch_size(input_size=backbone.input_size, device=backbone.device)
    for start in range(0, len(source.images), size):
        progress(PHASE, done + start, total)
        # Copied, because torch cannot hold a memory map that is read-only.
        images = np.array(source.images[start : start + size])
        if source.variant:
            images = np.stack([vary(image, number=source.variant) for image in images])
        yield backbone.features(torch.from_numpy(images).to(backbone.device)).cpu().numpy()
    progress(PHASE, done + len(source.images), total)


def _write(folder: Path, identity: dict[str, Any], passes: Iterator[np.ndarray]) -> None:
    with atomic_folder(folder) as part:
        checksum = 0
        with open_private(part / "features.npy", "wb") as file:
            shape = (identity["images"], identity["width"])
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
            for values in passes:
                content = np.ascontiguousarray(values, dtype="<f4")
                checksum = zlib.crc32(content.data, checksum)
                file.write(content.data)
        write_json(part / "meta.json", {"identity": identity, "crc32": checksum})


def _read(folder: Path, identity: dict[str, Any]) -> np.ndarray | None:
    """The stored features, or None where there are none or they are damaged."""
    meta = read_json(folder / "meta.json")
    if not isinstance(meta, dict) or meta.get("identity") != identity:
        return None
    # Mapped first, so that a damaged header is an error and not a request for all memory.
    mapped = read_array(folder / "features.npy", dtype=np.float32, checksum=None)
    if mapped is None or mapped.shape != (identity["images"], identity["width"]):
        return None
    values = np.array(mapped)
    return values if zlib.crc32(values.data) == meta.get("crc32") else None
