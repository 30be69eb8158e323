"""What every network that is trained here has in common, and how one is built with a choice of normalisation.

``frozen_batch_norm`` keeps ImageNet's statistics as constants: the pretrained function is kept exactly. ``group_norm``
normalises within one image; the convolutions keep their weights, the function is lost and must be learned again.
``batch_norm`` is what the paper's networks had: in training mode it mixes the images of a batch, so no gradient belongs
to one patient, and it writes the batch's statistics into its buffers without noise. Under DP-SGD there is then no
guarantee at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.architectures import ARCHITECTURES, RESNET18
from medpriv_core.preprocessing import GROUPS
from medpriv_core.spec import Norm
from medpriv_core.training.frozen_norm import FrozenBatchNorm2d

NormLayer = Callable[[int], nn.Module]


def _group_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(min(GROUPS, channels // 2), channels)  # a group of one channel would keep nothing of its mean


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm, except that a lone value of each channel is normalised by the running statistics.

    It has no spread of its own. Without this, the last and smallest batch of an epoch could end a run: of one image
    of 32 pixels, one value a channel is left in the deepest layers.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


NORM_LAYERS: dict[Norm, NormLayer] = {
    "frozen_batch_norm": FrozenBatchNorm2d,
    "group_norm": _group_norm,
    "batch_norm": BatchNorm,
}


NORM_TYPES = (FrozenBatchNorm2d, nn.GroupNorm, BatchNorm)


class Network(nn.Module):
    """What training asks of a network: (n, 3, size, size) normalised images -> (n, classes) logits.

    Its last layer is called ``fc``, and everything else is below it. A subclass is made from ``classes`` and
    ``norm_layer``, which makes a normalisation layer for so many channels; it works nowhere in place (see
    ``resnet18.py``), and one-pass clipping has to know its layers (``clipping.LAYERS``).

    architecture  its name, put there by ``build_model``
    width         how many numbers ``features`` gives for an image
    maps_width    how many channels ``layer3_maps`` has; 0 where there are none
    """

    architecture: str = RESNET18.name
    fc: nn.Linear
    width: int
    maps_width: int = 0

    def features(self, x: Tensor) -> Tensor:
        """(n, 3, size, size) -> (n, width): everything but the last layer."""
        raise NotImplementedError

    def layer3_maps(self, x: Tensor) -> Tensor:
        """(n, 3, size, size) -> (n, maps_width, height, width): what the last block reads, where features come from it.

        Asked only of an architecture that lists such features.
        """
        raise NotImplementedError

    def norms(self) -> list[nn.Module]:
        """The normalisation layers."""
        return [module for module in self.modules() if isinstance(module, NORM_TYPES)]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x))


def network_class(architecture: str) -> type[Network]:
    """The class of an architecture of that name."""
    module, _, name = ARCHITECTURES[architecture].network.partition(":")
    found: type[Network] = getattr(import_module(f"medpriv_core.training.{module}"), name)
    return found


def build_model(
    *,
    classes: int,
    norm: Norm,
    state_dict: Mapping[str, Tensor] | None,
    seed: int,
    architecture: str = RESNET18.name,
    **options: Any,
) -> Network:
    """A network whose last layer is fresh: all zero, so that all ``classes`` start equally likely.

    (From a random last layer, the first steps would go into unlearning it, and steps cost privacy.)
    ``state_dict`` is that of pretrained weights (checked by ``weights.load_weights``); its last
    layer is dropped, and under ``group_norm`` its BatchNorm entries too. None means random weights.
    ``seed`` fixes everything random here and leaves torch's global generators untouched. ``options`` are further ones
    of the architecture's class.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the processor's only: fork_rng puts that one back
        model = network_class(architecture)(classes=classes, norm_layer=NORM_LAYERS[norm], **options)
        if state_dict is None:
            _initialise(model)
    model.architecture = architecture
    nn.init.zeros_(model.fc.weight)
    nn.init.zeros_(model.fc.bias)
    if state_dict is not None:
        kept = {name: value for name, value in state_dict.items() if not name.startswith("fc.")}
        if norm == "frozen_batch_norm":
            # A count of batches belongs to statistics that move.
            kept = {name: value for name, value in kept.items() if not name.endswith("num_batches_tracked")}
        if norm == "group_norm":
            # Of a network that had GroupNorm before, its scales and shifts fit too.
            had_batch_norm = any(name.endswith("running_mean") for name in kept)
            fits = _convolutions(model) if had_batch_norm else set(model.state_dict())
            kept = {name: value for name, value in kept.items() if name in fits}
        fresh = {name: value for name, value in model.state_dict().items() if name not in kept}
        model.load_state_dict(fresh | kept)
    return model


def _convolutions(model: nn.Module) -> set[str]:
    return {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}


def _initialise(model: Network) -> None:
    """Random convolutions as in He et al. 2015, each frozen norm set to the scale that noise pictures give.

    Without ImageNet there are no public statistics to freeze, and without any normalisation the signal
    doubles in every block. Pictures of pure noise are public, so their statistics cost nothing.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def measure(module: nn.Module, inputs: tuple[Tensor]) -> None:
        module.running_mean = inputs[0].mean((0, 2, 3))
        module.running_var = inputs[0].var((0, 2, 3))

    hooks = [m.register_forward_pre_hook(measure) for m in model.modules() if isinstance(m, FrozenBatchNorm2d)]
    if hooks:
        with torch.no_grad():
            model.features(torch.randn(16, 3, 64, 64))
    for hook in hooks:
        hook.remove()
