"""BatchNorm with its statistics frozen: what is left is a scale and a shift for each channel, and those can learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FrozenBatchNorm2d(nn.Module):
    """(n, channels, h, w) -> the same shape: (x - mean) / sqrt(var + eps) * weight + bias.

    ``running_mean`` and ``running_var`` are constants, those of ImageNet if the weights are: nothing here looks at
    more than one image. ``weight`` and ``bias`` are parameters. Names and values are those of ``nn.BatchNorm2d``.
    """

    EPS = 1e-5

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        scale, shift = self.scale_and_shift()
        return x * scale + shift

    def spread(self) -> Tensor:
        """1 / sqrt(var + eps) of each channel, (channels,)."""
        return (self.running_var + self.EPS).rsqrt()

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """All of it in two numbers a channel, (channels, 1, 1) each."""
        scale = self.weight * self.spread()
        return scale[:, None, None], (self.bias - self.running_mean * scale)[:, None, None]
