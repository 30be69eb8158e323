"""ResNet-18, written so that each patient's gradient can be told apart from the others'.

It computes what torchvision's ResNet-18 computes and has the same parameter names, but no operation works in place.
Per-sample gradients are gathered by hooks on each layer's output, and ``out += identity`` would overwrite what the hook
holds (PyTorch refuses with "is a view").

Source: He, Zhang, Ren, Sun 2016, "Deep residual learning for image recognition".
"""

from __future__ import annotations

from torch import Tensor, nn

from medpriv_core.training.model import Network, NormLayer

WIDTH = 64


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


class ResNet18(Network):
    """(n, 3, size, size) normalised images -> (n, classes) logits.

    Its four stages have 1, 2, 4 and 8 times ``width`` channels: 64, 128, 256, 512 in the published network. Any other
    ``width`` than 64 is for tests of what goes on around the network, which then takes a small part of the time.
    """

    def __init__(self, *, classes: int, norm_layer: NormLayer, width: int = WIDTH) -> None:
        super().__init__()
        first, second, third, last = width, 2 * width, 4 * width, 8 * width
        self.maps_width, self.width = third, last
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm_layer(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
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


def _stage(in_channels: int, channels: int, *, stride: int, norm_layer: NormLayer) -> nn.Sequential:
    return nn.Sequential(
        BasicBlock(in_channels, channels, stride=stride, norm_layer=norm_layer),
        BasicBlock(channels, channels, stride=1, norm_layer=norm_layer),
    )
