"""What a finished run's network makes of a picture.

The network is put together again from the run's files, and a picture reaches it on the way that the run's test images
took: grey or colour as in the dataset, squashed to the run's square, cut in the middle, standardised. So of the
dataset's own test images it says what the run's recorded test accuracy was counted on. Under Local-DP, too, a picture
is taken as it is: the test protocol looks at clean test images and at noised ones, and here the caller chooses.

A run with the last layer alone keeps just that layer; the frozen rest is loaded from the pretrained weights again, and
its fingerprint must be the one that the run began with. It all happens on the CPU in float32: a few pictures need no
accelerator, and a run that trains on one is not disturbed. (A run in mixed precision was evaluated with coarser
arithmetic, so its probabilities may differ from these in the third digit.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from medpriv_core.datasets.images import to_square
from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import RunError, WeightsError
from medpriv_core.home import DataHome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.spec import RunSpec
from medpriv_core.training import engines
from medpriv_core.training.augmentation import network_input
from medpriv_core.training.checkpoint import Checkpoint, load_checkpoint
from medpriv_core.training.device import forward_batch_size
from medpriv_core.training.features import KINDS, Backbone
from medpriv_core.training.inputs import standardise
from medpriv_core.training.model import ResNet18, build_model
from medpriv_core.training.weights import fingerprint, load_weights
from medpriv_core.weights_source import weights_status

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Predictor:
    """A network that judges pictures.

    classes     their names, in the order of the probabilities
    channels    of the dataset's images: 1 = grey, 3 = colour
    image_size  side in pixels of the square that a picture is squashed to
    input_size  side of what the network sees of it
    logits      uint8 (n, image_size, image_size, channels) -> (n, classes)
    """

    classes: tuple[str, ...]
    channels: int
    image_size: int
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
        return to_square(image.convert("L" if self.channels == 1 else "RGB"), self.image_size)


def load_predictor(directory: RunDirectory, *, home: DataHome) -> Predictor:
    """The network of the finished run in ``directory``.

    Raises ``RunError`` if files of the run are missing or damaged, and ``WeightsError`` if the pretrained weights that
    it began with are gone or have been replaced; nothing is ever downloaded.
    """
    spec = directory.read_spec()
    saved = _read_checkpoint(directory)
    classes = directory.read_setup().get("classes")
    if not classes:
        raise RunError(
            f"The file setup.json of run {directory.path.name} is missing or damaged, so nobody knows the classes of "
            "its network; choose another run, or train it again."
        )
    head = spec.trainable == "head"
    # Any other run holds its whole network, so what it began with is not needed.
    state_dict = load_weights(_present_weights(spec, home), home=home).state_dict if head else None
    network = build_model(classes=len(classes), norm=spec.norm, state_dict=state_dict, seed=spec.seed)
    below = ""
    if head:
        below = fingerprint({name: value for name, value in network.state_dict().items() if not _is_last(name)})
        if below != saved.backbone:
            raise WeightsError(
                f"The pretrained weights are not those that run {directory.path.name} began with, so its network "
                "cannot be put together; bring the old weights file back, or choose another run."
            )
        network.fc = nn.Linear(KINDS[spec.features].width, len(classes), bias=spec.head_bias)
    try:
        averaged = saved.average["network"] if saved.average and saved.average["count"] else None
        (network.fc if head else network).load_state_dict(averaged or saved.trained)
    except (RuntimeError, KeyError, TypeError) as error:
        raise _damaged(directory) from error
    network.eval().requires_grad_(False)
    network.to(memory_format=engines.memory_format(spec.changed(device="cpu"), CPU))
    logits = _logits_of_features(network, below, spec) if head else _logits_of_images(network, spec)
    channels = dataset_info(spec.dataset).channels
    return Predictor(tuple(classes), channels, spec.image_size, spec.input_size, logits)


def _logits_of_features(network: ResNet18, below: str, spec: RunSpec) -> Callable[[Tensor], Tensor]:
    backbone = Backbone(network, below, spec.input_size, CPU, None, KINDS[spec.features])

    def logits(images: Tensor) -> Tensor:
        features = backbone.features(images)
        if spec.standardise:
            features = torch.from_numpy(standardise(features.numpy()))
        return network.fc(features)

    return logits


def _logits_of_images(network: ResNet18, spec: RunSpec) -> Callable[[Tensor], Tensor]:
    return lambda images: network(network_input(images, size=spec.input_size))


def _read_checkpoint(directory: RunDirectory) -> Checkpoint:
    try:
        saved = load_checkpoint(directory.checkpoint)
    except RunError as error:
        raise _damaged(directory) from error
    if saved is None:
        raise RunError(
            f"The network of run {directory.path.name} has been deleted (there is no {directory.checkpoint.name} in "
            "its folder); choose another run, or train it again."
        )
    return saved


def _damaged(directory: RunDirectory) -> RunError:
    return RunError(
        f"The network of run {directory.path.name} cannot be read: its {directory.checkpoint.name} is damaged. Choose "
        "another run, or train it again."
    )


def _present_weights(spec: RunSpec, home: DataHome) -> str:
    """The run's choice of pretrained weights, if no download is needed to read them."""
    if spec.weights == "imagenet":
        status = weights_status(home)
        missing = status.path if status.state == "to_download" or not status.path.is_file() else None
    else:
        missing = None if spec.weights == "none" or Path(spec.weights).is_file() else Path(spec.weights)
    if missing is not None:
        raise WeightsError(
            f"The pretrained weights that this run began with are no longer at {missing}; bring the file back, or "
            "choose another run."
        )
    return spec.weights


def _is_last(name: str) -> bool:
    return name.startswith("fc.")
