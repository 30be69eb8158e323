"""Which images a step looks at.

Ordinary training goes through a shuffled deck. Under DP-SGD that gives no amplification by sampling, whose accounting
assumes Poisson sampling: every image enters every batch independently with probability ``sample_rate``, so batches
differ in size and some are empty. The full batch, every image in every step, needs no sampling at all.

The deck, and without privacy the augmentation, follow from the run's seed, the epoch and the step, so a resumed run
sees what an uninterrupted one would have seen and no generator's state need be stored. The randomness of the mechanism
(``randomness.py``) has no seed that could be stored, and nobody can draw it again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch

from medpriv_core.privacy.dp_sgd import sampling_rate
from medpriv_core.privacy.facts import Source
from medpriv_core.spec import RunSpec, Sampling
from medpriv_core.training.randomness import SecretUniform, secret_generator


class Sampler(ABC):
    """Who is in each step.

    scheme       how batches are drawn
    sample_rate  probability of each record to be in a step, as far as it may be counted on
    drawn_by     the generator that chooses; None where nobody is chosen, or it is no secret who
    """

    scheme: Sampling
    sample_rate: float = 1.0
    drawn_by: Source | None = None

    @abstractmethod
    def batches(self, *, epoch: int, first: int, steps: int) -> Iterator[np.ndarray]:
        """The batches of the steps ``first`` (0 at the beginning) to ``steps`` of an epoch, as indices."""


class PoissonSampler(Sampler):
    """Each of ``n`` records enters each batch independently of the others."""

    scheme = "poisson"

    def __init__(self, n: int, *, sample_rate: float) -> None:
        self._n = n
        self.sample_rate = sample_rate
        self.drawn_by = getattr(SecretUniform(), "drawn_by", None)

    def batches(self, *, epoch: int, first: int, steps: int) -> Iterator[np.ndarray]:  # noqa: ARG002
        rng = SecretUniform()  # who was drawn must stay secret
        for _ in range(first, steps):
            yield poisson_batch(self._n, sample_rate=self.sample_rate, rng=rng)


class FullBatchSampler(Sampler):
    """Every record is in every batch."""

    scheme = "full_batch"

    def __init__(self, n: int) -> None:
        self._n = n

    def batches(self, *, epoch: int, first: int, steps: int) -> Iterator[np.ndarray]:  # noqa: ARG002
        for _ in range(first, steps):
            yield np.arange(self._n)


class DeckSampler(Sampler):
    """A deck of all records, shuffled anew for each epoch by the run's seed and dealt to its end."""

    scheme = "shuffled"

    def __init__(self, n: int, *, batch_size: int, seed: int) -> None:
        self._n, self._batch_size, self._seed = n, batch_size, seed

    def batches(self, *, epoch: int, first: int, steps: int) -> Iterator[np.ndarray]:
        yield from shuffled_batches(self._n, batch_size=self._batch_size, seed=self._seed, epoch=epoch)[first:steps]


def make_sampler(spec: RunSpec, n: int) -> Sampler:
    """What draws the batches of a run from its ``n`` training records."""
    if spec.sampling_scheme == "poisson":
        return PoissonSampler(n, sample_rate=sampling_rate(batch_size=spec.batch_size, train_size=n))
    if spec.sampling_scheme == "full_batch":
        return FullBatchSampler(n)
    return DeckSampler(n, batch_size=spec.batch_size, seed=spec.seed)


def shuffled_batches(n: int, *, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """All indices below ``n`` once, in batches; the last one may be smaller."""
    order = np.random.default_rng((seed, epoch)).permutation(n)
    return [order[start : start + batch_size] for start in range(0, n, batch_size)]


def poisson_batch(n: int, *, sample_rate: float, rng: SecretUniform | np.random.Generator) -> np.ndarray:
    """Each index below ``n`` independently with probability ``sample_rate``; possibly none."""
    return np.flatnonzero(rng.random(n) < sample_rate)


def augmentation_generator(spec: RunSpec, *, epoch: int, step: int) -> torch.Generator:
    """The generator for one step's augmentation, the same whenever that step is taken, but under DP-SGD a secret one.

    From a known generator, the changes of an image would follow from its place in the batch, and so from who else
    is in it: one patient more or less would change the gradients of all that come after.
    """
    if spec.method == "dp_sgd":
        return secret_generator(torch.device("cpu"))
    state = np.random.SeedSequence((spec.seed, epoch, step)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))
