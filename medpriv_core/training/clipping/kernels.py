"""The convolution's three gradients, from the library's own kernels.

The gradient for each image on its own is where processors and accelerators differ: a processor takes the images one
after the other, each thread its own share, which needs no memory beyond the result; an accelerator takes all at once.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv_input_grad(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    """Gradient (n, in, h, w) at the input."""
    return _backward(module, x, grad, [True, False, False])[0]


def conv_weight_grad(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    """Gradient of the weight, summed over the images."""
    # Rounding to TF32 here would lengthen what was measured in full float32.
    with torch.backends.cudnn.flags(allow_tf32=False):
        return _backward(module, x, grad, [False, True, False])[1]


def per_sample_weight_grads(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    """Gradient of the weight for each image: (n, weights)."""
    if x.device.type == "cpu":
        return _one_by_one(module, x, grad)
    return _all_at_once(module, x, grad)


def _all_at_once(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    n, groups = len(x), module.groups
    patches = F.unfold(x, module.kernel_size, module.dilation, cast(tuple[int, int], module.padding), module.stride)
    patches = patches.view(n * groups, -1, patches.shape[2])
    return torch.bmm(grad.reshape(n * groups, -1, patches.shape[2]), patches.transpose(1, 2)).view(n, -1)


def _one_by_one(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    out = grad.new_empty(len(x), module.weight.numel())

    def compute(start: int, stop: int) -> None:
        with torch.no_grad():
            for i in range(start, stop):
                one = _backward(module, x[i : i + 1], grad[i : i + 1], [False, True, False])[1]
                out[i].view_as(one).copy_(one)

    threads = torch.get_num_threads()
    bounds = [len(x) * part // threads for part in range(threads + 1)]
    list(_pool(threads).map(compute, bounds[:-1], bounds[1:]))
    return out


@functools.lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    list(pool.map(lambda _: None, range(threads)))
    # Each worker keeps to itself; threads made later shall not take this from them.
    torch.set_num_threads(threads)
    return pool


def _backward(module: nn.Conv2d, x: Tensor, grad: Tensor, wanted: list[bool]) -> tuple[Tensor, ...]:
    weight = module.weight.to(grad.dtype)
    geometry = (module.stride, module.padding, module.dilation, False, [0, 0], module.groups)
    return torch.ops.aten.convolution_backward(grad, x.to(grad.dtype), weight, None, *geometry, wanted)
