"""Mistakes that can be made in the audited loop on purpose, to see that they are found.

Epsilon is claimed as if the loop were sound, which is how such mistakes look from outside. Each acts where it would in
a real program: on the stepper, on its noise, on who is drawn, on the network or on the way in.

noise                the noise is divided by the batch size twice
half_noise           the noise has half its size
no_noise             no noise is added
fixed_seed           the noise follows from a seed that is in the program
clipping             gradients are clipped at 100 C, but the noise is for C
divisor              the noised sum is divided by how many records were drawn
batch_norm           features are standardised by the batch, so one record changes the gradients of the others
training_statistics  features are standardised by the mean and deviation of all training records
shuffling            batches come from a shuffled deck whose seed is known, but amplification by sampling is counted
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.spec import RunSpec
from medpriv_core.training.evaluation import Tally
from medpriv_core.training.examples import Batch
from medpriv_core.training.noise import NoiseSource
from medpriv_core.training.steps import DpStepper

Mistake = Literal[
    "noise",
    "half_noise",
    "no_noise",
    "fixed_seed",
    "clipping",
    "divisor",
    "batch_norm",
    "training_statistics",
    "shuffling",
]

CLIPPED_AT = 100.0  # times C


def in_settings(mistake: Mistake | None, spec: RunSpec) -> RunSpec:
    """The settings that a loop with this mistake really has, of those that are claimed."""
    if mistake == "clipping":
        return spec.changed(max_grad_norm=CLIPPED_AT * spec.max_grad_norm)
    return spec.changed(sampling="shuffled") if mistake == "shuffling" else spec


def in_noise(mistake: Mistake | None, noise_multiplier: float, *, batch_size: int) -> float:
    """The noise multiplier that the loop really has, of the one that is claimed."""
    shares = {"noise": 1 / batch_size, "half_noise": 0.5, "no_noise": 0.0, "clipping": 1 / CLIPPED_AT}
    return noise_multiplier * shares.get(mistake or "", 1.0)


def in_network(mistake: Mistake | None, trained: nn.Module) -> nn.Module:
    """The network that is really trained."""
    return nn.Sequential(_BatchStandardisation(), trained) if mistake == "batch_norm" else trained


def in_stepper(mistake: Mistake | None, stepper: DpStepper, spec: RunSpec, device: torch.device) -> DpStepper:
    """The stepper that really takes the steps."""
    if mistake == "divisor":
        return _DividedByDrawn(stepper, expected=spec.batch_size)
    if mistake == "fixed_seed":
        # Opacus's optimizer draws the noise itself.
        holder: Any = stepper._optimizer if hasattr(stepper._optimizer, "noise") else stepper
        holder.noise = _NoiseFromSeed(spec.noise_generator, device)
    return stepper


def in_features(mistake: Mistake | None, features: np.ndarray) -> np.ndarray:
    """(n, width) -> (n, width): what really becomes of the training set's features."""
    if mistake != "training_statistics":
        return features
    spread = features.std(0)
    found: np.ndarray = (features - features.mean(0)) / np.where(spread > 0, spread, 1)
    return found


class _BatchStandardisation(nn.Module):
    """What BatchNorm does in training mode, without parameters: nothing that an engine would refuse."""

    def forward(self, x: Tensor) -> Tensor:
        # A lone record has no spread.
        return F.batch_norm(x, None, None, training=True) if len(x) > 1 else x


class _NoiseFromSeed(NoiseSource):
    """Gaussian noise that whoever has the program can draw again."""

    def __init__(self, kind: Any, device: torch.device) -> None:
        super().__init__(kind, device)
        self._generator = torch.Generator(device).manual_seed(42)


class _DividedByDrawn(DpStepper):
    """Steps that are longer where fewer were drawn: the same as another divisor, for every engine."""

    def __init__(self, stepper: DpStepper, *, expected: int) -> None:
        self._stepper = stepper
        self._optimizer = stepper._optimizer
        self._expected = expected

    @property
    def noise(self) -> NoiseSource:  # type: ignore[override]
        """What draws the noise."""
        return self._stepper.noise

    @property
    def noise_deviation(self) -> float:
        """As ``DpStepper.noise_deviation``."""
        return self._stepper.noise_deviation

    @noise_deviation.setter
    def noise_deviation(self, deviation: float) -> None:
        self._stepper.noise_deviation = deviation

    def step(self, batch: Batch) -> Tally:
        rates = [group["lr"] for group in self._optimizer.param_groups]
        for group in self._optimizer.param_groups:
            group["lr"] *= self._expected / max(1, len(batch.indices))
        tally = self._stepper.step(batch)
        for group, rate in zip(self._optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        return tally
