"""From stored bytes to what the network sees, on the device and for a whole batch at once.

Images wait on the device as ``uint8``, a quarter of the memory of floats. Each batch is cut to
the input size, perhaps turned a little, scaled to [0, 1], copied to three channels if it is grey, and
standardised as the pretrained network expects.

The augmentation is light: rotation up to 10 degrees, shift up to 5 % of the side, size 0.95 to 1.05, and
a random crop. No mirror images: a mirrored chest has its heart on the right, which is a rare
disease (situs inversus) and not a harmless variation.
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from medpriv_core.preprocessing import IMAGENET_MEAN, IMAGENET_SD
from medpriv_core.training.device import send

MAX_ROTATION_DEGREES = 10.0
MAX_SHIFT = 0.05
MAX_SCALING = 0.05


def network_input(images: Tensor, *, size: int, generator: torch.Generator | None = None) -> Tensor:
    """``uint8`` (n, side, side, 1 or 3) -> standardised float32 (n, 3, size, size), ``size`` <= side.

    With a ``generator`` (of the CPU, so that all devices draw the same) each image is augmented and its
    crop is random; without one the crop is central.
    """
    side = images.shape[1]
    batch = images.permute(0, 3, 1, 2)
    if generator is None:
        start = (side - size) // 2
        batch = batch[:, :, start : start + size, start : start + size].float()
    else:
        positions = send(_random_affine(len(images), crop=size / side, generator=generator), images.device)
        grid = F.affine_grid(positions, [len(images), batch.shape[1], size, size], align_corners=False)
        # Edges are continued rather than filled with black, which no radiograph has there.
        batch = F.grid_sample(batch.float(), grid, padding_mode="border", align_corners=False)
    mean, sd = _imagenet_statistics(batch.device)
    return ((batch / 255 - mean) / sd).contiguous()


@functools.lru_cache(maxsize=4)
def _imagenet_statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    # Kept on the device: sending them with every batch would make a GPU's host wait.
    mean, sd = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_SD))
    return mean, sd


def _random_affine(n: int, *, crop: float, generator: torch.Generator) -> Tensor:
    """(n, 2, 3) maps from the output square to the input square, both with coordinates in [-1, 1].

    ``crop`` is the output's side as a share of the input's.
    """

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, generator=generator)

    angle = draw(-1, 1) * math.radians(MAX_ROTATION_DEGREES)
    scale = crop * draw(1 - MAX_SCALING, 1 + MAX_SCALING)
    # The square is two units wide, so a share of its side counts twice; the crop slides within the rest.
    shift = draw(-1, 1, 2) * 2 * MAX_SHIFT + draw(-1, 1, 2) * (1 - crop)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    return torch.stack((torch.stack((cos, -sin), 1), torch.stack((sin, cos), 1), shift), 2)
