"""Which processor trains, in which precision, and how much fits into its memory at once.

Everything that differs between CUDA, Apple's MPS and the CPU is in this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from medpriv_core.architectures import RESNET18
from medpriv_core.defaults import PASS_MEMORY_MB
from medpriv_core.errors import SettingError
from medpriv_core.spec import Precision
from medpriv_core.spec_checks import check_device

MAX_PASS = 4096
# Of all images of a pass that only looks (measured for the CPU).
PIXELS_IN_CACHE = 8 * 224**2
PIXELS_ON_GPU = 256 * 224**2
# Numbers that one core goes through sooner than several agree on who does what (some 10,000 records of features).
SMALL_STEP = 5_000_000


def resolve_device(name: str) -> torch.device:
    """The device called ``name`` (auto | cpu | cuda | cuda:N | mps).

    ``auto`` takes the first of CUDA, MPS and CPU that exists. Raises ``SettingError`` if it is not here, or names none.
    """
    check_device(name)
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            found = f"only {count} CUDA device(s) were" if count else "no CUDA device was"
            raise SettingError(f"[device] is {name}, but {found} found on this machine; choose auto or cpu.")
        return torch.device("cuda", device.index or 0)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SettingError(
            "[device] is mps, but this machine has no Apple GPU that PyTorch can use; choose auto or cpu."
        )
    return device


def count_cuda_devices() -> int:
    """How many CUDA devices there are for this process; ``cuda:0`` and so on are their names."""
    return torch.cuda.device_count()


def mixed_dtype(precision: Precision, device: torch.device) -> torch.dtype | None:
    """The type for mixed precision, bfloat16, or None to compute in float32.

    ``auto`` mixes only where the hardware has bfloat16 (CUDA from 2020 on); ``mixed`` raises
    ``SettingError`` elsewhere. float16 is not offered: small gradients vanish in it.
    """
    if precision == "float32":
        return None
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    if precision == "mixed":
        raise SettingError(
            f"[precision] is mixed, but the device {device} has no fast bfloat16; choose auto or float32."
        )
    return None


def describe_device(device: torch.device) -> str:
    """The device for people: ``cpu``, or ``cuda:0 (NVIDIA A100)``."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the processor's on ``device``, without waiting for the work that is queued there."""
    if device.type == "cuda":
        # Only from pinned memory does a copy not wait.
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def step_threads(numbers: int) -> int:
    """How many cores of the processor a step on so many stored numbers should use.

    Several are slower for small steps, and many times slower where other programs keep a core busy: they wait for
    each other after every operation.
    """
    return 1 if numbers <= SMALL_STEP else torch.get_num_threads()


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Let PyTorch compute on ``count`` cores of the processor meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def forward_batch_size(*, input_size: int, device: torch.device) -> int:
    """How many images go at once through a network that only looks.

    On a CPU a layer's output should still be in the cache when the next layer reads it.
    """
    pixels = PIXELS_IN_CACHE if device.type == "cpu" else PIXELS_ON_GPU
    return max(1, min(MAX_PASS, pixels // input_size**2))


def physical_batch_size(
    *,
    input_size: int,
    per_sample_parameters: int = 0,
    memory_mb: int | None = None,
    numbers_per_pixel: int = RESNET18.numbers_per_pixel,
) -> int:
    """How many images go through the network at once; a larger batch is added up from several passes.

    ``input_size`` is the image's side in pixels (0 if only the last layer works, on stored features),
    ``per_sample_parameters`` the number of parameters whose gradient is kept for every single image
    (0 where none are), ``memory_mb`` the MiB that one pass may keep, ``numbers_per_pixel`` what the layers keep of the
    input (``architectures``). This changes memory and speed, and the result for
    BatchNorm in training mode alone, the one layer that mixes the images of a pass.
    """
    # Of a per-sample gradient there are up to two copies, because the layer that is being worked on needs its own.
    bytes_per_image = 4 * (numbers_per_pixel * input_size**2 + 2 * per_sample_parameters)
    budget = (PASS_MEMORY_MB if memory_mb is None else memory_mb) << 20
    return max(1, min(MAX_PASS, budget // max(1, bytes_per_image)))
