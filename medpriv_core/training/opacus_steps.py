"""DP-SGD by Opacus's hooks: the same step as ``private_steps``, to compare with, and for layers that it cannot clip.

Opacus keeps every image's gradient of every layer, which takes several times the time and memory. Gradients, lengths
and factors are Opacus's; the noise is ours (``noise``), because Opacus draws from PyTorch's generator, which on the
processor looks at 32 bits of its seed.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from opacus import GradSampleModule
from opacus.grad_sample import register_grad_sampler
from opacus.optimizers import DPOptimizer
from opacus.validators import ModuleValidator
from torch import Tensor, nn

from medpriv_core.privacy.private_training import PrivateTraining
from medpriv_core.spec import RunSpec
from medpriv_core.training.clipping.layer import only
from medpriv_core.training.evaluation import Tally
from medpriv_core.training.examples import Batch
from medpriv_core.training.frozen_norm import FrozenBatchNorm2d
from medpriv_core.training.noise import NoiseSource
from medpriv_core.training.steps import DpStepper, losses_of, sgd


class OpacusStepper(DpStepper):
    """DP-SGD in float32 (a gradient norm rounded to bfloat16 would exceed C by up to 0.4 %)."""

    engine = "opacus"
    _optimizer: _Optimizer

    def __init__(
        self,
        trained: nn.Module,
        spec: RunSpec,
        *,
        training: PrivateTraining,
        noise_multiplier: float,
        pass_size: int,
        device: torch.device,
    ) -> None:
        ModuleValidator.validate(trained, strict=True)
        # "sum" here belongs to the summed loss below: each gradient is that of one image's own loss.
        # Not strict, because it would take the constants of a frozen BatchNorm for statistics of the images.
        self._trained = GradSampleModule(trained, loss_reduction="sum", strict=False)
        self._pass_size = pass_size
        # "mean" here makes the optimizer divide by the expected batch size.
        ours = sgd(trained, spec)
        self._optimizer = _Optimizer(
            # Opacus wraps an optimizer of PyTorch's.
            torch.optim.SGD(ours.parameters, **ours.param_groups[0]),
            noise_multiplier=noise_multiplier,
            max_grad_norm=training.max_grad_norm,
            expected_batch_size=training.divisor,
            loss_reduction="mean",
        )
        self._optimizer.noise = NoiseSource(spec.noise_generator, device)

    def __deepcopy__(self, memo: dict[int, Any]) -> OpacusStepper:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__ = copy.deepcopy(self.__dict__, memo)
        # A copied parameter comes without what Opacus keeps on it.
        for parameter in twin._optimizer.params:
            parameter.grad_sample = parameter.summed_grad = None
            parameter._forward_counter = 0
        return twin

    @property
    def noise(self) -> NoiseSource:  # type: ignore[override]
        """What draws the noise."""
        return self._optimizer.noise

    @property
    def clips_at(self) -> float:  # type: ignore[override]
        """The norm that Opacus's optimizer goes by."""
        return float(self._optimizer.max_grad_norm)

    @property
    def noise_deviation(self) -> float:
        """Of the noise on the sum of clipped gradients."""
        return float(self._optimizer.noise_multiplier * self._optimizer.max_grad_norm)

    @noise_deviation.setter
    def noise_deviation(self, deviation: float) -> None:
        self._optimizer.noise_multiplier = deviation / self._optimizer.max_grad_norm

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
            self._optimizer.zero_grad()
        return tally


class _Optimizer(DPOptimizer):
    """Opacus's, with our noise, and with images left out whose gradient is not a number."""

    noise: NoiseSource

    def __deepcopy__(self, memo: dict[int, Any]) -> _Optimizer:
        # Copied as other optimizers are, it would ask for what it wraps before it has that.
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__ = copy.deepcopy(self.__dict__, memo)
        return twin

    def clip_and_accumulate(self) -> None:
        grads = self.grad_samples
        if len(grads[0]):
            norms = torch.stack([grad.flatten(1).norm(dim=1) for grad in grads]).norm(dim=0)
            if not bool(norms.isfinite().all()):  # the factor of such an image is 0 or NaN, and so are the products
                for parameter in self.params:
                    parameter.grad_sample = only(self._get_flat_grad_sample(parameter), norms.isfinite())
        super().clip_and_accumulate()

    def add_noise(self) -> None:
        sums = [parameter.summed_grad for parameter in self.params]
        self.noise.add_to_all(sums, self.noise_multiplier * self.max_grad_norm)
        for parameter, total in zip(self.params, sums, strict=True):
            parameter.grad = total.view_as(parameter)


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
