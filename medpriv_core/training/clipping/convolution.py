"""Convolutions, and two ways to the length of each image's gradient.

With u_t the patch of the input under output position t, and g_t the gradient there, an image's gradient is
G = sum_t g_t u_tᵀ. Either it is computed and kept, or its length is found without it, because

    |G|² = sum_{t,t'} (g_t · g_t') (u_t · u_t')

The second way costs as much as positions squared, so it is the cheaper one deep in the network, where positions are
few and channels many; the first is near the input. And u_t · u_t' is a sum over the kernel's taps of inner products of
single pixels, which need computing once and not once for every tap.

In float32 the second way may come out too short: where the terms nearly cancel, because all patches have much in common
and the gradients add up to nothing, their rounding can be larger than the sum. What rounding could hide is therefore
added (``layer.rounded_up``), and the gradient shortened by that much more.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.training.clipping.kernels import conv_input_grad, conv_weight_grad, per_sample_weight_grads
from medpriv_core.training.clipping.layer import ClippedLayer, exact, only, rounded_up

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

    def drop(self, keep: Tensor) -> None:
        for name in ("_weight_grads", "_bias_grads", "_x", "_grad"):
            kept = getattr(self, name)
            setattr(self, name, None if kept is None else only(kept, keep))

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
    keeping = KEEPING_COST * out_positions * module.weight.numel() + CALL_COST
    pixel_pairs = sum(x[0, 0, down.pixels, right.pixels].numel() ** 2 for down, right in _phases(module))
    inner_products = pixel_pairs * x.shape[1] + out_positions**2 * (grad.shape[1] + TAP_COST * taps * module.groups)
    return keeping < inner_products


def squared_norms_by_inner_products(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    """|G|² of each image from x (n, in, h, w) and grad (n, out, h', w'), without G, rounded up; shape (n,)."""
    n, groups = len(x), module.groups
    height, width = grad.shape[2:]
    patches: Tensor | None = None
    for down, right in _phases(module):
        pixels = _inner_products(x[:, :, down.pixels, right.pixels], groups)
        # Rows first, then columns: a + b shifts instead of a times b.
        rows = _sum_of_windows(pixels, (1, 3), down.firsts, height)
        both = _sum_of_windows(rows, (2, 4), right.firsts, width)
        patches = both if patches is None else patches.add_(both)
    assert patches is not None  # a kernel has at least one tap
    shape = (n, groups, height * width, height * width)
    of_patches, of_grads = patches.reshape(shape), _inner_products(grad, groups).reshape(shape)
    squares = (of_patches * of_grads).sum((1, 2, 3))
    lengths = (_diagonals(of_patches) * _diagonals(of_grads)).sqrt().sum(2).norm(dim=1)
    channels, taps = (grad.shape[1] + x.shape[1]) // groups, module.weight[0, 0].numel()
    return rounded_up(squares, lengths, terms=channels + taps, rows=height * width)


def _diagonals(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=2, dim2=3)


class _Phase(NamedTuple):
    """Every ``stride``-th row (or column) of the input, and how the taps that fall on these walk over them.

    Under output position t, a tap is on the row ``first + t`` of them; rows outside are the padding's zeros.
    """

    pixels: slice
    firsts: list[int]


def _phases(module: nn.Conv2d) -> Iterable[tuple[_Phase, _Phase]]:
    """With stride s only every s-th pixel in each direction ever meets another one: s times s separate pictures."""
    down, right = map(_phases_along, module.kernel_size, *_geometry(module))
    return itertools.product(down, right)


def _phases_along(taps: int, stride: int, padding: int, spacing: int) -> list[_Phase]:
    phases = []
    for start in range(stride):
        distances = [spacing * tap - padding - start for tap in range(taps)]
        firsts = [distance // stride for distance in distances if distance % stride == 0]
        if firsts:
            phases.append(_Phase(slice(start, None, stride), firsts))
    return phases


def _inner_products(maps: Tensor, groups: int) -> Tensor:
    """(n, channels, h, w) -> (n·groups, h, w, h, w): of every pixel's channels with every other's."""
    n, channels, height, width = maps.shape
    flat = maps.reshape(n * groups, channels // groups, height * width)
    return torch.bmm(flat.transpose(1, 2), flat).view(n * groups, height, width, height, width)


def _sum_of_windows(tensor: Tensor, dims: tuple[int, int], firsts: list[int], length: int) -> Tensor:
    """Sum of the windows of ``length`` along both ``dims`` that begin at each of ``firsts``; zero beyond the border."""
    before, after = -min(firsts), max(firsts) + length - tensor.shape[dims[0]]
    # Pairs from the last dimension to the first; a negative number crops.
    sides = [side for dim in range(tensor.dim() - 1, 0, -1) for side in ((before, after) if dim in dims else (0, 0))]
    tensor = F.pad(tensor, sides)
    first, *others = (
        tensor.narrow(dims[0], before + first, length).narrow(dims[1], before + first, length) for first in firsts
    )
    total = first.clone()
    for window in others:
        total.add_(window)
    return total


def _geometry(module: nn.Conv2d) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    pair = tuple[int, int]
    return cast(pair, module.stride), cast(pair, module.padding), cast(pair, module.dilation)
