"""Which code takes a run's steps, and what it asks of memory and precision."""

from __future__ import annotations

import torch
from torch import nn

from medpriv_core.architectures import ARCHITECTURES
from medpriv_core.errors import SettingError
from medpriv_core.privacy.private_training import PrivateTraining
from medpriv_core.spec import RunSpec
from medpriv_core.training.device import mixed_dtype
from medpriv_core.training.microbatch_steps import MicrobatchStepper
from medpriv_core.training.private_steps import PrivateStepper
from medpriv_core.training.steps import OrdinaryStepper, Stepper


def make_stepper(
    trained: nn.Module,
    spec: RunSpec,
    *,
    noise_multiplier: float | None,
    training: PrivateTraining | None,
    pass_size: int,
    mixed: torch.dtype | None,
    device: torch.device,
) -> Stepper:
    """What takes the steps of the run; with ``training`` and a ``noise_multiplier``, steps of DP-SGD.

    Raises ``SettingError`` if the engine cannot clip a layer of the network.
    """
    if noise_multiplier is None or training is None:
        return OrdinaryStepper(trained, spec, pass_size=pass_size, mixed=mixed)
    if spec.engine == "microbatch":
        return MicrobatchStepper(trained, spec, training=training, noise_multiplier=noise_multiplier, device=device)
    if spec.engine == "opacus":
        from medpriv_core.training.opacus_steps import OpacusStepper  # Opacus takes seconds to import

        return OpacusStepper(
            trained,
            spec,
            training=training,
            noise_multiplier=noise_multiplier,
            pass_size=pass_size,
            device=device,
        )
    return PrivateStepper(
        trained,
        spec,
        training=training,
        noise_multiplier=noise_multiplier,
        pass_size=pass_size,
        mixed=mixed,
        device=device,
    )


def mixed_precision(spec: RunSpec, device: torch.device) -> torch.dtype | None:
    """The type for mixed precision, or None for float32; raises ``SettingError`` where it cannot be had."""
    if spec.engine == "one_pass":
        return mixed_dtype(spec.precision, device)
    if spec.precision == "mixed":
        raise SettingError(
            f"[engine] is [engine={spec.engine}], which needs float32, because rounded gradients would exceed the "
            "clipping norm; set [precision] to auto or float32, or [engine] to [engine=one_pass]."
        )
    return None


def memory_format(spec: RunSpec, device: torch.device) -> torch.memory_format:
    """The order of images in memory in which the steps are fastest."""
    if spec.trainable != "head" and spec.method == "dp_sgd" and (spec.engine == "opacus" or device.type == "cpu"):
        return torch.contiguous_format
    return torch.channels_last


def kept_gradients(spec: RunSpec, parameters: int) -> int:
    """How many numbers of each image's own gradient are in memory at once, of ``parameters`` that learn."""
    if spec.method != "dp_sgd" or spec.engine == "microbatch":
        return 0
    return parameters if spec.engine == "opacus" else min(parameters, ARCHITECTURES[spec.architecture].kept_gradients)
