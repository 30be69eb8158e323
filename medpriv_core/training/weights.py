"""Pretrained weights: found, read without running code, and checked to be a ResNet-18.

There is no silent way from "imagenet" to random weights: what cannot be read is an error.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from medpriv_core.download import download
from medpriv_core.errors import DownloadError, WeightsError
from medpriv_core.home import DataHome
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.training.model import BatchNorm, ResNet18
from medpriv_core.weights_source import IMAGENET_SHA256_PREFIX, IMAGENET_URL, WEIGHTS_VARIABLE, weights_status

DOWNLOAD_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Weights:
    """A torchvision ResNet-18 state dict (None: start from random weights) and where it came from."""

    state_dict: dict[str, Tensor] | None
    sentence: str


def load_weights(choice: str, *, home: DataHome, progress: ProgressCallback = no_progress) -> Weights:
    """The weights that ``choice`` names: imagenet, none, or the path of a state dict.

    ``imagenet`` is the file in ``MEDPRIV_WEIGHTS``, else the copy in the data home, else a download into it.
    Raises ``WeightsError`` for a file that is missing, damaged, of another network or with code in it, and
    ``DownloadError`` if torchvision's file cannot be fetched.
    """
    if choice == "none":
        return Weights(None, "No pretrained weights: the network starts from random numbers.")
    if choice != "imagenet":
        path = Path(choice).expanduser()
        return Weights(read_state_dict(path), f"Pretrained weights from the file {path.name}.")
    status = weights_status(home)
    if status.state == "local":
        state_dict = read_state_dict(status.path)
        return Weights(state_dict, f"Pretrained weights from the file {status.path.name} ({WEIGHTS_VARIABLE}).")
    if status.state == "to_download":
        _download(status.path, progress)
    return Weights(read_state_dict(status.path), "Pretrained weights: torchvision's ResNet-18, trained on ImageNet.")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The float32 ResNet-18 state dict in ``path``, on the CPU; raises ``WeightsError``."""
    if not path.is_file():
        raise WeightsError(f"There is no weights file at {path}. Correct the path, or choose imagenet or none.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "unsupported" in str(error).lower():
            raise WeightsError(
                f"The weights file {path} holds program code besides numbers, and medpriv does not run it. "
                "Save only the state dict: torch.save(model.state_dict(), file)."
            ) from error
        raise _damaged(path) from error
    except PermissionError as error:
        raise WeightsError(f"medpriv may not read the weights file {path}. Change its permissions.") from error
    # A truncated or foreign file fails inside torch in many ways: RuntimeError, EOFError, ValueError, ...
    except Exception as error:
        raise _damaged(path) from error
    return _checked(content, path)


def fingerprint(state_dict: Mapping[str, Tensor]) -> str:
    """SHA-256 over names and values: tells whether two state dicts are the same."""
    digest = hashlib.sha256()
    for name in sorted(state_dict):
        digest.update(name.encode())
        digest.update(state_dict[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _download(target: Path, progress: ProgressCallback) -> None:
    try:
        download(
            IMAGENET_URL,
            target,
            checksum=f"sha256:{IMAGENET_SHA256_PREFIX}",
            progress=progress,
            timeout_s=DOWNLOAD_TIMEOUT_S,
        )
    except DownloadError as error:
        raise DownloadError(
            f"{error} The pretrained weights are needed once; on a machine without network, point {WEIGHTS_VARIABLE} "
            "to a ResNet-18 state dict, or choose weights none."
        ) from error


def _damaged(path: Path) -> WeightsError:
    return WeightsError(
        f"The weights file {path} is damaged or not a PyTorch file. Replace it by a ResNet-18 state dict, or delete it "
        "if medpriv downloaded it."
    )


def _checked(content: Any, path: Path) -> dict[str, Tensor]:
    """``content`` as float32 tensors, if it is what a torchvision ResNet-18 would save."""
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise _other_network(path, "it does not hold tensors by name")
    found: dict[str, Tensor] = {str(name): value for name, value in content.items()}
    with torch.device("meta"):
        # With BatchNorm our names are torchvision's; importing that package takes seconds.
        expected = ResNet18(classes=1000, norm_layer=BatchNorm).state_dict()
    for name in expected:
        # The last layer is replaced anyway, and old files lack the counters of batches.
        if name.startswith("fc.") or name.endswith("num_batches_tracked"):
            continue
        if name not in found:
            raise _other_network(path, f"{name} is missing")
        if found[name].shape != expected[name].shape:
            shapes = f"{tuple(found[name].shape)} instead of {tuple(expected[name].shape)}"
            raise _other_network(path, f"{name} has the shape {shapes}")
        if not found[name].is_floating_point() or not found[name].isfinite().all():
            raise _other_network(path, f"{name} holds something else than finite numbers")
    unexpected = sorted(set(found) - set(expected))
    if unexpected:
        raise _other_network(path, f"it also has {unexpected[0]}")
    return {name: value.float() if value.is_floating_point() else value for name, value in found.items()}


def _other_network(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"The weights file {path} is not the state dict of a torchvision ResNet-18 ({reason}). "
        "Choose another file, imagenet or none."
    )
