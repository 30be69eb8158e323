"""ResNet-18, written so that each patient's gradient can be told apart from the others'.

It computes what torchvision's ResNet-18 computes and has the same parameter names, with two changes:

* No operation works in place. Per-sample gradients are gathered by hooks on each layer's output, and
  ``out += identity`` would overwrite what the hook holds (PyTorch refuses with "is a view").
* A choice of normalisation. ``frozen_batch_norm`` keeps ImageNet's statistics as constants: the pretrained
  function is kept exactly. ``group_norm`` normalises within one image; the convolutions keep their weights, the
  function is lost and must be learned again. ``batch_norm`` is what the paper's networks had: in training mode it
  mixes the images of a batch, so no gradient belongs to one patient, and it writes the batch's statistics into
  its buffers without noise. Under DP-SGD there is then no guarantee at all.

Source: He, Zhang, Ren, Sun 2016, "Deep residual learning for image recognition".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.preprocessing import GROUPS
from medpriv_core.spec import Norm
from medpriv_core.training.frozen_norm import FrozenBatchNorm2d

WIDTH = 64

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


class BasicBlock(nn.Module):
    """Two 3x3 convolutions added to their input (He et al. 2016, figure 5, left)."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, norm_layer: NormLayer) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = norm_layer(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = norm_layer(channels)
        self.relu = nn.ReLU()
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False), norm_layer(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + self.downsample(x))


class ResNet18(nn.Module):
    """(n, 3, size, size) normalised images -> (n, classes) logits.

    ``channels`` of each of the four stages: 64, 128, 256, 512 in the published network. Any other ``width`` than 64 is
    for tests of what goes on around the network, which then takes a small part of the time.
    """

    def __init__(self, *, classes: int, norm_layer: NormLayer, width: int = WIDTH) -> None:
        super().__init__()
        self.channels = (width, 2 * width, 4 * width, 8 * width)
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm_layer(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        first, second, third, last = self.channels
        self.layer1 = _stage(width, first, stride=1, norm_layer=norm_layer)
        self.layer2 = _stage(first, second, stride=2, norm_layer=norm_layer)
        self.layer3 = _stage(second, third, stride=2, norm_layer=norm_layer)
        self.layer4 = _stage(third, last, stride=2, norm_layer=norm_layer)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(last, classes)

    def layer3_maps(self, x: Tensor) -> Tensor:
        """(n, 3, size, size) -> (n, 256, size / 16, size / 16): what the last stage reads."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer3(self.layer2(self.layer1(x)))

    def features(self, x: Tensor) -> Tensor:
        """(n, 3, size, size) -> (n, 512): everything but the last layer."""
        return self.avgpool(self.layer4(self.layer3_maps(x))).flatten(1)

    def norms(self) -> list[nn.Module]:
        """The normalisation layers."""
        return [module for module in self.modules() if isinstance(module, NORM_TYPES)]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x))


def build_model(
    *, classes: int, norm: Norm, state_dict: Mapping[str, Tensor] | None, seed: int, width: int = WIDTH
) -> ResNet18:
    """A ResNet-18 whose last layer is fresh: all zero, so that all ``classes`` start equally likely.

    (From a random last layer, the first steps would go into unlearning it, and steps cost privacy.)
    ``state_dict`` is that of a torchvision ResNet-18 (checked by ``weights.load_weights``); its last
    layer is dropped, and under ``group_norm`` its BatchNorm entries too. None means random weights.
    ``seed`` fixes everything random here and leaves torch's global generators untouched.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the processor's only: fork_rng puts that one back
        model = ResNet18(classes=classes, norm_layer=NORM_LAYERS[norm], width=width)
        if state_dict is None:
            _initialise(model)
    nn.init.zeros_(model.fc.weight)
    nn.init.zeros_(model.fc.bias)
    if state_dict is not None:
        kept = {name: value for name, value in state_dict.items() if not name.startswith("fc.")}
        if norm == "frozen_batch_norm":
            # A count of batches belongs to statistics that move.
            kept = {name: value for name, value in kept.items() if not name.endswith("num_batches_tracked")}
        if norm == "group_norm":
            # Of a network that had GroupNorm before, its scales and shifts fit too.
            fits = _convolutions(model) if "bn1.running_mean" in kept else set(model.state_dict())
            kept = {name: value for name, value in kept.items() if name in fits}
        fresh = {name: value for name, value in model.state_dict().items() if name not in kept}
        model.load_state_dict(fresh | kept)
    return model


def _stage(in_channels: int, channels: int, *, stride: int, norm_layer: NormLayer) -> nn.Sequential:
    return nn.Sequential(
        BasicBlock(in_channels, channels, stride=stride, norm_layer=norm_layer),
        BasicBlock(channels, channels, stride=1, norm_layer=norm_layer),
    )


def _convolutions(model: nn.Module) -> set[str]:
    return {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}


def _initialise(model: ResNet18) -> None:
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
