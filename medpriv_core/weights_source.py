"""Where pretrained weights come from, said without importing torch.

The network starts from torchvision's ResNet-18, trained on ImageNet (public photographs, so it costs
no privacy). Its file is about 45 MB. In order of preference: the file that ``MEDPRIV_WEIGHTS`` names,
the copy in the data home, a download. Pages and the command line ask here what would happen;
``medpriv_core.training.weights`` does it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medpriv_core.errors import WeightsError
from medpriv_core.given_paths import given_path
from medpriv_core.home import DataHome
from medpriv_core.printable import printable
from medpriv_core.regular_file import is_regular, stat_regular
from medpriv_core.weights_file import MOST_FILE_BYTES, called, look_into, sha256_of
from medpriv_core.weights_names import check_norm

# torchvision.models.ResNet18_Weights.IMAGENET1K_V1. By torch's convention the file name ends in the first eight digits
# of its SHA-256, which is all that torchvision publishes; the others are as several projects that fetched the file
# wrote them down, each on its own.
IMAGENET_URL = "https://download.pytorch.org/models/resnet18-f37072fd.pth"
IMAGENET_FILE = "resnet18-f37072fd.pth"
IMAGENET_SHA256 = "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"
IMAGENET_SIZE_MB = 45

WEIGHTS_VARIABLE = "MEDPRIV_WEIGHTS"


@dataclass(frozen=True)
class WeightsStatus:
    """Where the ImageNet weights would be taken from.

    state     local (``MEDPRIV_WEIGHTS``), cached (in the data home) or to_download
    path      the file, or where a download would put it; a local file need not exist
    sentence  the same for people
    """

    state: Literal["local", "cached", "to_download"]
    path: Path
    sentence: str


def weights_status(home: DataHome) -> WeightsStatus:
    """Where ``weights = imagenet`` would come from right now; looks only at names, opens no file."""
    local = os.environ.get(WEIGHTS_VARIABLE)
    if local:
        try:
            path = weights_path(local)
        except WeightsError as error:
            return WeightsStatus("local", Path(local), f"{WEIGHTS_VARIABLE} does not name a weights file. {error}")
        found = "" if is_regular(path) else ", which is no file" if os.path.lexists(path) else ", which does not exist"
        return WeightsStatus(
            "local", path, printable(f"Pretrained weights: the file {path} ({WEIGHTS_VARIABLE}){found}.")
        )
    path = home.weights / IMAGENET_FILE
    if is_regular(path):
        return WeightsStatus("cached", path, "Pretrained weights: torchvision's ResNet-18, already downloaded.")
    return WeightsStatus(
        "to_download",
        path,
        f"Pretrained weights: torchvision's ResNet-18 ({IMAGENET_SIZE_MB} MB) will be downloaded at the first run.",
    )


def weights_path(given: str) -> Path:
    """The path of a weights file as somebody gave it; raises ``WeightsError`` for what can be none."""
    return given_path(given, error=WeightsError)


def check_weights(choice: str, *, norm: str, home: DataHome) -> None:
    """Look into the file that a run with this choice of weights would read, without reading its numbers.

    Raises ``WeightsError`` if it is not there or holds another network, or one that does not fit ``norm``.
    """
    resolved = resolve_weights(choice)
    path = weights_status(home).path if resolved == "imagenet" else Path(resolved)
    if resolved == "none" or (resolved == "imagenet" and not os.path.lexists(path)):
        return  # nothing to read, or nothing yet
    check_norm(look_into(path).kind, norm, file=str(path))


def resolve_weights(choice: str) -> str:
    """``choice`` as a run keeps it: imagenet (torchvision's own file), none, or an absolute path.

    What ``MEDPRIV_WEIGHTS`` names here and now is kept by its path, because the worker may be started from
    elsewhere. Raises ``WeightsError`` if the file that would be read is not there or no ordinary file; what is in it
    shows when it is read.
    """
    if choice == "none":
        return choice
    local = os.environ.get(WEIGHTS_VARIABLE)
    if choice == "imagenet" and not local:
        return choice
    path = weights_path(local if choice == "imagenet" and local else choice).absolute()
    if os.path.lexists(path):
        stat_regular(path, called=called(path), error=WeightsError, most_bytes=MOST_FILE_BYTES)
        return str(path)
    if choice == "imagenet":
        raise WeightsError(
            f"{WEIGHTS_VARIABLE} names a weights file that does not exist: {path}. Correct it, or unset it to have "
            "torchvision's weights downloaded."
        )
    raise WeightsError(f"There is no weights file at {path}. Correct the path, or choose imagenet or none.")


def is_torchvisions(path: Path) -> bool:
    """Whether a file is torchvision's own, byte for byte; False too where there is none that can be read."""
    return sha256_of(path) == IMAGENET_SHA256


def check_download(path: Path, *, home: DataHome) -> None:
    """Raise ``WeightsError`` if ``path`` is the copy that was downloaded, and not what was downloaded any more.

    It was compared when it arrived; between then and each use anything may have written to it.
    """
    # Of what cannot be read, whoever reads it says that.
    if path == home.weights / IMAGENET_FILE and sha256_of(path) not in (IMAGENET_SHA256, None):
        raise WeightsError(
            f"The pretrained weights in {path} are not what torchvision publishes: the file was changed or damaged "
            "since it was downloaded. Remove it, and the next run downloads it again."
        )
