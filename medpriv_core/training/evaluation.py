"""How often the network is right, and how surprised it is, on images it does not learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.training.examples import Examples


@dataclass
class Tally:
    """Running sums over examples."""

    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0

    def add(self, losses: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a batch: ``losses`` (n,), ``logits`` (n, classes), ``labels`` (n,)."""
        self.loss_sum += float(losses.detach().sum())
        self.correct += int((logits.detach().argmax(1) == labels).sum())
        self.seen += len(labels)

    def merge(self, other: Tally) -> None:
        """Add the sums of ``other``."""
        self.loss_sum += other.loss_sum
        self.correct += other.correct
        self.seen += other.seen

    @property
    def accuracy(self) -> float | None:
        """Share of correct answers; None if nothing was seen (an epoch of empty Poisson batches)."""
        return self.correct / self.seen if self.seen else None

    @property
    def loss(self) -> float | None:
        """Mean cross-entropy in nats; None if nothing was seen."""
        return self.loss_sum / self.seen if self.seen else None


def evaluate(
    trained: nn.Module,
    examples: Examples,
    *,
    batch_size: int,
    mixed: torch.dtype | None,
    check: Callable[[], None],
) -> Tally:
    """Accuracy and loss of ``trained`` on all examples; calls ``check`` before every batch."""
    tally = Tally()
    with torch.no_grad():
        for indices in np.array_split(np.arange(len(examples)), -(-len(examples) // batch_size)):
            check()
            inputs, labels = examples.batch(indices)
            with torch.autocast(inputs.device.type, mixed, enabled=mixed is not None):
                logits = trained(inputs)
            logits = logits.float()
            tally.add(F.cross_entropy(logits, labels, reduction="none"), logits, labels)
    return tally
