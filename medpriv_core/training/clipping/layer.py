"""What a layer has to offer so that its share of each image's gradient can be measured and summed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn


class ClippedLayer(ABC):
    """One module with parameters that learn, as the clipper sees it.

    Between ``backward`` and ``add_weighted`` it holds what belongs to the images of the current pass.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        self.weight: nn.Parameter | None = weight if weight is not None and weight.requires_grad else None
        self.bias: nn.Parameter | None = bias if bias is not None and bias.requires_grad else None

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Those that learn."""
        return [parameter for parameter in (self.weight, self.bias) if parameter is not None]

    def __call__(self, x: Tensor) -> Tensor:
        """Stands in for the module's ``forward``: the same result, but the backward pass comes to ``backward``."""
        return _Through.apply(self, x, *self.parameters)

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The module's output, and what ``backward`` will need."""

    @abstractmethod
    def backward(self, kept: tuple[Tensor, ...], grad: Tensor, *, input_needed: bool) -> Tensor | None:
        """Take note of the gradient (n, ...) at the output; returns the one at the input, if it is needed."""

    @abstractmethod
    def squared_norms(self) -> Tensor:
        """Squared length of each image's gradient of this layer's parameters: float32 or float64, (n,).

        Where rounding could make it too short, it is rounded up by as much.
        """

    @abstractmethod
    def drop(self, keep: Tensor) -> None:
        """Let the images at which ``keep`` (n,) is False count as nothing, whatever their gradient was."""

    @abstractmethod
    def weighted_sums(self, factors: Tensor) -> list[Tensor]:
        """For each of ``parameters``, the sum over images of factor times gradient; forgets the images."""


class _Through(torch.autograd.Function):
    """A layer whose parameters receive no gradient by themselves."""

    @staticmethod
    def forward(ctx: Any, layer: ClippedLayer, x: Tensor, *_parameters: Tensor) -> Tensor:
        out, kept = layer.forward(x)
        ctx.layer = layer
        ctx.save_for_backward(*kept)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_x = ctx.layer.backward(ctx.saved_tensors, grads[0], input_needed=ctx.needs_input_grad[1])
        return (None, grad_x, *(None for _ in ctx.layer.parameters))


def rounding(terms: int, dtype: torch.dtype) -> float:
    """By how much of its terms' lengths a sum of so many products may be off: Higham's gamma_n (2002, section 3.1).

    It holds for every order of adding, with or without fused multiply-add.
    """
    unit = terms * torch.finfo(dtype).eps / 2
    return unit / (1 - unit)


def rounded_up(squares: Tensor, lengths: Tensor, *, terms: int, rows: int) -> Tensor:
    """(n,) squared lengths of sum_t g_t u_tᵀ, found from inner products, and made safe against their rounding.

    ``lengths`` (n,) is sum_t |g_t| |u_t|. Where the sum nearly cancels, it is much longer than the sum, and so may be
    the error of its square: gamma ``lengths``², with ``terms`` multiplications behind each pair of inner products and
    ``rows`` positions t. What is added up afterwards is off too, by gamma ``lengths`` at most.

    For the gradients of a ResNet-18 on pictures this makes the length one or two ten-thousandths longer.
    """
    # A pairwise sum over rows² products: so many additions in a row, with room for how a library cuts it.
    additions = 2 * math.ceil(math.log2(rows + 1)) + 32
    squares = squares.clamp(min=0) + rounding(terms + additions, squares.dtype) * lengths.square()
    return (squares.sqrt() + rounding(rows + 1, squares.dtype) * lengths).square()


def only(tensor: Tensor, keep: Tensor) -> Tensor:
    """Zeros at some images. A product with 0 would leave NaN what it is.

    Args:
        tensor: Of shape (n, ...), one entry for each image.
        keep: Boolean, of shape (n,): False for the images that get zeros.

    Returns:
        A tensor of the same shape and type.
    """
    return torch.where(keep.view(-1, *(1 for _ in tensor.shape[1:])), tensor, 0)


def exact(tensor: Tensor) -> Tensor:
    """The tensor in at least float32: norms and sums of a mixed-precision pass must not be rounded to bfloat16."""
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
