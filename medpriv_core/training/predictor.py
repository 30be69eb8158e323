"""What a finished run's network makes of a picture.

The network is put together again from the run's files, and a picture reaches it on the way that the run's test images
took: grey or colour as in the dataset, fitted to the run's square, cut in the middle, standardised. So of the
dataset's own test images it says what the run's recorded test accuracy was counted on. Under Local-DP, too, a picture
is taken as it is: the test protocol looks at clean test images and at noised ones, and here the caller chooses.

A run with the last layer alone keeps just that layer; the frozen rest is put together from the pretrained weights again
(``frozen_rest``). An imported run has no checkpoint; its network is that of its ``model.safetensors``.

It all happens on the CPU in float32: a few pictures need no accelerator, and a run that trains on one is not disturbed.
(A run in mixed precision was evaluated with coarser arithmetic, so its probabilities may differ from these in the third
digit.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from medpriv_core.checksums import file_checksum
from medpriv_core.datasets.images import to_square
from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import RunError
from medpriv_core.home import DataHome
from medpriv_core.pictures.reading import Fit
from medpriv_core.runs.directory import RunDirectory, no_network
from medpriv_core.runs.imports import read_import_mark
from medpriv_core.runs.spent_record import checkpoint_digest, read_record
from medpriv_core.spec import RunSpec
from medpriv_core.training import engines
from medpriv_core.training.augmentation import network_input
from medpriv_core.training.checkpoint import load_checkpoint
from medpriv_core.training.device import forward_batch_size
from medpriv_core.training.features import KINDS, Backbone
from medpriv_core.training.frozen_rest import fingerprint_below, frozen_network
from medpriv_core.training.inputs import standardise
from medpriv_core.training.model import Network, build_model

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Predictor:
    """A network that judges pictures.

    classes     their names, in the order of the probabilities
    channels    of the dataset's images: 1 = grey, 3 = colour
    image_size  side in pixels of the square that a picture is brought to
    fit         how
    input_size  side of what the network sees of it
    logits      uint8 (n, image_size, image_size, channels) -> (n, classes)
    """

    classes: tuple[str, ...]
    channels: int
    image_size: int
    fit: Fit
    input_size: int
    logits: Callable[[Tensor], Tensor]

    def probabilities(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """``uint8`` pictures (h, w, 1 or 3) of any sizes -> float32 (n, classes), each row adding up to 1."""
        at_once = forward_batch_size(input_size=self.input_size, device=CPU)
        rows = [np.empty((0, len(self.classes)), dtype=np.float32)]
        with torch.inference_mode():
            for start in range(0, len(pictures), at_once):
                squares = [self._square(picture) for picture in pictures[start : start + at_once]]
                logits = self.logits(torch.from_numpy(np.stack(squares)))
                rows.append(logits.float().softmax(1).numpy())
        return np.concatenate(rows)

    def _square(self, picture: np.ndarray) -> np.ndarray:
        """As ``datasets.prepared`` makes it of an image: first the colours, then the size."""
        image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
        return to_square(image.convert("L" if self.channels == 1 else "RGB"), self.image_size, self.fit)


def load_predictor(directory: RunDirectory, *, home: DataHome) -> Predictor:
    """The network of the finished run in ``directory``.

    Raises ``RunError`` if files of the run are missing or damaged, and ``WeightsError`` if the pretrained weights that
    it began with are gone or have been replaced; nothing is ever downloaded.
    """
    spec = directory.read_spec()
    saved = _read_network(directory, spec)
    setup = directory.read_setup()
    classes = setup.classes
    if not classes:
        raise RunError(
            f"The file setup.json of run {directory.path.name} is missing or damaged, so nobody knows the classes of "
            "its network; choose another run, or train it again."
        )
    head = spec.trainable == "head"
    try:
        if head and saved.rest is None:
            name = directory.path.name
            network = frozen_network(spec, saved.backbone, classes=len(classes), home=home, run_id=name)
        else:
            # Any other run holds its whole network, so what it began with is not needed.
            network = build_model(
                classes=len(classes), norm=spec.norm, architecture=spec.architecture, state_dict=None, seed=spec.seed
            )
        if saved.rest is not None:
            network.load_state_dict(saved.rest | {f"fc.{key}": value for key, value in network.fc.state_dict().items()})
        if head:
            network.fc = nn.Linear(KINDS[spec.features].width(network), len(classes), bias=spec.head_bias)
        (network.fc if head else network).load_state_dict(saved.trained)
    except (RuntimeError, KeyError, TypeError) as error:
        raise _damaged(directory) from error
    below = fingerprint_below(network) if head else ""
    network.eval().requires_grad_(False)
    network.to(memory_format=engines.memory_format(spec.changed(device="cpu"), CPU))
    logits = _logits_of_features(network, below, spec) if head else _logits_of_images(network, spec)
    channels = dataset_info(spec.dataset, home).channels
    return Predictor(classes, channels, spec.image_size, setup.reading.fit, spec.input_size, logits)


def _logits_of_features(network: Network, below: str, spec: RunSpec) -> Callable[[Tensor], Tensor]:
    backbone = Backbone(network, below, spec.input_size, CPU, None, KINDS[spec.features])

    def logits(images: Tensor) -> Tensor:
        features = backbone.features(images)
        if spec.standardise:
            features = torch.from_numpy(standardise(features.numpy()))
        return network.fc(features)

    return logits


def _logits_of_images(network: Network, spec: RunSpec) -> Callable[[Tensor], Tensor]:
    return lambda images: network(network_input(images, size=spec.input_size))


@dataclass(frozen=True)
class _Saved:
    """A run's network as its file holds it.

    trained   state dict of the trained part, averaged where the run averages
    backbone  fingerprint of the frozen rest; None if there is none
    rest      the frozen rest, if the file holds it too
    """

    trained: dict[str, Tensor]
    backbone: str | None
    rest: dict[str, Tensor] | None = None


def _read_network(directory: RunDirectory, spec: RunSpec) -> _Saved:
    if not directory.checkpoint.exists() and directory.released.exists():
        return _read_released(directory, spec)
    try:
        saved = load_checkpoint(directory.checkpoint)
    except RunError as error:
        raise _damaged(directory) from error
    if saved is None:
        raise RunError(no_network(directory))
    recorded = read_record(directory)
    if recorded is not None and recorded.checkpoint not in (None, checkpoint_digest(directory)):
        raise RunError(
            f"The checkpoint of run {directory.path.name} is not the one that its record was written for, so nobody "
            "knows how good its network is. Choose another run, or put the right checkpoint.pt back."
        )
    averaged = saved.average["network"] if saved.average and saved.average["count"] else None
    return _Saved(averaged or saved.trained, saved.backbone)


def _read_released(directory: RunDirectory, spec: RunSpec) -> _Saved:
    expected = (read_import_mark(directory) or {}).get("model_checksum")
    try:
        if expected is not None and file_checksum(directory.released) != expected:
            raise ValueError("another checksum than when it was imported")
        with safe_open(directory.released, "pt") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(directory) from error
    if spec.trainable != "head":
        return _Saved(tensors, None)
    trained = {name.removeprefix("fc."): value for name, value in tensors.items() if name.startswith("fc.")}
    rest = {name: value for name, value in tensors.items() if not name.startswith("fc.")}
    return _Saved(trained, facts.get("frozen_rest_sha256"), rest or None)


def _damaged(directory: RunDirectory) -> RunError:
    file = directory.network or directory.checkpoint
    return RunError(
        f"The network of run {directory.path.name} cannot be read: its {file.name} is damaged. Choose another run, or "
        "train it again."
    )
