"""The mechanism's noise: Gaussian, from a generator that nobody can wind back.

Whoever can repeat the noise can take it off again, so the generator is part of the guarantee. PyTorch's own one for
the processor is a Mersenne Twister that looks at the lower 32 bits of its seed only (``manual_seed(s)`` and
``manual_seed(s + 2**32)`` give the same numbers): four billion trials undo it, and 624 outputs betray its state.

On the processor all bits therefore come from OpenSSL's generator behind Python's ``ssl.RAND_bytes``: AES-256 in
counter mode (CTR_DRBG of NIST SP 800-90A), seeded with 256 bits by the operating system, different in every thread
and after a fork. With AES in hardware it gives several gigabytes a second, more than ordinary generators do, and
there is no seed or state here that could be stored. The bits become Gaussian by the method of Box and Muller
(1958): a radius sqrt(-2 ln u) with u uniform in (0, 1], and a direction that is uniform.

fast    one draw a value. The direction has 32 bits; the radius has 32 and, where they lead far out, 53 more, so
        the tails go on to 10.8 standard deviations. Floating-point numbers are not real numbers, though: which of
        them a sum with such noise can and cannot reach may betray the lowest bits of what was added to it
        (Mironov 2012).
secure  against that, each value is the sum of two draws in float64 that share no random bits, divided by sqrt(2).
        To undo it one would have to search 2^(53 * 3) combinations (Holohan and Braghin 2021, section 5.1,
        arXiv 2107.10138, with n = 2; their 2n = 4 draws are for draws that share their bits). It is added in
        float64, and only the sum is rounded to the gradient's precision.

``secure`` protects against who sees everything that is released and computes without end. It does not protect
against who reads this process's memory, measures its time, or controls the operating system; and it makes the
attacks on rounding infeasible without proving that there is no other, as a sampler on integers would.

Cost for the 11.2 million values of a ResNet-18, in processor time on an AMD EPYC with AVX-512: ``fast`` 38 ms,
``secure`` 400 ms, both shared among the cores; PyTorch's ``normal_`` and ``add_`` 43 ms, on one core whatever there is.

On CUDA and MPS ``fast`` is PyTorch's generator of the device (Philox, seeded with 63 bits by the operating system;
of statistical, not of cryptographic quality), and ``secure`` is drawn on the processor and copied over.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medpriv_core.errors import SettingError
from medpriv_core.privacy.facts import Source
from medpriv_core.spec import NoiseGenerator
from medpriv_core.training.randomness import SecretUniform, random_bits, secret_generator

# Values drawn at once: what is needed for them stays in a core's own cache.
BLOCK = 1 << 17

# A uniform 32-bit number below this, which leads far out, gets 53 more bits behind the point.
TAIL = 1 << 12


class NoiseSource:
    """Adds fresh Gaussian noise to tensors on one device; several threads work on large ones."""

    def __init__(self, kind: NoiseGenerator, device: torch.device) -> None:
        self.kind = kind
        self._device = device
        self._draw = _DRAWS[kind]
        self._generator = secret_generator(device) if kind == "fast" and device.type != "cpu" else None
        # One thread for each core that PyTorch may use; started when first needed.
        self._threads = ThreadPoolExecutor(torch.get_num_threads(), thread_name_prefix="noise")

    def __deepcopy__(self, _memo: dict[int, Any]) -> NoiseSource:
        """Another source of the same kind. It begins anew: two sources must never draw the same noise."""
        return type(self)(self.kind, self._device)

    @property
    def drawn_by(self) -> Source:
        """The generator that the noise comes from."""
        return "openssl" if self._generator is None else "philox"

    def add_(self, tensor: Tensor, standard_deviation: float) -> None:
        """Add independent N(0, ``standard_deviation``²) to each element of ``tensor``, in place."""
        self.add_to_all([tensor], standard_deviation)

    def add_to_all(self, tensors: Iterable[Tensor], standard_deviation: float) -> None:
        """The same for several tensors of float32 or float64, whatever their order in memory.

        0 adds nothing. Raises ``SettingError`` if the standard deviation is negative, infinite or not a number.
        """
        if not 0 <= standard_deviation < math.inf:
            raise SettingError(f"The noise's standard deviation must be 0 or more, but is {standard_deviation}.")
        if standard_deviation == 0:
            return
        with torch.no_grad():
            if self._generator is not None:
                for tensor in tensors:
                    noise = torch.randn(
                        tensor.shape, dtype=tensor.dtype, device=tensor.device, generator=self._generator
                    )
                    tensor.add_(noise, alpha=standard_deviation)
            else:
                self._add_from_processor(list(tensors), standard_deviation)

    def _add_from_processor(self, tensors: list[Tensor], standard_deviation: float) -> None:
        views = [_as_it_lies(tensor) for tensor in tensors]
        here = [view.cpu().contiguous() for view in views]
        blocks = [
            flat[start : start + BLOCK]
            for flat in (values.numpy().reshape(-1) for values in here)
            for start in range(0, len(flat), BLOCK)
        ]
        if sum(len(block) for block in blocks) <= BLOCK:  # handing it out would take longer
            for block in blocks:
                self._draw(block, standard_deviation)
        else:
            list(self._threads.map(lambda block: self._draw(block, standard_deviation), blocks))
        for view, noised in zip(views, here, strict=True):
            if noised.data_ptr() != view.data_ptr():
                view.copy_(noised)


def _as_it_lies(tensor: Tensor) -> Tensor:
    """``tensor`` with its dimensions in the order of memory if channels come last; independent noise has no order."""
    if tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last):
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.detach()


def _radius(bits: np.ndarray) -> np.ndarray:
    """(n,) ``uint64`` -> (n,) float64: the length of a two-dimensional standard Gaussian."""
    radius = bits * 2.0**-64
    radius += 2.0**-65  # the middle of each cell, so that none is 0
    np.log(radius, out=radius)
    radius *= -2
    return np.sqrt(radius, out=radius)


def _add_fast(values: np.ndarray, standard_deviation: float) -> None:
    pairs = (len(values) + 1) // 2
    bits = np.frombuffer(ssl.RAND_bytes(8 * pairs), np.uint32)
    radius = bits[:pairs].astype(np.float32)
    # Far out, the steps between whole numbers would show.
    (tail,) = np.nonzero(radius < TAIL)
    radius[tail] += 1 - SecretUniform().random(len(tail))
    radius *= 2.0**-32
    np.log(radius, out=radius)
    radius *= -2 * standard_deviation**2
    np.sqrt(radius, out=radius)
    angle = bits[pairs:].astype(np.float32)
    angle *= 2 * math.pi / 2**32
    noise = np.cos(angle)
    noise *= radius
    values[:pairs] += noise
    np.sin(angle, out=noise)
    noise *= radius
    values[pairs:] += noise[: len(values) - pairs]


def _add_secure(values: np.ndarray, standard_deviation: float) -> None:
    noise = _draw_alone(len(values))
    noise += _draw_alone(len(values))
    noise *= standard_deviation / math.sqrt(2)
    np.add(values, noise, out=values, casting="same_kind")


def _draw_alone(n: int) -> np.ndarray:
    """(n,) standard Gaussian float64; only one value of each pair is used, so no two share their bits."""
    # cos(angle) = (1 - t²) / (1 + t²) with t = tan(angle / 2), which numpy computes five times faster.
    square = random_bits(n) * (math.pi / 2**64)
    np.tan(square, out=square)
    square *= square
    noise = 1 - square
    square += 1
    noise /= square
    noise *= _radius(random_bits(n))
    return noise


_DRAWS: dict[NoiseGenerator, Callable[[np.ndarray, float], None]] = {"fast": _add_fast, "secure": _add_secure}
