"""Fully connected layers: an image's gradient is an outer product, whose length needs no product at all."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.errors import SettingError
from medpriv_core.training.clipping.layer import ClippedLayer, exact, only, rounded_up


class ClippedLinear(ClippedLayer):
    """``nn.Linear`` on (n, features), where |g xᵀ| = |g| |x| (Goodfellow 2015, section 5), or (n, rows, features).

    Of several rows an image, the gradients add up: |sum_k g_k x_kᵀ|² = sum_{k,l} (g_k · g_l) (x_k · x_l). There the
    terms may nearly cancel, so what rounding could hide is added, as in ``convolution``.
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
        of_grads, of_inputs = _inner_products(self._grad), torch.zeros(())
        if self.weight is not None:
            of_inputs = _inner_products(self._x)
        if self.bias is not None:
            of_inputs = of_inputs + 1  # its input is 1 in every row
        total = (of_grads * of_inputs).sum((1, 2))
        if of_grads.shape[1] == 1:
            return total
        terms = (products.diagonal(dim1=1, dim2=2) for products in (of_grads, of_inputs.expand_as(of_grads)))
        lengths = functools.reduce(torch.mul, terms).sqrt().sum(1)
        return rounded_up(total, lengths, terms=self._x.shape[2] + self._grad.shape[2], rows=of_grads.shape[1])

    def drop(self, keep: Tensor) -> None:
        self._x, self._grad = only(self._x, keep), only(self._grad, keep)

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
