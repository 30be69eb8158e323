"""The networks that can be fine-tuned, as everybody knows them who does not compute with them; needs no torch.

The network itself is a class in ``medpriv_core/training`` (``training.model.Network`` says what is asked of it). Here
is what forms, checks, estimates, exports and the model card have to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medpriv_core.setting import Choice, setting


@dataclass(frozen=True)
class Reading:
    """What a last layer reads of a frozen network: ``width`` numbers for each image, and in words which."""

    width: int
    words: str


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One network.

    name               in specifications and in the header of released weights
    title              what people call it
    network            its class in ``medpriv_core/training``, as "module:Class"
    reads              what its last layer can read, by the values of the setting ``features``
    pretrained         whether medpriv knows weights of it; else it starts from random numbers
    to_build           what somebody needs who has its weights and wants to put it together, after "named as in"
    parameters         values that learn below the last layer
    numbers_per_pixel  of its input, that the layers keep for the backward pass (measured)
    kept_gradients     values of each image's own gradient that one-pass clipping keeps, at most
    work               of an image, in forward and backward passes of a ResNet-18 (measured)
    """

    name: str
    title: str
    network: str
    reads: Mapping[str, Reading]
    pretrained: bool
    to_build: str
    parameters: int
    numbers_per_pixel: int
    kept_gradients: int
    work: float = 1.0


RESNET18 = Architecture(
    name="resnet18",
    title="ResNet-18",
    network="resnet18:ResNet18",
    reads={
        "last": Reading(512, "the 512 means of layer4"),
        "layer3": Reading(256, "the 256 means of layer3"),
        "layer3_grid": Reading(4096, "the means of layer3 in 4 x 4 fields (256 x 4 x 4 numbers, channel first)"),
    },
    pretrained=True,
    to_build="torchvision's ResNet-18",
    parameters=11_180_000,
    numbers_per_pixel=160,
    kept_gradients=600_000,  # the layers near its input
)

_ALL = (RESNET18,)

ARCHITECTURES: dict[str, Architecture] = {one.name: one for one in _ALL}


def architecture_setting() -> Any:
    """The setting of runs that names the network."""
    return setting(
        RESNET18.name,
        "Network",
        "Which network is fine-tuned.",
        choices={name: Choice(one.title) for name, one in ARCHITECTURES.items()},
        closed=True,
    )
