"""Which images a step looks at.

Ordinary training goes through a shuffled deck. Under DP-SGD that gives no amplification by sampling, whose accounting
assumes Poisson sampling: every image enters every batch independently with probability ``sample_rate``, so batches
differ in size and some are empty. The full batch, every image in every step, needs no sampling at all.

The deck, and without privacy the augmentation, follow from the run's seed, the epoch and the step, so a resumed run
sees what an uninterrupted one would have seen and no generator's state need be stored. The randomness of the mechanism
(``randomness.py``) has no seed that could be stored, and nobody can draw it again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from medpriv_core.spec import RunSpec
from medpriv_core.training.randomness import SecretUniform, secret_generator


def epoch_batches(
    spec: RunSpec, n: int, *, epoch: int, first: int, steps: int, sample_rate: float | None
) -> Iterator[np.ndarray]:
    """The batches of the steps ``first`` (0 at the beginning) to ``steps`` of an epoch, as indices below ``n``.

    ``sample_rate`` is needed for Poisson sampling alone.
    """
    if spec.sampling_scheme == "poisson":
        assert sample_rate is not None
        rng = SecretUniform()  # who was drawn must stay secret
        for _ in range(first, steps):
            yield poisson_batch(n, sample_rate=sample_rate, rng=rng)
    elif spec.sampling_scheme == "full_batch":
        for _ in range(first, steps):
            yield np.arange(n)
    else:
        yield from shuffled_batches(n, batch_size=spec.batch_size, seed=spec.seed, epoch=epoch)[first:steps]


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
