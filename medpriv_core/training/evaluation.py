"""How often the network is right, and how surprised it is.

The sums stay on the device until somebody reads them: on a GPU, asking for a number makes the host wait for all the
work that it has queued, and a step that asks leaves the GPU idle meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.training.examples import Examples


class Tally:
    """Running sums over examples: cross-entropy, correct answers, and how many were seen."""

    def __init__(self, *, loss_sum: float = 0.0, correct: int = 0, seen: int = 0) -> None:
        self.seen = seen
        self._loss_sum, self._correct = loss_sum, correct
        self._unread: list[Tensor] = []  # (2,) each: a batch's sum of losses, its correct answers

    def add(self, losses: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a batch: ``losses`` (n,), ``logits`` (n, classes), ``labels`` (n,)."""
        correct = logits.detach().argmax(1) == labels
        self._unread.append(torch.stack((losses.detach().sum(), correct.sum().to(losses.dtype))))
        self.seen += len(labels)

    def merge(self, other: Tally) -> None:
        """Add the sums of ``other``."""
        self._loss_sum += other._loss_sum
        self._correct += other._correct
        self._unread += other._unread
        self.seen += other.seen

    @property
    def loss_sum(self) -> float:
        """Sum of all losses in nats; waits for the device."""
        self._read()
        return self._loss_sum

    @property
    def correct(self) -> int:
        """Number of correct answers; waits for the device."""
        self._read()
        return self._correct

    @property
    def accuracy(self) -> float | None:
        """Share of correct answers; None if nothing was seen (an epoch of empty Poisson batches)."""
        return self.correct / self.seen if self.seen else None

    @property
    def loss(self) -> float | None:
        """Mean cross-entropy in nats; None if nothing was seen."""
        return self.loss_sum / self.seen if self.seen else None

    def _read(self) -> None:
        if not self._unread:
            return
        # One after the other in double precision, so that it makes no difference how often the sums are read.
        for loss, correct in torch.stack(self._unread).tolist():
            self._loss_sum += loss
            self._correct += int(correct)
        self._unread.clear()


@dataclass(frozen=True)
class Evaluation:
    """What the network makes of one split.

    tally          sums over its examples
    probabilities  float32 (n, classes), each row adding up to 1
    labels         int64 (n,)
    """

    tally: Tally
    probabilities: np.ndarray
    labels: np.ndarray


def evaluate(
    network: nn.Module,
    examples: Examples,
    *,
    batch_size: int,
    mixed: torch.dtype | None,
    check: Callable[[], None],
) -> Evaluation:
    """``network`` on all examples; calls ``check`` before every batch."""
    tally = Tally()
    probabilities: list[Tensor] = []
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            for indices in np.array_split(np.arange(len(examples)), -(-len(examples) // batch_size)):
                check()
                inputs, labels = examples.batch(indices)
                with torch.autocast(inputs.device.type, mixed, enabled=mixed is not None):
                    logits = network(inputs)
                logits = logits.float()
                tally.add(F.cross_entropy(logits, labels, reduction="none"), logits, labels)
                probabilities.append(logits.softmax(1))
    finally:
        network.train(training)
    return Evaluation(tally, torch.cat(probabilities).cpu().numpy(), examples.labels.cpu().numpy())
