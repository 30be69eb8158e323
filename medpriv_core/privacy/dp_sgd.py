"""What epsilon holds for steps of noised gradients.

A step looks at each record with probability ``sample_rate``, clips what one record adds, and adds Gaussian noise of
standard deviation ``noise_multiplier`` times the most that one record can change. Which rate, steps and sensitivity
belong to a run is said by ``medpriv_core.privacy.subsampled_gaussian``; here they are given.

>>> steps = Steps(noise_multiplier=1.0, sample_rate=128 / 5232, count=2044)
>>> round(composed_epsilon([steps], delta=1e-5), 2), round(composed_rdp_epsilon([steps], delta=1e-5), 2)
(7.16, 7.82)

With a sample rate below 1 (Poisson sampling) the privacy loss distribution (PLD) of the steps gives epsilon. With a
sample rate of 1 every step is one plain Gaussian mechanism, whose composition has a closed form and no error at all:

>>> round(composed_epsilon([Steps(noise_multiplier=1.0, sample_rate=1, count=1)], delta=1e-5), 5)
4.37718

The numbers are pessimistic: rounding and discretisation only ever push epsilon up.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Literal

from medpriv_core.errors import SettingError
from medpriv_core.privacy.loss_distribution import Stretches, pld_epsilon, resolvable
from medpriv_core.privacy.renyi import rdp_epsilon
from medpriv_core.privacy.steps import Steps, count_steps, merge_steps
from medpriv_core.spec import Sampling

Adjacency = Literal["add-remove", "zero-out", "replace-one"]
Accountant = Literal["pld", "gaussian", "rdp"]

# Beyond this nothing is promised: epsilon is reported as infinite.
MAX_EPSILON = 1000.0
# Less is none: whoever sees such a step sees what was added to it.
NO_NOISE = 1e-6
MAX_IMAGES_PER_PATIENT = 100
# Of the root finder in the closed form.
_TOLERANCE = 1e-12


def composed_epsilon(
    counted: Iterable[Steps],
    *,
    delta: float,
    adjacency: Adjacency = "add-remove",
    images_per_patient: int = 1,
) -> float:
    """What steps on the same records cost together, in whatever order they were taken.

    Neighbours differ by one record that is added or removed, or replaced by an empty one (the same ε), or replaced by
    any other. Where a patient has k images, these are added or removed together, so that the sum changes by up to k
    times as much: a mixture of Gaussians under Poisson sampling (Ganesh 2024).

    Args:
        counted: The steps, in whatever order. Their noise multipliers are in units of the most that one record can
            change the sum by.
        delta: The chance with which the promise of ε may fail; above 0 and below 1.
        adjacency: How neighbouring training sets differ.
        images_per_patient: Images that are added or removed together, from 1 to 100.

    Returns:
        ε, never below what holds: 0 without steps, infinite above ``MAX_EPSILON``.

    Raises:
        SettingError: A rate or a number of steps cannot be, or several images of a patient cannot be counted: by
            replacement, or at a ``delta`` that is too small for so many steps.
    """
    if images_per_patient > 1 and adjacency == "replace-one":
        raise SettingError("Several images of a patient are counted for adjacency add-remove only; choose that.")
    if not 1 <= images_per_patient <= MAX_IMAGES_PER_PATIENT:
        raise SettingError(
            f"images_per_patient must be between 1 and {MAX_IMAGES_PER_PATIENT}, but is {images_per_patient}."
        )
    stretches = merge_steps(counted)
    return _epsilon(stretches, delta, adjacency == "replace-one", images_per_patient) if stretches else 0.0


def composed_rdp_epsilon(counted: Iterable[Steps], *, delta: float, adjacency: Adjacency = "add-remove") -> float:
    """What steps cost by the classic accountant, looser and computed in another way; for single records only.

    Args:
        counted: The steps, in whatever order. Their noise multipliers are in units of the most that one record can
            change the sum by.
        delta: The chance with which the promise of ε may fail; above 0 and below 1.
        adjacency: How neighbouring training sets differ.

    Returns:
        ε, never below what holds: 0 without steps, infinite above ``MAX_EPSILON``.

    Raises:
        SettingError: A rate or a number of steps cannot be.
    """
    stretches = merge_steps(counted)
    if not stretches or _unbounded(stretches):
        return math.inf if stretches else 0.0
    return _capped(rdp_epsilon(stretches, delta, adjacency == "replace-one"))


def accountant_of(*, sample_rate: float, delta: float, steps: int) -> Accountant:
    """Which accountant the ε of steps comes from.

    Args:
        sample_rate: Probability with which each record enters a step; above 0, at most 1.
        delta: The chance with which the promise of ε may fail; above 0 and below 1.
        steps: How many are counted.

    Returns:
        "gaussian", the closed form, at a sample rate of 1. Else "pld", or "rdp" where δ is too small for the grid of
        the PLD.
    """
    if sample_rate == 1:
        return "gaussian"
    return "pld" if resolvable(delta, steps=steps) else "rdp"


def sampling_rate(*, batch_size: int, train_size: int) -> float:
    """Probability with which each record enters a batch under Poisson sampling.

    Args:
        batch_size: Records that are expected in a batch.
        train_size: Training records, n.

    Returns:
        Above 0, and at most 1 for a batch that is not larger than the training set.
    """
    return batch_size / train_size


def steps_per_epoch(*, batch_size: int, train_size: int, sampling: Sampling = "poisson") -> int:
    """Steps in an epoch: the one rule, for the loop and for the accountant.

    Args:
        batch_size: Records in a batch, or expected in it.
        train_size: Training records, n.
        sampling: How batches are drawn.

    Returns:
        For "poisson" as many as on average look at n records, at least 1; for "full_batch" 1; for "shuffled" the whole
        deck, where the last batch may be smaller.
    """
    if sampling == "full_batch":
        return 1
    if sampling == "shuffled":
        return -(-train_size // batch_size)
    return max(1, round(train_size / batch_size))


def _unbounded(stretches: Stretches) -> bool:
    return any(noise_multiplier < NO_NOISE for noise_multiplier, _, _ in stretches)


def _without_sampling(stretches: Stretches) -> bool:
    return all(sample_rate == 1 for _, sample_rate, _ in stretches)


def _capped(epsilon: float) -> float:
    return epsilon if epsilon <= MAX_EPSILON else math.inf


@functools.lru_cache(maxsize=4096)
def _epsilon(stretches: Stretches, delta: float, replace_one: bool, images: int) -> float:
    if _unbounded(stretches):
        return math.inf
    if _without_sampling(stretches):
        distance = 2 if replace_one else images
        return _capped(_gaussian_epsilon(distance * math.sqrt(sum(n / noise**2 for noise, _, n in stretches)), delta))
    steps = count_steps(stretches)
    if resolvable(delta, steps=steps):
        return _capped(pld_epsilon(stretches, delta=delta, replace_one=replace_one, images=images))
    if images == 1:
        return _capped(rdp_epsilon(stretches, delta, replace_one))
    raise SettingError(
        f"For several images of a patient, delta {delta:g} is too small to be computed with over {steps:,} steps; take "
        "a larger delta or fewer steps."
    )


def _gaussian_epsilon(mu: float, delta: float) -> float:
    """Exact epsilon of Gaussian noise, ``mu`` = distance of the means / standard deviation (Balle and Wang 2018)."""
    # Imported here: it takes a second to load, and most callers never need it.
    from dp_accounting import get_epsilon_gaussian

    # The delta of epsilon mu²/2 is at least a half of what is certain; far beyond MAX_EPSILON the formula overflows.
    if mu**2 / 2 > MAX_EPSILON:
        return math.inf
    return float(get_epsilon_gaussian(1 / mu, delta)) + _TOLERANCE
