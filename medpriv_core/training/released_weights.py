"""The trained part of a run's network as a safetensors file, which holds numbers and names and can hold no code.

A checkpoint has more in it than the result: momentum, the ledger, the weights before averaging. What is handed out is
the network that the run's figures were measured on. Where the last layer alone has learned, that is this layer; the
frozen rest is public, and its fingerprint says which it must be.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from medpriv_core.errors import RunError
from medpriv_core.home import explain_disk_errors
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.training.checkpoint import Checkpoint, load_checkpoint

# What someone needs besides the numbers, to put the network together again.
NEEDED_SETTINGS = (
    "image_size",
    "crop_size",
    "trainable",
    "features",
    "standardise",
    "head_bias",
    "norm",
)


def release_weights(directory: RunDirectory, path: Path) -> None:
    """Write the trained part of the run in ``directory`` to ``path``, named as in torchvision's ResNet-18.

    Raises ``RunError`` if there is no checkpoint or it is damaged, and ``DataHomeError`` where the disk refuses.
    """
    spec = directory.read_spec()
    saved = load_checkpoint(directory.checkpoint)
    if saved is None:
        raise RunError("This run has no checkpoint, so there is no network to take away.")
    head = spec.trainable == "head"
    tensors = {f"fc.{name}" if head else name: _plain(value) for name, value in _result(saved).items()}
    facts = {
        "format": "pt",
        "architecture": "resnet18",
        "classes": json.dumps(directory.read_setup().get("classes") or []),
        "settings": json.dumps({name: spec.to_dict()[name] for name in NEEDED_SETTINGS}),
        "epochs": str(saved.position.get("epochs_done", 0)),
        "frozen_rest_sha256": saved.backbone or "",
    }
    with explain_disk_errors(path.parent):
        save_file(tensors, path, metadata=facts)


def _result(saved: Checkpoint) -> dict[str, Tensor]:
    """As the figures of an epoch are measured: with averaging, the average, once it has begun."""
    if saved.average and saved.average["count"]:
        averaged: dict[str, Tensor] = saved.average["network"]
        return averaged
    return saved.trained


def _plain(value: Tensor) -> Tensor:
    """A copy in memory of its own and in the usual order, which the format asks for."""
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)
