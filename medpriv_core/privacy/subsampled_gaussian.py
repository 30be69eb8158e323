"""Which mechanism a run really is, so that the accountant counts that one and not the one it was meant to be.

What amplifies privacy or bounds what one record can change has to be true of the loop, or it must not be counted:

===========================  ==========================================================================================
Poisson sampling             each record is in a step with probability q = batch size / n: amplified by sampling
full batch                   each record is in every step, one step an epoch: q = 1. The sum is divided by the number of
                             records, which is thus public. So neighbours have equally many: one record is replaced by
                             an empty one ("zero-out"), at the same epsilon
shuffled deck                each record is in one step of every epoch. No amplification is proven for noised gradients
                             that are released step by step, so: q = 1, one counted step for every epoch begun.
                             Neighbours differ by one record replaced by an empty one ("zero-out", Kairouz et al. 2021),
                             because a record fewer would deal the whole deck anew
microbatches                 the mean gradient of several records is clipped as one. One record turns it by up to twice
                             the clipping norm: sensitivity 2, or half the noise multiplier. Under Poisson sampling this
                             holds if each drawn record is put into one of a fixed number of microbatches by itself
BatchNorm in training mode   each record changes every other one's gradient, and its statistics are kept without noise:
                             sensitivity infinite, no epsilon
===========================  ==========================================================================================

>>> mechanism = mechanism_of_loop(train_size=5218, batch_size=128, sampling="shuffled", microbatch_size=4)
>>> mechanism.sample_rate, mechanism.sensitivity, mechanism.counted_steps(50 * 41), mechanism.adjacency
(1.0, 2.0, 50, 'zero-out')
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from medpriv_core.errors import SettingError
from medpriv_core.privacy.dp_sgd import Adjacency, sampling_rate, steps_per_epoch
from medpriv_core.privacy.steps import Steps
from medpriv_core.spec import RunSpec, Sampling
from medpriv_core.unit import Unit


@dataclass(frozen=True)
class SubsampledGaussian:
    """What the accountant counts for the steps of a loop.

    sampling         poisson | full_batch | shuffled
    sample_rate      probability of a record to be in a counted step
    steps_per_epoch  that the loop takes
    sensitivity      how many clipping norms one record can change the clipped sum by; infinite where nothing bounds it
    unit             what a record is: an image, or a patient with all images and labels
    """

    sampling: Sampling
    sample_rate: float
    steps_per_epoch: int
    sensitivity: float = 1.0
    unit: Unit = "image"

    @property
    def adjacency(self) -> Adjacency:
        """How neighbouring training sets differ: their number of records is the same but for Poisson sampling."""
        return "add-remove" if self.sampling == "poisson" else "zero-out"

    def counted_steps(self, steps: int, *, first: int = 0) -> int:
        """How many steps an accountant counts for steps of the loop.

        Args:
            steps: That the loop takes.
            first: The number of the first of them; 0 is a run's first step.

        Returns:
            As many; of a shuffled deck, one for every epoch that they begin or go on with.
        """
        if self.sampling != "shuffled" or steps == 0:
            return steps
        return (first + steps - 1) // self.steps_per_epoch - first // self.steps_per_epoch + 1

    def stretches(self, segments: Iterable[Steps]) -> tuple[Steps, ...]:
        """Steps as an accountant counts them.

        Args:
            segments: All steps of a run, in the order in which its loop took them.

        Returns:
            As ``composed_epsilon`` takes them.
        """
        taken, stretches = 0, []
        for segment in segments:
            counted = segment._replace(count=self.counted_steps(segment.count, first=taken))
            stretches.append(counted.relative_to(self.sensitivity))
            taken += segment.count
        return tuple(stretches)


def mechanism_of_loop(
    *,
    train_size: int,
    batch_size: int,
    sampling: Sampling = "poisson",
    microbatch_size: int = 1,
    mixes_records: bool = False,
    unit: Unit = "image",
) -> SubsampledGaussian:
    """Which mechanism a loop is.

    Args:
        train_size: Training records, n; at least 1.
        batch_size: Records in a step, or expected in it; from 1 to ``train_size``. A full batch has all.
        sampling: How batches are drawn.
        microbatch_size: Records whose mean gradient is clipped as one; at least 1.
        mixes_records: Whether BatchNorm in training mode lets each record change the gradients of others.
        unit: What a record is. ``train_size`` and ``batch_size`` count these.

    Returns:
        What the accountant counts for its steps.

    Raises:
        SettingError: A size cannot be.
    """
    if train_size < 1:
        raise SettingError("There are no training records.")
    if sampling != "full_batch" and not 1 <= batch_size <= train_size:
        raise SettingError(
            f"[batch_size] must be between 1 and the {train_size} training records, but is {batch_size}."
        )
    if microbatch_size < 1:
        raise SettingError(f"[microbatch_size] must be at least 1, but is {microbatch_size}.")
    return SubsampledGaussian(
        sampling=sampling,
        sample_rate=sampling_rate(batch_size=batch_size, train_size=train_size) if sampling == "poisson" else 1.0,
        steps_per_epoch=steps_per_epoch(batch_size=batch_size, train_size=train_size, sampling=sampling),
        sensitivity=math.inf if mixes_records else 2.0 if microbatch_size > 1 else 1.0,
        unit=unit,
    )


def mechanism_of(spec: RunSpec, *, train_size: int) -> SubsampledGaussian:
    """Which mechanism a DP-SGD run is.

    Args:
        spec: The specification of the run.
        train_size: Training records, n; at least 1.

    Returns:
        What the accountant counts for its steps.

    Raises:
        SettingError: There are no training records, or fewer than a batch has.
    """
    return mechanism_of_loop(
        train_size=train_size,
        batch_size=spec.batch_size,
        sampling=spec.sampling_scheme,
        microbatch_size=spec.microbatch_size,
        mixes_records=spec.norm == "batch_norm",
        unit=spec.record,
    )
