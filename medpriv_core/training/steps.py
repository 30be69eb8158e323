"""One step of ordinary training: SGD on the mean loss of a batch.

The batch's gradient, if longer than ``max_grad_norm``, is shortened to it. With normalisation frozen nothing else
keeps the first steps in bounds: without this, training all layers at the paper's learning rate diverges within
five steps. This is for stability alone and has nothing to do with privacy, which clips each image's gradient.

Large batches go through the network in several passes, whose gradients add up to the same step. Nothing in a step
waits for the device: the host queues the next one meanwhile.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.spec import Engine, RunSpec
from medpriv_core.training.evaluation import Tally
from medpriv_core.training.examples import Batch
from medpriv_core.training.noise import NoiseSource
from medpriv_core.training.sgd import Sgd


class Stepper(Protocol):
    """Changes the trained parameters by one step at a time."""

    def step(self, batch: Batch) -> Tally:
        """Learn from the examples of ``batch``. If its ``check`` raises, the parameters are as before the step."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class WithOptimizer:
    """A stepper that remembers between steps what its optimizer remembers."""

    _optimizer: Sgd | torch.optim.Optimizer

    def show_steps(self, learning_rate: float) -> None:
        """From now on a step moves each parameter by ``learning_rate`` times what the optimizer is handed.

        For copies that are looked at (``self_test``): no momentum, no weight decay.
        """
        for group in self._optimizer.param_groups:
            group |= {"lr": learning_rate, "momentum": 0.0, "weight_decay": 0.0}

    def state_dict(self) -> dict[str, Any]:
        return self._optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._optimizer.load_state_dict(state)


class DpStepper(WithOptimizer, ABC):
    """A stepper that adds noise.

    noise             what draws it
    noise_deviation   of the noise on the sum of clipped gradients: noise multiplier times clipping norm
    clips_at          the length that what clips leaves at most
    clipped_together  records whose mean gradient is clipped as one
    divides_by        expected: the noised sum is divided by a number that was known before anybody was drawn;
                      actual: by one that follows from who was
    """

    engine: Engine
    noise: NoiseSource
    noise_deviation: float
    clips_at: float
    clipped_together: int = 1
    divides_by: Literal["expected", "actual"] = "expected"

    @abstractmethod
    def step(self, batch: Batch) -> Tally:
        """As ``Stepper.step``."""


class OrdinaryStepper(WithOptimizer):
    """SGD with the batch's gradient bounded."""

    def __init__(self, trained: nn.Module, spec: RunSpec, *, pass_size: int, mixed: torch.dtype | None) -> None:
        self._trained = trained
        self._pass_size = pass_size
        self._mixed = mixed
        self._max_grad_norm = spec.max_grad_norm
        self._class_weights = class_weights_of(spec, trained)
        self._optimizer = sgd(trained, spec)

    def step(self, batch: Batch) -> Tally:
        tally = Tally()
        self._optimizer.zero_grad()
        for inputs, labels in batch.passes(self._pass_size):
            losses = losses_of(
                self._trained, inputs, labels, mixed=self._mixed, tally=tally, class_weights=self._class_weights
            )
            (losses.sum() / len(batch.indices)).backward()
        nn.utils.clip_grad_norm_(self._trained.parameters(), self._max_grad_norm)
        self._optimizer.step()
        return tally


def sgd(trained: nn.Module, spec: RunSpec) -> Sgd:
    """The optimizer of the spec for the parameters that learn."""
    return Sgd(
        [parameter for parameter in trained.parameters() if parameter.requires_grad],
        lr=spec.learning_rate,
        momentum=spec.momentum,
        weight_decay=spec.weight_decay,
    )


def class_weights_of(spec: RunSpec, trained: nn.Module) -> Tensor | None:
    """The weight of each class in the loss (classes,), where ``trained`` is; None if all count the same."""
    if spec.class_weights is None:
        return None
    return torch.tensor(spec.class_weights, device=next(trained.parameters()).device)


def losses_of(
    trained: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    mixed: torch.dtype | None,
    tally: Tally,
    class_weights: Tensor | None,
) -> Tensor:
    """Each example's own loss (n,): its cross-entropy times the weight of its class.

    Of an example with several variants (n, variants, ...), the mean over them; with labels (n, images), of a patient's
    images and the variants of each. ``tally`` counts the cross-entropy without weights and of the images themselves,
    the first variants, which compares with that of the test images.
    """
    with torch.autocast(inputs.device.type, mixed, enabled=mixed is not None):
        logits = trained(inputs)
    logits = logits.float()
    if logits.dim() == 2:
        losses = F.cross_entropy(logits, labels, reduction="none")
        tally.add(losses, logits, labels)
    else:
        of_images = labels if labels.dim() == 2 else labels[:, None]
        variants = logits.shape[1] // of_images.shape[1]
        of_each = F.cross_entropy(logits.movedim(1, 2), of_images.repeat_interleave(variants, 1), reduction="none")
        firsts = logits[:, ::variants]
        tally.add(of_each[:, ::variants].reshape(-1), firsts.reshape(-1, firsts.shape[-1]), of_images.reshape(-1))
        losses = of_each.mean(1)
    return losses if class_weights is None else losses * weights_of_records(class_weights, labels)


def weights_of_records(class_weights: Tensor, labels: Tensor) -> Tensor:
    """How much each record counts (n,), by the labels of its image (n,), or the mean over its images (n, images)."""
    weights = class_weights[labels]
    return weights if weights.dim() == 1 else weights.mean(1)
