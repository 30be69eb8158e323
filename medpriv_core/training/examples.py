"""What the trained part of the network is fed: images, or the frozen backbone's features of them.

With augmentation the image changes every time, so its features are computed anew at every use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medpriv_core.datasets.base import PreparedSplit
from medpriv_core.training.augmentation import network_input
from medpriv_core.training.device import send
from medpriv_core.training.features import Backbone
from medpriv_core.training.records import PatientRecords


@dataclass(frozen=True)
class Examples:
    """One split on the device.

    values   ``uint8`` images (n, side, side, channels), or float32 features (n, width) or (n, variants, width)
    labels   int64 (n,)
    prepare  turns a batch of values into the input of the trained part
    """

    values: Tensor
    labels: Tensor
    prepare: Callable[[Tensor, torch.Generator | None], Tensor]

    def __len__(self) -> int:
        return len(self.labels)

    def positions(self, indices: np.ndarray) -> Tensor:
        """``indices`` on the device, sent once for all passes of a step and without waiting for it."""
        return send(torch.from_numpy(indices), self.values.device)

    def batch(self, indices: np.ndarray | Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """The inputs and labels at ``indices``, augmented if there is a ``generator``."""
        positions = self.positions(indices) if isinstance(indices, np.ndarray) else indices
        if positions.dim() == 2:
            return self._of_patients(positions, generator)
        # On a processor several times faster than indexing with brackets.
        values, labels = self.values.index_select(0, positions), self.labels.index_select(0, positions)
        return self.prepare(values, generator), labels

    def _of_patients(self, positions: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Of records that have several images, (records, images): inputs and labels (records, images x variants, ...).

        One image of each is as an image by itself.
        """
        inputs, labels = self.batch(positions.reshape(-1), generator)
        records, images = positions.shape
        if images == 1:
            return inputs, labels
        variants = inputs.shape[1] if inputs.dim() == 3 else 1
        return inputs.reshape(records, images * variants, -1), labels.reshape(records, images)


@dataclass(frozen=True)
class Batch:
    """The examples of one step.

    ``indices`` (n,) of its records, none if Poisson sampling drew nobody; ``generator`` augments them, if there is one;
    ``check`` is called before every pass, and stops the step by raising. The records are images, or where there are
    ``patients`` these, of whom each gives some of their images.
    """

    examples: Examples
    indices: np.ndarray
    generator: torch.Generator | None = None
    check: Callable[[], None] = lambda: None
    patients: PatientRecords | None = None

    def passes(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and labels, ``size`` images at a time and each record whole; images in their order."""
        groups = [self.indices] if self.patients is None else self.patients.draw(self.indices)
        for group in groups:
            positions = self.examples.positions(group)
            records = max(1, size // (group.shape[1] if group.ndim == 2 else 1))
            yield from self.parts([positions[start : start + records] for start in range(0, len(positions), records)])

    def parts(self, indices: Sequence[np.ndarray | Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and labels at each of ``indices``, pieces of this batch."""
        for part in indices:
            self.check()
            yield self.examples.batch(part, self.generator)


def image_examples(split: PreparedSplit, *, input_size: int, device: torch.device) -> Examples:
    """The split's images, for a network that is trained as a whole."""

    def prepare(images: Tensor, generator: torch.Generator | None) -> Tensor:
        return network_input(images, size=input_size, generator=generator)

    return Examples(_to_device(split.images, device), _to_device(split.labels, device), prepare)


def augmented_feature_examples(split: PreparedSplit, backbone: Backbone) -> Examples:
    """The split's images, whose features are computed at every use because augmentation changes them."""
    images = _to_device(split.images, backbone.device)
    return Examples(images, _to_device(split.labels, backbone.device), backbone.features)


def feature_examples(features: np.ndarray, labels: np.ndarray, *, device: torch.device) -> Examples:
    """Images as their features, computed beforehand."""
    return Examples(torch.from_numpy(features).to(device), _to_device(labels, device), _unchanged)


def _to_device(array: np.ndarray, device: torch.device) -> Tensor:
    # Copied, because torch cannot hold a memory map that is read-only.
    return torch.from_numpy(np.array(array)).to(device)


def _unchanged(values: Tensor, _generator: torch.Generator | None) -> Tensor:
    return values
