"""DP-SGD by Opacus's hooks: the same step as ``private_steps``, to compare with, and for layers that it cannot clip.

Opacus keeps every image's gradient of every layer, which takes several times the time and memory.
"""

from __future__ import annotations

import warnings

import torch
from opacus import GradSampleModule
from opacus.grad_sample import register_grad_sampler
from opacus.optimizers import DPOptimizer
from opacus.validators import ModuleValidator
from torch import Tensor, nn

from medpriv_core.spec import RunSpec
from medpriv_core.training.evaluation import Tally
from medpriv_core.training.examples import Batch
from medpriv_core.training.frozen_norm import FrozenBatchNorm2d
from medpriv_core.training.randomness import secret_generator
from medpriv_core.training.steps import WithOptimizer, losses_of, sgd


class OpacusStepper(WithOptimizer):
    """DP-SGD in float32 (a gradient norm rounded to bfloat16 would exceed C by up to 0.4 %)."""

    _optimizer: DPOptimizer

    def __init__(
        self,
        trained: nn.Module,
        spec: RunSpec,
        *,
        noise_multiplier: float,
        expected_batch_size: int,
        pass_size: int,
        device: torch.device,
    ) -> None:
        ModuleValidator.validate(trained, strict=True)
        # "sum" here belongs to the summed loss below: each gradient is that of one image's own loss.
        # Not strict, because it would take the constants of a frozen BatchNorm for statistics of the images.
        self._trained = GradSampleModule(trained, loss_reduction="sum", strict=False)
        self._pass_size = pass_size
        # "mean" here makes the optimizer divide by the expected batch size.
        self._optimizer = DPOptimizer(
            sgd(trained, spec),
            noise_multiplier=noise_multiplier,
            max_grad_norm=spec.max_grad_norm,
            expected_batch_size=expected_batch_size,
            loss_reduction="mean",
            generator=secret_generator(device),
        )

    def step(self, batch: Batch) -> Tally:
        tally = Tally()
        self._optimizer.zero_grad()
        images_left = len(batch.indices)
        for inputs, labels in batch.passes(self._pass_size):
            losses = losses_of(self._trained, inputs, labels, mixed=None, tally=tally, class_weights=None)
            _backward(losses.sum())
            # All passes but the last only clip and add up.
            images_left -= len(labels)
            self._optimizer.signal_skip_step(do_skip=images_left > 0)
            self._optimizer.step()
            self._optimizer.zero_grad()
        if not len(batch.indices):
            for parameter in self._optimizer.params:
                parameter.grad_sample = parameter.new_zeros(0, *parameter.shape)
            self._optimizer.step()
        return tally


@register_grad_sampler(FrozenBatchNorm2d)
def _scale_and_shift_grads(
    layer: FrozenBatchNorm2d, activations: list[Tensor], backprops: Tensor
) -> dict[nn.Parameter, Tensor]:
    normalised = (activations[0] - layer.running_mean[:, None, None]) * layer.spread()[:, None, None]
    grads = {layer.weight: torch.einsum("nchw,nchw->nc", backprops, normalised), layer.bias: backprops.sum((2, 3))}
    return {parameter: grad for parameter, grad in grads.items() if parameter.requires_grad}


def _backward(loss: Tensor) -> None:
    with warnings.catch_warnings():
        # The images need no gradient, and that is as it should be.
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        loss.backward()
