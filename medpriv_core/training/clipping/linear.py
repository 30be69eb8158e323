"""Fully connected layers: an image's gradient is an outer product, whose length needs no product at all."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.errors import SettingError
from medpriv_core.training.clipping.layer import ClippedLayer, exact


class ClippedLinear(ClippedLayer):
    """``nn.Linear`` on (n, features), where |x gᵀ| = |x| |g| (Goodfellow 2015, section 5).

    Raises ``SettingError`` on an input of another shape.
    """

    module: nn.Linear

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        if x.dim() != 2:
            raise SettingError(
                f"The engine one_pass clips Linear layers on one row of features an image, but got the shape "
                f"{tuple(x.shape)}; take the engine opacus."
            )
        return F.linear(x, self.module.weight, self.module.bias), (x,)

    def backward(self, kept: tuple[Tensor, ...], grad: Tensor, *, input_needed: bool) -> Tensor | None:
        (x,) = kept
        self._x, self._grad = exact(x), exact(grad)
        return (grad @ self.module.weight.to(grad.dtype)).to(x.dtype) if input_needed else None

    def squared_norms(self) -> Tensor:
        grad = self._grad.square().sum(1)
        total = torch.zeros_like(grad)
        if self.weight is not None:
            total = total + self._x.square().sum(1) * grad
        return total + grad if self.bias is not None else total

    def weighted_sums(self, factors: Tensor) -> list[Tensor]:
        grad = self._grad * factors[:, None]
        sums = []
        if self.weight is not None:
            sums.append(grad.T @ self._x)
        if self.bias is not None:
            sums.append(grad.sum(0))
        del self._x, self._grad
        return sums
