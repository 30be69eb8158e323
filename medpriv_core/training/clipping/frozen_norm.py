"""Scale and shift of a frozen BatchNorm: two numbers a channel, whose gradient is kept for each image."""

from __future__ import annotations

import torch
from torch import Tensor

from medpriv_core.training.clipping.layer import ClippedLayer, exact, only
from medpriv_core.training.frozen_norm import FrozenBatchNorm2d


class ClippedFrozenBatchNorm(ClippedLayer):
    """``FrozenBatchNorm2d`` whose scale or shift learns."""

    module: FrozenBatchNorm2d

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        # Not the module itself, whose forward leads here.
        return FrozenBatchNorm2d.forward(self.module, x), (x,)

    def backward(self, kept: tuple[Tensor, ...], grad: Tensor, *, input_needed: bool) -> Tensor | None:
        (x,) = kept
        module = self.module
        precise = exact(grad)
        sums = precise.sum((2, 3))
        self._grads = []
        if self.weight is not None:
            products = torch.einsum("nchw,nchw->nc", precise, exact(x))
            self._grads.append((products - module.running_mean * sums) * module.spread())
        if self.bias is not None:
            self._grads.append(sums)
        return (grad * module.scale_and_shift()[0]).to(x.dtype) if input_needed else None

    def squared_norms(self) -> Tensor:
        return torch.stack([grads.square().sum(1) for grads in self._grads]).sum(0)

    def drop(self, keep: Tensor) -> None:
        self._grads = [only(grads, keep) for grads in self._grads]

    def weighted_sums(self, factors: Tensor) -> list[Tensor]:
        sums = [factors @ grads for grads in self._grads]
        del self._grads
        return sums
