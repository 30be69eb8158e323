"""Pretrained weights: found, read without running code, and checked to be a ResNet-18.

There is no silent way from "imagenet" to random weights: what cannot be read is an error.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor

from medpriv_core.download import download
from medpriv_core.errors import DownloadError, WeightsError
from medpriv_core.home import DataHome
from medpriv_core.privacy.facts import Origin
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.regular_file import open_regular
from medpriv_core.spec import Norm
from medpriv_core.weights_file import MOST_FILE_BYTES, called, damaged, holds_code, is_safetensors, look_into, special
from medpriv_core.weights_names import COUNTER, Found, check_norm, find_resnet18
from medpriv_core.weights_source import (
    IMAGENET_SHA256,
    IMAGENET_SIZE_MB,
    IMAGENET_URL,
    WEIGHTS_VARIABLE,
    check_download,
    is_torchvisions,
    weights_path,
    weights_status,
)

DOWNLOAD_TIMEOUT_S = 30.0
DOWNLOAD_MOST_BYTES = 2 * IMAGENET_SIZE_MB * 10**6


@dataclass(frozen=True)
class Weights:
    """A torchvision ResNet-18 state dict (None: start from random weights) and where it came from.

    ``origin`` is told by the bytes that were read: imagenet is torchvision's own file, under whatever name.
    """

    state_dict: dict[str, Tensor] | None
    sentence: str
    origin: Origin


def load_weights(
    choice: str, *, home: DataHome, norm: Norm | None = None, progress: ProgressCallback = no_progress
) -> Weights:
    """The weights that ``choice`` names: imagenet, none, or the path of a state dict.

    With ``norm``, weights that cannot serve such a network are refused. ``imagenet`` is the file in
    ``MEDPRIV_WEIGHTS``, else the copy in the data home, else a download into it. Raises ``WeightsError`` for a file
    that is missing, damaged, of another network or with code in it, and ``DownloadError`` if torchvision's file cannot
    be fetched.
    """
    if choice == "none":
        return Weights(None, "No pretrained weights: the network starts from random numbers.", "none")
    if choice != "imagenet":
        path = weights_path(choice)
        check_download(path, home=home)
        return _weights(path, norm, f"Pretrained weights from the file {path.name}")
    status = weights_status(home)
    if status.state == "to_download":
        _download(status.path, progress)
    check_download(status.path, home=home)
    if status.state == "local":
        return _weights(status.path, norm, f"Pretrained weights from the file {status.path.name} ({WEIGHTS_VARIABLE})")
    return _weights(status.path, norm, "Pretrained weights: torchvision's ResNet-18, trained on ImageNet")


def _weights(path: Path, norm: Norm | None, sentence: str) -> Weights:
    state_dict, found = _read(path)
    if norm is not None:
        check_norm(found.kind, norm, file=str(path))
    origin: Origin = "imagenet" if is_torchvisions(path) else "file"
    return Weights(state_dict, f"{'; '.join([sentence, *found.notes])}.", origin)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The float32 ResNet-18 below its last layer in ``path``, by torchvision's names, on the CPU.

    Raises ``WeightsError``. The file may be wrapped and named as ``weights_names`` understands.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Tensor], Found]:
    look_into(path)  # says what is wrong in words, where the headers tell
    found = find_resnet18(_content(path), file=str(path))
    for name, value in found.entries.items():
        # Told before the run by the headers; what is read is what counts.
        if value.layout is not torch.strided or value.is_quantized or value.is_meta or value.is_nested:
            raise special(path, name)
        if not name.endswith(COUNTER) and not (value.is_floating_point() and value.isfinite().all()):
            raise WeightsError(
                f"The weights file {path} is not the state dict of a torchvision ResNet-18 ({name} holds something "
                "else than finite numbers). Choose another file, imagenet or none."
            )
    return {name: value.float() if value.is_floating_point() else value for name, value in found.entries.items()}, found


def _content(path: Path) -> Any:
    try:
        with open_regular(path, called=called(path), error=WeightsError, most_bytes=MOST_FILE_BYTES) as file:
            start = file.read(16)
            file.seek(0)
            if is_safetensors(start, os.fstat(file.fileno()).st_size):
                return load(file.read())
            return torch.load(file, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except pickle.UnpicklingError as error:
        if "unsupported" in str(error).lower():
            raise holds_code(path, "") from error
        raise damaged(path) from error
    # A truncated or foreign file fails inside torch in many ways: RuntimeError, EOFError, ValueError, ...
    except Exception as error:
        raise damaged(path) from error


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
            checksum=f"sha256:{IMAGENET_SHA256}",
            progress=progress,
            timeout_s=DOWNLOAD_TIMEOUT_S,
            most_bytes=DOWNLOAD_MOST_BYTES,
        )
    except DownloadError as error:
        raise DownloadError(
            f"{error} The pretrained weights are needed once; on a machine without network, point {WEIGHTS_VARIABLE} "
            "to a ResNet-18 state dict, or choose weights none."
        ) from error
