"""One step of DP-SGD (Abadi et al. 2016): it bounds and then drowns what one record can change.

For a batch drawn by Poisson sampling, with clipping norm C, noise multiplier sigma and *expected* batch size B:

    g_i  <- g_i * min(1, C / |g_i|)                 each record's gradient, clipped (and weighed by at most 1)
    G     = (sum_i g_i + Normal(0, (sigma C)^2)) / B

then an ordinary SGD step with G. A record is an image, or a patient: the mean over some of their images
(``records``). Dividing by the expected and not the actual size, and adding noise even
to an empty batch, are what the accounting assumes. Momentum and weight decay come after the noise
and cost nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medpriv_core.privacy.private_training import PrivateTraining
from medpriv_core.spec import RunSpec
from medpriv_core.training.clipping.clipper import PerSampleClipper
from medpriv_core.training.evaluation import Tally
from medpriv_core.training.examples import Batch
from medpriv_core.training.noise import NoiseSource
from medpriv_core.training.steps import DpStepper, class_weights_of, losses_of, sgd, weights_of_records


class PrivateStepper(DpStepper):
    """DP-SGD with the clipped sum found in one backward pass.

    In mixed precision (``mixed``), what goes through the network is rounded; lengths, sums and noise are not.
    Raises ``SettingError`` if the network has a layer that cannot be clipped.
    """

    engine = "one_pass"

    def __init__(
        self,
        trained: nn.Module,
        spec: RunSpec,
        *,
        training: PrivateTraining,
        noise_multiplier: float,
        pass_size: int,
        mixed: torch.dtype | None,
        device: torch.device,
    ) -> None:
        self._trained = trained
        self._clipper = PerSampleClipper(trained, max_grad_norm=training.max_grad_norm)
        self.noise = NoiseSource(spec.noise_generator, device)
        self.noise_deviation = training.noise_deviation(noise_multiplier)
        self._divisor = training.divisor
        self._pass_size = pass_size
        self._mixed = mixed
        weights = class_weights_of(spec, trained)
        # At most 1, or an image could contribute more than the clipping norm.
        self._class_weights = None if weights is None else weights / weights.max()
        self._optimizer = sgd(trained, spec)

    @property
    def clips_at(self) -> float:  # type: ignore[override]
        """The norm that the clipper itself goes by."""
        return self._clipper.max_grad_norm

    def step(self, batch: Batch) -> Tally:
        tally = Tally()
        self._clipper.forget()
        for inputs, labels in batch.passes(self._pass_size):
            with self._clipper.capture():
                losses = losses_of(self._trained, inputs, labels, mixed=self._mixed, tally=tally, class_weights=None)
            # Weighing the loss instead would come before clipping, which would undo it.
            self._clipper.add(losses, weights=self._weights(labels))
        sums = self._clipper.take()
        self.noise.add_to_all(sums, self.noise_deviation)
        for parameter, total in zip(self._clipper.parameters, sums, strict=True):
            parameter.grad = total.div_(self._divisor)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return tally

    def _weights(self, labels: Tensor) -> Tensor | None:
        return None if self._class_weights is None else weights_of_records(self._class_weights, labels)
