"""One step as the paper's authors ran it: DP-SGD in name, with no guarantee that is known to hold.

Their notebooks cut each batch into microbatches of a few images, and for each of these

    g_j  <- gradient of the MEAN loss of microbatch j, the network (BatchNorm included) in training mode
    g_j  <- g_j * min(1, C / |g_j|)
    G     = (sum_j g_j + Normal(0, (sigma C)^2)) / number of microbatches

followed by a step of ordinary SGD. Clipping bounds what a microbatch contributes, not what an image does. Where one
image comes or goes, the clipped gradient of its whole microbatch may turn around: the sum changes by up to 2 C, so
the noise is worth half of what sigma says. In training mode BatchNorm goes further. It lets an image change the
gradients of the others in its microbatch, and writes the statistics of the images into the released network
without noise. And batches from a shuffled deck do not have the amplification that their accountant reckoned with.

It is here to be compared with, and so that it can be seen to fail.

A shuffled deck and a full batch are cut in their order, as the authors did. In a Poisson batch that would move every
image behind one that comes or goes into another microbatch, and even 2 C would not hold: there each image is dealt
to one of a fixed number of microbatches by lot, and the sum is divided by that number.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from medpriv_core.privacy.private_training import PrivateTraining
from medpriv_core.spec import RunSpec
from medpriv_core.training.evaluation import Tally
from medpriv_core.training.examples import Batch
from medpriv_core.training.noise import NoiseSource
from medpriv_core.training.randomness import SecretUniform
from medpriv_core.training.steps import DpStepper, class_weights_of, losses_of, sgd


class MicrobatchStepper(DpStepper):
    """SGD on clipped gradients of microbatches, with noise; ``trained`` is left in the mode that it is in."""

    engine = "microbatch"

    def __init__(
        self,
        trained: nn.Module,
        spec: RunSpec,
        *,
        training: PrivateTraining,
        noise_multiplier: float,
        device: torch.device,
    ) -> None:
        self._trained = trained
        self._parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
        self.clips_at = training.max_grad_norm
        self.noise_deviation = training.noise_deviation(noise_multiplier)
        self.clipped_together = training.clipped_together
        self._divisor = training.divisor
        self._poisson = training.mechanism.sampling == "poisson"
        self.divides_by = "expected" if self._poisson else "actual"
        self._class_weights = class_weights_of(spec, trained)
        self.noise = NoiseSource(spec.noise_generator, device)
        self._optimizer = sgd(trained, spec)

    def step(self, batch: Batch) -> Tally:
        """As ``Stepper.step``; a step that is stopped may have moved BatchNorm's running statistics."""
        tally = Tally()
        totals = [torch.zeros_like(parameter) for parameter in self._parameters]
        microbatches = self._cut(batch.indices)
        for inputs, labels in batch.parts(microbatches):
            losses = losses_of(
                self._trained, inputs, labels, mixed=None, tally=tally, class_weights=self._class_weights
            )
            gradients = torch.autograd.grad(losses.mean(), self._parameters)
            norm = nn.utils.get_total_norm(gradients)
            factor = torch.where(norm.isfinite(), (self.clips_at / norm).clamp(max=1), 0)
            for total, gradient in zip(totals, gradients, strict=True):
                # What is not a number counts as nothing, and 0 times NaN would not be 0.
                total.addcmul_(torch.where(norm.isfinite(), gradient, 0), factor)
        self.noise.add_to_all(totals, self.noise_deviation)
        for parameter, total in zip(self._parameters, totals, strict=True):
            parameter.grad = total.div_(self._divisor if self._poisson else len(microbatches))
        self._optimizer.step()
        self._optimizer.zero_grad()
        return tally

    def _cut(self, indices: np.ndarray) -> list[np.ndarray]:
        """The batch in microbatches, none of them empty."""
        size = self.clipped_together
        if not self._poisson or size == 1:
            return [indices[start : start + size] for start in range(0, len(indices), size)]
        lots = (SecretUniform().random(len(indices)) * self._divisor).astype(np.int64)
        return [indices[lots == number] for number in np.unique(lots)]
