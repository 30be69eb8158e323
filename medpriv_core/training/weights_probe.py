"""Do these weights look like a network that was trained on photographs? A cheap probe of a file that only says so.

A file with the right names and shapes may hold zeros, random numbers, or trained ones in a wrong order, and training on
top of it then ends with the figures of chance and no error. Two things tell:

smooth filters     Trained filters change little from one place to the next; the places of random or shuffled ones have
                   nothing to do with each other. Measured: the correlation of neighbours within each filter.
                   (ImageNet's ResNet-18: 0.37 in the first layer, at least 0.15 in every other one, also where its
                   numbers were rounded to a small code book; random numbers: within 0.02 of 0.)
fitting statistics BatchNorm's stored variances are those of what the layer below gives. On pictures of noise that is as
                   smooth as photographs are, channels of large stored variance therefore vary more. Measured: the
                   correlation over the channels, of the logarithms, as a mean over the layers. (ImageNet's: 0.4;
                   channels in a wrong order: 0.03.)

It is a doubt and no error: who has trained such a network on purpose may go on.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from medpriv_core.training.model import BatchNorm
from medpriv_core.training.resnet18 import ResNet18

DOUBT = "These do not look like weights that were trained on photographs ({reason}), so expect the figures of chance."
SMOOTH_FIRST, SMOOTH = 0.12, 0.04
CONSTANT = 0.999
FITTING = 0.15
FILTERS = 64  # of each layer that are looked at
PICTURES, SIDE = 6, 48


def doubt_weights(state_dict: Mapping[str, Tensor] | None) -> str | None:
    """A sentence if the weights do not look trained, else None; also None without any, which the run says anyway.

    ``state_dict`` has the names of torchvision's ResNet-18, and may lack the statistics of BatchNorm.
    """
    if state_dict is None:
        return None
    reason = _reason(state_dict)
    return None if reason is None else DOUBT.format(reason=reason)


def _reason(state_dict: Mapping[str, Tensor]) -> str | None:
    filters = {name: value[:FILTERS] for name, value in state_dict.items() if value.dim() == 4 and value.shape[-1] > 1}
    for name, value in filters.items():
        if not value.isfinite().all():
            return f"{name} holds something else than finite numbers"
        if not value.any():
            return f"{name} is all zero"
        smooth = _smoothness(value)
        if smooth > CONSTANT:
            return f"{name} has the same number everywhere"
        if smooth < (SMOOTH_FIRST if name == "conv1.weight" else SMOOTH):
            return f"the filters of {name} are like random numbers"
    fitting = _fitting(state_dict)
    if fitting is not None and fitting < FITTING:
        return "the statistics of its normalisation do not belong to its filters"
    return None


def _smoothness(filters: Tensor) -> float:
    """Correlation of neighbouring places in filters (n, channels, height, width)."""
    pairs = ((filters[..., :-1], filters[..., 1:]), (filters[..., :-1, :], filters[..., 1:, :]))
    together = sum(float((one * other).sum()) for one, other in pairs)
    apart = sum(float((one.square().sum() * other.square().sum()).sqrt()) for one, other in pairs)
    return together / apart if apart else 0.0


def _fitting(state_dict: Mapping[str, Tensor]) -> float | None:
    """Correlation of stored and measured variances; None without stored ones. 0 where all stored ones are alike."""
    with torch.device("meta"):
        network = ResNet18(classes=1, norm_layer=BatchNorm)
    kept = {name: value for name, value in state_dict.items() if not name.startswith("fc.")}
    missing = [name for name in network.state_dict() if name not in kept and not name.startswith("fc.")]
    if any(not name.endswith("num_batches_tracked") for name in missing):
        return None
    network.load_state_dict(kept, strict=False, assign=True)
    network.eval()
    found: list[float] = []

    def compare(module: nn.Module, inputs: tuple[Tensor]) -> None:
        measured, stored = inputs[0].var((0, 2, 3)), module.running_var
        assert isinstance(stored, Tensor)
        pair = torch.stack([measured, stored]).clamp_min(1e-12).log()
        correlation = float(torch.corrcoef(pair)[0, 1]) if bool((pair.std(1) > 0).all()) else 0.0
        found.append(correlation if np.isfinite(correlation) else 0.0)

    for module in network.norms():
        module.register_forward_pre_hook(compare)
    with torch.no_grad():
        network.features(_smooth_noise())
    return sum(found) / len(found)


def _smooth_noise() -> Tensor:
    """(PICTURES, 3, SIDE, SIDE) whose amplitude falls with the frequency, as in photographs (Field 1987)."""
    random = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    frequency[0, 0] = 1 / SIDE
    shape = (PICTURES, 4, SIDE, SIDE)
    layers = np.fft.ifft2(np.fft.fft2(random.normal(size=shape)) / frequency).real
    pictures = layers[:, :1] + 0.3 * layers[:, 1:]
    pictures = pictures - pictures.mean((1, 2, 3), keepdims=True)
    return torch.tensor(pictures / pictures.std((1, 2, 3), keepdims=True), dtype=torch.float32)
