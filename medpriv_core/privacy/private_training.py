"""What a DP-SGD run does in each step and what is counted of it: made once, from its specification and n images.

Plan, ledger, self-test and lights read it here; the objects that act (sampler, clipper and noise, in
``medpriv_core.training``) are made from it. What they then did is not read off it, but off them
(``medpriv_core.training.evidence``).

>>> spec = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=2.0, batch_size=128, max_grad_norm=0.5)
>>> training = private_training(spec, train_size=5232)
>>> training.divisor, training.noise_deviation(2.0), training.mechanism.steps_per_epoch
(128, 1.0, 41)
"""

from __future__ import annotations

from dataclasses import dataclass

from medpriv_core.privacy.subsampled_gaussian import SubsampledGaussian, mechanism_of
from medpriv_core.spec import RunSpec


@dataclass(frozen=True)
class PrivateTraining:
    """One step, as it is meant.

    mechanism         how records are drawn, and what the accountant counts
    train_size        n
    batch_size        records in a step: the expected number, and all of them in a full batch
    max_grad_norm     the clipping norm C
    clipped_together  records whose mean gradient is clipped as one; 1 if each is clipped by itself
    """

    mechanism: SubsampledGaussian
    train_size: int
    batch_size: int
    max_grad_norm: float
    clipped_together: int

    @property
    def divisor(self) -> int:
        """Of the noised sum: how many gradients are clipped in a step, or expected to be."""
        return max(1, round(self.batch_size / self.clipped_together))

    def noise_deviation(self, noise_multiplier: float) -> float:
        """Standard deviation of the noise on the clipped sum, for a noise multiplier."""
        return noise_multiplier * self.max_grad_norm


def private_training(spec: RunSpec, *, train_size: int) -> PrivateTraining:
    """What a DP-SGD run does in each step, and what is counted of it.

    Args:
        spec: The specification of the run.
        train_size: Training records, n; at least 1.

    Returns:
        One step, as it is meant.

    Raises:
        SettingError: There are no training records, or fewer than a batch has.
    """
    return PrivateTraining(
        mechanism=mechanism_of(spec, train_size=train_size),
        train_size=train_size,
        batch_size=train_size if spec.sampling_scheme == "full_batch" else spec.batch_size,
        max_grad_norm=spec.max_grad_norm,
        clipped_together=spec.microbatch_size if spec.engine == "microbatch" else 1,
    )
