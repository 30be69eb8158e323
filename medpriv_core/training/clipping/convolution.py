"""Convolutions, and two ways to the length of each image's gradient.

With u_t the patch of the input under output position t, and g_t the gradient there, an image's gradient is
G = sum_t g_t u_tᵀ. Either it is computed and kept, or its length is found without it, because

    |G|² = sum_{t,t'} (g_t · g_t') (u_t · u_t')

The second way costs as much as positions squared, so it is the cheaper one deep in the network, where positions are
few and channels many; the first is near the input. And u_t · u_t' is a sum over the kernel's taps of inner products of
single pixels, which need computing once and not once for every tap.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.training.clipping.kernels import conv_input_grad, conv_weight_grad, per_sample_weight_grads
from medpriv_core.training.clipping.layer import ClippedLayer, exact

# Measured on two processors: a kept gradient costs half as much again as the plain sum that it replaces, and a call
# for each image; adding up a tap's inner products, bound by memory, costs as much as this many multiplications.
KEEPING_COST = 0.5
CALL_COST = 2_000_000
TAP_COST = 10


class ClippedConv2d(ClippedLayer):
    """``nn.Conv2d`` of any stride, padding with zeros, dilation and number of groups."""

    module: nn.Conv2d

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        module = self.module
        out = F.conv2d(x, module.weight, module.bias, *_geometry(module), module.groups)
        return out, (x,)

    def backward(self, kept: tuple[Tensor, ...], grad: Tensor, *, input_needed: bool) -> Tensor | None:
        (x,) = kept
        grad_x = conv_input_grad(self.module, x, grad) if input_needed else None
        x, grad = exact(x), exact(grad)
        self._bias_grads = grad.sum((2, 3)) if self.bias is not None else None
        self._weight_grads = self._x = self._grad = None
        if self.weight is not None:
            if keeping_is_cheaper(self.module, x, grad):
                self._weight_grads = per_sample_weight_grads(self.module, x, grad)
            else:
                self._x, self._grad = x, grad
        return grad_x

    def squared_norms(self) -> Tensor:
        parts = []
        if self._weight_grads is not None:
            # In two stages: one float32 sum over all weights would be off by 1e-4.
            rows = torch.linalg.vector_norm(
                self._weight_grads.view(len(self._weight_grads), self.module.out_channels, -1), dim=2
            )
            parts.append(rows.square().sum(1))
        elif self._x is not None and self._grad is not None:
            parts.append(squared_norms_by_inner_products(self.module, self._x, self._grad))
        if self._bias_grads is not None:
            parts.append(self._bias_grads.square().sum(1))
        return torch.stack(parts).sum(0)

    def weighted_sums(self, factors: Tensor) -> list[Tensor]:
        sums = []
        if self._weight_grads is not None:
            sums.append((factors @ self._weight_grads).view_as(self.module.weight))
        elif self._x is not None and self._grad is not None:
            sums.append(conv_weight_grad(self.module, self._x, self._grad * factors[:, None, None, None]))
        if self._bias_grads is not None:
            sums.append(factors @ self._bias_grads)
        self._weight_grads = self._x = self._grad = self._bias_grads = None
        return sums


def keeping_is_cheaper(module: nn.Conv2d, x: Tensor, grad: Tensor) -> bool:
    """Whether to compute each image's gradient, rather than its length by inner products alone."""
    out_positions, taps = grad[0, 0].numel(), module.weight[0, 0].numel()
    in_positions = out_positions if taps == 1 else x[0, 0].numel()
    keeping = KEEPING_COST * out_positions * module.weight.numel() + CALL_COST
    inner_products = in_positions**2 * x.shape[1] + out_positions**2 * (grad.shape[1] + TAP_COST * taps * module.groups)
    return keeping < inner_products


def squared_norms_by_inner_products(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    """|G|² of each image from x (n, in, h, w) and grad (n, out, h', w'), without G; shape (n,)."""
    n, groups = len(x), module.groups
    height, width = grad.shape[2:]
    if module.weight[0, 0].numel() == 1:
        # A patch is one pixel, so only those under an output position count.
        (rise, run), (pad_y, pad_x), _ = _geometry(module)
        x = F.pad(x, (pad_x, pad_x, pad_y, pad_y))[:, :, : rise * height : rise, : run * width : run]
        patches = _inner_products(x, groups)
    else:
        patches = _patch_inner_products(module, _inner_products(x, groups), height, width)
    return (patches.view(n, -1) * _inner_products(grad, groups).view(n, -1)).sum(1)


def _inner_products(maps: Tensor, groups: int) -> Tensor:
    """(n, channels, h, w) -> (n·groups, h, w, h, w): of every pixel's channels with every other's."""
    n, channels, height, width = maps.shape
    flat = maps.reshape(n * groups, channels // groups, height * width)
    return torch.bmm(flat.transpose(1, 2), flat).view(-1, height, width, height, width)


def _patch_inner_products(module: nn.Conv2d, pixels: Tensor, height: int, width: int) -> Tensor:
    """u_t · u_t' for the height x width patches: the sum over taps of the pixels' inner products, shifted alike."""
    (rise, run), (pad_y, pad_x), (space_y, space_x) = _geometry(module)
    taps_y, taps_x = module.kernel_size
    # Beyond the border all pixels are zero. Rows first, then columns: a + b shifts instead of a times b.
    pixels = F.pad(pixels, (pad_x, pad_x, pad_y, pad_y, pad_x, pad_x, pad_y, pad_y))
    rows = _shifted_sum(pixels, (1, 3), taps=taps_y, spacing=space_y, stride=rise, length=height)
    return _shifted_sum(rows, (2, 4), taps=taps_x, spacing=space_x, stride=run, length=width)


def _shifted_sum(tensor: Tensor, dims: tuple[int, int], *, taps: int, spacing: int, stride: int, length: int) -> Tensor:
    """Sum over taps of the entries whose indices along both ``dims`` are stride·t + spacing·tap, for t < length."""
    total: Tensor | None = None
    for tap in range(taps):
        window = tensor
        for dim in dims:
            start = spacing * tap
            window = window.narrow(dim, start, stride * (length - 1) + 1)
            if stride > 1:
                index = [slice(None)] * tensor.dim()
                index[dim] = slice(None, None, stride)
                window = window[tuple(index)]
        total = window.clone() if total is None else total.add_(window)
    assert total is not None  # a kernel has at least one tap
    return total


def _geometry(module: nn.Conv2d) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    pair = tuple[int, int]
    return cast(pair, module.stride), cast(pair, module.padding), cast(pair, module.dilation)
