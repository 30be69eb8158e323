"""The convolution's three gradients, from the library's own kernels.

The gradient for each image on its own is where processors and accelerators differ. An accelerator takes all images at
once, by matrix products. A processor's kernel for convolutions is the faster way there, and wants a batch summed; but
a few images side by side are one image whose channels are convolved in groups, and groups are not summed. Only where
the channels are too few for that kernel (the first layer has three) it is slow in groups, and each thread takes a share
of the images, one after the other.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Deep in the network pictures are so small that much of a kernel lies beyond their border, where all is zero. Under
# this share of taps inside, leaving those out pays for doing without the library's kernel.
MOSTLY_INSIDE = 0.75

# So many channels fill a processor's vector registers.
WIDE = 16

# Images in one call: enough to share out among the cores, few enough to stay in their caches.
SIDE_BY_SIDE = 8


def conv_input_grad(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    """Gradient (n, in, h, w) at the input."""
    return _backward(module, x, grad, [True, False, False])[0]


def conv_weight_grad(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    """Gradient of the weight, summed over the images."""
    if x.device.type == "cpu" and module.groups == 1:
        windows = _windows(module, x.shape[2:], grad.shape[2:])
        if sum(window.positions for window in windows) < MOSTLY_INSIDE * len(windows) * grad[0, 0].numel():
            return _by_taps(module, x, grad, windows)
    # Rounding to TF32 here would lengthen what was measured in full float32.
    with torch.backends.cudnn.flags(allow_tf32=False):
        return _backward(module, x, grad, [False, True, False])[1]


class _Window(NamedTuple):
    """Where a tap of the kernel lies inside the picture: rows and columns of the gradient, and those of the input."""

    grad: tuple[slice, slice]
    x: tuple[slice, slice]
    positions: int


def _windows(module: nn.Conv2d, size: Sequence[int], out_size: Sequence[int]) -> list[_Window]:
    """One for each tap, in the order of the kernel."""
    geometry = zip(module.kernel_size, module.stride, module.padding, module.dilation, size, out_size, strict=True)
    rows, columns = ([_inside(tap, *rest) for tap in range(taps)] for taps, *rest in geometry)
    return [
        _Window((row[0], column[0]), (row[1], column[1]), _length(row[0]) * _length(column[0]))
        for row, column in itertools.product(rows, columns)
    ]


def _inside(tap: int, stride: int, padding: int, spacing: int, size: int, out_size: int) -> tuple[slice, slice]:
    """Output positions under which a tap is inside the picture along one direction, and the pixels that it meets."""
    shift = spacing * tap - padding
    first = max(0, -(shift // stride))
    stop = max(first, min(out_size, (size - 1 - shift) // stride + 1))
    start = stride * first + shift
    return slice(first, stop), slice(start, start + stride * (stop - first), stride)


def _length(part: slice) -> int:
    return part.stop - part.start


def _by_taps(module: nn.Conv2d, x: Tensor, grad: Tensor, windows: list[_Window]) -> Tensor:
    """A matrix product for each tap, over the positions alone at which it is inside the picture."""
    x, grad = x.to(grad.dtype).permute(0, 2, 3, 1).contiguous(), grad.transpose(0, 1).contiguous()
    taps = grad.new_empty(len(windows), module.out_channels, module.in_channels)
    for tap, window in zip(taps, windows, strict=True):
        out = grad[:, :, *window.grad].reshape(module.out_channels, -1)
        torch.mm(out, x[:, *window.x].reshape(-1, module.in_channels), out=tap)
    return taps.permute(1, 2, 0).reshape(module.weight.shape)


def per_sample_weight_grads(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    """Gradient of the weight for each image: (n, weights)."""
    if x.device.type != "cpu":
        return _all_at_once(module, x, grad)
    if x.shape[1] // module.groups < WIDE:
        return _one_by_one(module, x, grad)
    return _side_by_side(module, x, grad)


def _all_at_once(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    n, groups = len(x), module.groups
    patches = F.unfold(x, module.kernel_size, module.dilation, cast(tuple[int, int], module.padding), module.stride)
    patches = patches.view(n * groups, -1, patches.shape[2])
    return torch.bmm(grad.reshape(n * groups, -1, patches.shape[2]), patches.transpose(1, 2)).view(n, -1)


def _side_by_side(module: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    out = grad.new_empty(len(x), module.weight.numel())
    for start in range(0, len(x), SIDE_BY_SIDE):
        few = slice(start, start + SIDE_BY_SIDE)
        count = len(x[few])
        # Of the weights, this gradient depends on their shape only.
        shape_only = grad.new_empty(count * module.out_channels, *module.weight.shape[1:])
        one = _convolution_backward(
            module,
            x[few].reshape(1, -1, *x.shape[2:]),
            grad[few].reshape(1, -1, *grad.shape[2:]),
            [False, True, False],
            weight=shape_only,
            groups=count * module.groups,
        )[1]
        out[few].view_as(one).copy_(one)
    return out


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
    return _convolution_backward(module, x, grad, wanted, weight=weight, groups=module.groups)


def _convolution_backward(
    module: nn.Conv2d, x: Tensor, grad: Tensor, wanted: list[bool], *, weight: Tensor, groups: int
) -> tuple[Tensor, ...]:
    geometry = (module.stride, module.padding, module.dilation, False, [0, 0], groups)
    return torch.ops.aten.convolution_backward(grad, x.to(grad.dtype), weight, None, *geometry, wanted)
