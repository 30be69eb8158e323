"""Scale and shift of GroupNorm: so few numbers that each image's gradient is simply kept."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medpriv_core.training.clipping.layer import ClippedLayer, exact, only


class ClippedGroupNorm(ClippedLayer):
    """``nn.GroupNorm`` with scale and shift.

    n images of c channels in g groups are normalised as one image of n·c channels in n·g groups would be. Seen like
    this, the library's own kernel returns the gradient of n·c scales: one for each image.
    """

    module: nn.GroupNorm

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        n, positions = len(x), x[0, 0].numel()
        # One kernel wants all its inputs in one precision.
        x = exact(x).contiguous()
        weight, bias = self.module.weight.repeat(n), self.module.bias.repeat(n)
        groups = n * self.module.num_groups
        out, mean, rstd = torch.native_group_norm(
            x.view(1, -1, positions), weight, bias, 1, len(weight), positions, groups, self.module.eps
        )
        return out.view(x.shape), (x, mean, rstd)

    def backward(self, kept: tuple[Tensor, ...], grad: Tensor, *, input_needed: bool) -> Tensor | None:
        x, mean, rstd = kept
        n, positions = len(x), x[0, 0].numel()
        weight = self.module.weight.repeat(n)
        grad_x, grad_weight, grad_bias = torch.ops.aten.native_group_norm_backward(
            exact(grad).contiguous().view(1, -1, positions),
            x.view(1, -1, positions),
            mean,
            rstd,
            weight,
            1,
            len(weight),
            positions,
            n * self.module.num_groups,
            [input_needed, True, True],
        )
        self._grads = []
        if self.weight is not None:
            self._grads.append(grad_weight.view(n, -1))
        if self.bias is not None:
            self._grads.append(grad_bias.view(n, -1))
        return grad_x.view(x.shape) if input_needed else None

    def squared_norms(self) -> Tensor:
        return torch.stack([grads.square().sum(1) for grads in self._grads]).sum(0)

    def drop(self, keep: Tensor) -> None:
        self._grads = [only(grads, keep) for grads in self._grads]

    def weighted_sums(self, factors: Tensor) -> list[Tensor]:
        sums = [factors @ grads for grads in self._grads]
        del self._grads
        return sums
