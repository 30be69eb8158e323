"""Fully connected layers: an image's gradient is an outer product, whose length needs no product at all."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.errors import SettingError
from medpriv_core.training.clipping.layer import ClippedLayer, exact


class ClippedLinear(ClippedLayer):
    """``nn.Linear`` on (n, features), where |g xᵀ| = |g| |x| (Goodfellow 2015, section 5), or (n, rows, features).

    Of several rows an image, the gradients add up: |sum_k g_k x_kᵀ|² = sum_{k,l} (g_k · g_l) (x_k · x_l).
    Raises ``SettingError`` on an input of another shape.
    """

    module: nn.Linear

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        if x.dim() not in (2, 3):
            raise SettingError(
                f"[engine=one_pass] clips Linear layers on one or several rows of features an image, but got the shape "
                f"{tuple(x.shape)}; set [engine] to [engine=opacus]."
            )
        return F.linear(x, self.module.weight, self.module.bias), (x,)

    def backward(self, kept: tuple[Tensor, ...], grad: Tensor, *, input_needed: bool) -> Tensor | None:
        (x,) = kept
        self._x, self._grad = (exact(t if t.dim() == 3 else t[:, None]) for t in (x, grad))
        return (grad @ self.module.weight.to(grad.dtype)).to(x.dtype) if input_needed else None

    def squared_norms(self) -> Tensor:
        products = _inner_products(self._grad)
        total = torch.zeros_like(products)
        if self.weight is not None:
            total = total + products * _inner_products(self._x)
        if self.bias is not None:
            total = total + products
        return total.sum((1, 2))

    def weighted_sums(self, factors: Tensor) -> list[Tensor]:
        grad = self._grad * factors[:, None, None]
        sums = []
        if self.weight is not None:
            sums.append(grad.flatten(0, 1).T @ self._x.flatten(0, 1))
        if self.bias is not None:
            sums.append(grad.sum((0, 1)))
        del self._x, self._grad
        return sums


def _inner_products(rows: Tensor) -> Tensor:
    """(n, rows, width) -> (n, rows, rows)."""
    if rows.shape[1] == 1:
        return rows.square().sum(2, keepdim=True)
    return torch.bmm(rows, rows.transpose(1, 2))
