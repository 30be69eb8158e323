"""What a step does: its noise, and what the records add."""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy import special
from torch import Tensor

from medpriv_core.training.self_test.trial import MadeUp, Trial, flat, same_known_chance

# Chance of a false alarm for each of the some hundred comparisons.
FALSE_ALARM = 1e-12

# Numbers of noise that are enough, and steps that are too many.
NUMBERS = 20_000
MOST_ROUNDS = 24

# What rounding may add, as a share of C: Opacus measures lengths to 1e-4 only.
ADDED = 1e-3


def contributions(
    trial: Trial, made_up: MadeUp, *, unit: float, records: int, weighed: bool, pairs: bool
) -> dict[str, Any]:
    """The findings ``clipping``, ``class_weights`` and, with ``pairs``, ``apart`` and ``divisor``; without noise.

    ``unit`` is C/B, ``records`` how many of the same are put in. ``pairs`` where each is clipped by itself and the
    divisor is the same for one and two.
    """
    by_class = [trial.quiet_step([2 * label] * records) for label in range(made_up.classes if weighed else 1)]
    added = max(math.sqrt(_dot(moved, moved)) for moved in by_class) / unit
    holds = added <= 1 + ADDED
    findings: dict[str, Any] = {"clipping": {"holds": holds, "length": made_up.length, "added": finite(added)}}
    if weighed:
        findings["class_weights"] = {"holds": holds, "added": finite(added)}
    if not pairs:
        return findings
    alone = [first + second for first, second in zip(trial.quiet_step([0]), trial.quiet_step([3]), strict=True)]
    both = trial.quiet_step([0, 3])
    own = _dot(alone, alone)
    share = _dot(both, alone) / own if own > 0 else math.nan
    # Half of it is the divisor's doing; all else that is missing or too much, the images' own.
    divided = 1.0 if abs(share - 1) <= abs(share - 0.5) else 0.5
    rest = [whole.sub(part, alpha=divided) for whole, part in zip(both, alone, strict=True)]
    difference = math.sqrt(_dot(rest, rest)) / unit
    findings["apart"] = {"holds": difference <= 2 * ADDED, "difference": finite(difference)}
    findings["divisor"] = {"holds": abs(share - 1) <= ADDED, "together": finite(share)}
    return findings


def one_patient(trial: Trial, *, unit: float, most: int, label: int) -> dict[str, Any]:
    """Of the finding ``patients``: what a patient with two images adds to a step.

    ``unit`` is C/B, ``most`` how many images of a drawn patient a step looks at, ``label`` the class of both images.
    """
    moved = trial.patient_step([2 * label, 2 * label + 1], most=most)
    added = math.sqrt(_dot(moved, moved)) / unit
    return {"holds": added <= 1 + ADDED, "added": finite(added)}


def noise(trial: Trial, other: Trial, *, unit: float, batches: list[list[int]]) -> dict[str, Any]:
    """The findings ``noise`` and ``repeat``, and the ratio ``empty`` for ``divisor``; ``unit`` is sigma C/B.

    ``batches`` have none and some records, whose own part is taken off.
    """
    quiet = [trial.some(trial.quiet_step(drawn)) if drawn else None for drawn in batches]
    counts = [part.numel() for part in trial.some(trial.parameters)]
    size = sum(counts)
    rounds = min(MOST_ROUNDS, max(math.ceil(2 / len(batches)), math.ceil(NUMBERS / size / len(batches))))
    squares: list[Tensor] = []  # for each step, of each parameter
    draws: list[Tensor] = []
    beyond = 0
    for number in range(rounds * len(batches)):
        which = number % len(batches)
        with same_known_chance():
            handed = trial.step(batches[which], sparse=True)
        drawn = [part.div_(unit) for part in _without(handed, quiet[which])]
        squares.append(torch.stack([part.double().square().sum() for part in drawn]))
        row = flat(drawn)
        beyond += int((row.abs() > 2).sum())
        draws.append(row)
    with same_known_chance():
        handed = other.step(batches[0], sparse=True)
    another = flat(_without(handed, quiet[0])) / unit

    sums = torch.stack(squares)  # (steps, parameters)
    numbers = int(len(sums) * size)
    holds = all(
        _is_chi_square(float(total), count)
        for total, count in [
            *((total, len(sums) * count) for total, count in zip(sums.sum(0), counts, strict=True)),
            *((total, size * rounds) for total in sums.view(rounds, len(batches), -1).sum((0, 2))),
        ]
    )
    holds = holds and is_binomial(beyond, numbers, float(2 * special.ndtr(-2)))
    deviation = math.sqrt(float(sums.sum()) / numbers)
    one = _correlation(torch.cat(draws[0::2][: len(draws) // 2]), torch.cat(draws[1::2]))
    two = _correlation(draws[0], another)
    by_batch = sums.view(rounds, len(batches), -1).sum((0, 2)).sqrt()
    return {
        "noise": {"holds": holds, "deviation": finite(deviation), "numbers": numbers},
        "repeat": {"holds": one[1] and two[1], "one": finite(one[0]), "two": finite(two[0])},
        "empty": float(by_batch[0] / by_batch[1]) if not batches[0] and float(by_batch[1]) > 0 else 1.0,
        "spread": 7 / math.sqrt(size * rounds),
    }


def _without(handed: list[Tensor], quiet: list[Tensor] | None) -> list[Tensor]:
    """A step less what the records alone make of it."""
    return handed if quiet is None else [whole - part for whole, part in zip(handed, quiet, strict=True)]


def is_binomial(count: int, trials: int, chance: float) -> bool:
    """Whether so many of independent trials may have come true."""
    return bool(min(special.bdtr(count, trials, chance), special.bdtrc(count - 1, trials, chance)) >= FALSE_ALARM)


def _is_chi_square(total: float, numbers: int) -> bool:
    """Whether so many squares of standard Gaussians may add up to this."""
    # What rounding hides of very little noise.
    few, many = special.chdtr(numbers, total * (1 + 1e-4)), special.chdtrc(numbers, total * (1 - 1e-4))
    return bool(min(few, many) >= FALSE_ALARM / 2)


def _correlation(first: Tensor, second: Tensor) -> tuple[float, bool]:
    """The correlation of two draws, and whether independent ones may have it; no noise at all repeats nothing."""
    size = min(len(first), len(second))
    first, second = first[:size].double(), second[:size].double()
    lengths = float(first.norm() * second.norm())
    if lengths == 0 or not math.isfinite(lengths):
        return 0.0, lengths == 0
    found = float(first @ second) / lengths
    # For independent Gaussians found² is of the distribution Beta(1/2, (size - 1) / 2).
    return found, size < 2 or float(special.betainc(0.5, (size - 1) / 2, found**2)) < 1 - FALSE_ALARM


def _dot(first: list[Tensor], second: list[Tensor]) -> float:
    """Of all values, added up for each parameter in its own precision and then in double."""
    products = [torch.dot(one.reshape(-1), other.reshape(-1)) for one, other in zip(first, second, strict=True)]
    return float(torch.stack(products).double().sum())


def finite(value: float) -> float | None:
    """For JSON, which knows no infinity and no NaN."""
    return value if math.isfinite(value) else None
