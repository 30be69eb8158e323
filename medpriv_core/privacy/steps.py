"""Steps of noised gradients that are alike: the one record in which they are counted, stored and composed.

The ledger of a run has them as the loop took them: the noise multiplier that was set, and every step. What they cost is
counted of what one record can change (``Steps.relative_to``), as ``medpriv_core.privacy.subsampled_gaussian`` says:

>>> taken = add_steps(add_steps((), Steps(2.0, 0.4, 7)), Steps(2.0, 0.4, 1))
>>> taken
(Steps(noise_multiplier=2.0, sample_rate=0.4, count=8),)
>>> steps_to_json(taken)
[{'noise_multiplier': 2.0, 'sample_rate': 0.4, 'steps': 8}]
>>> steps_from_json(steps_to_json(taken)) == taken
True
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from medpriv_core.errors import SettingError
from medpriv_core.spec import BOUNDS

# What is read of a file from elsewhere.
MOST_PARTS, MOST_STEPS = 100, 10_000_000


class Steps(NamedTuple):
    """``count`` steps with one noise and one sampling.

    noise_multiplier  standard deviation of the noise on the clipped sum: of the steps of a loop as multiples of the
                      clipping norm, and for an accountant as multiples of the most that one record can change the sum
                      by, where 0 means that nothing bounds it
    sample_rate       probability of each record to be in a step, in (0, 1]
    count             0 or more
    """

    noise_multiplier: float
    sample_rate: float
    count: int  # type: ignore[assignment]  # tuples can count, too; nobody asks these to

    def relative_to(self, sensitivity: float) -> Steps:
        """The same for an accountant, where one record can change the sum by ``sensitivity`` clipping norms."""
        return self._replace(noise_multiplier=self.noise_multiplier / sensitivity)

    @property
    def weight(self) -> float:
        """Grows as epsilon does without sampling: the sum of squared signals over the noise's variance."""
        return self.count / self.noise_multiplier**2 if self.noise_multiplier else float("inf")


def count_steps(parts: Iterable[Steps]) -> int:
    """How many steps these are in all."""
    return sum(part.count for part in parts)


def add_steps(parts: tuple[Steps, ...], more: Steps) -> tuple[Steps, ...]:
    """Steps, and then further ones.

    Args:
        parts: Those until now.
        more: Those that follow.

    Returns:
        ``parts`` with ``more`` at the end: as one with the last part where the two are alike.
    """
    *earlier, last = parts or (more._replace(count=0),)
    if last[:2] == more[:2]:
        return (*earlier, more._replace(count=last.count + more.count))
    return (*parts, more)


def first_steps(parts: Iterable[Steps], count: int) -> tuple[Steps, ...]:
    """The first of several steps.

    Args:
        parts: All steps, in the order in which they were taken.
        count: How many of them.

    Returns:
        As many of them as there are.
    """
    first: list[Steps] = []
    for part in parts:
        if taken := min(part.count, count):
            first.append(part._replace(count=taken))
        count -= taken
    return tuple(first)


def merge_steps(parts: Iterable[Steps]) -> tuple[Steps, ...]:
    """Steps brought into one order, for an accountant, to which the order makes no difference.

    Args:
        parts: In any order.

    Returns:
        Those that are alike as one, sorted, and without those that count none.

    Raises:
        SettingError: A number of steps is negative, or a sample rate is not above 0 and at most 1.
    """
    counts: dict[tuple[float, float], int] = {}
    for noise_multiplier, sample_rate, count in parts:
        if count < 0:
            raise SettingError(f"steps must not be negative, but is {count}.")
        if not 0 < sample_rate <= 1:
            raise SettingError(f"sample_rate must be above 0 and at most 1, but is {sample_rate}.")
        if count:
            key = (noise_multiplier, sample_rate)
            counts[key] = counts.get(key, 0) + count
    return tuple(sorted(Steps(*key, count) for key, count in counts.items()))


def steps_to_json(parts: Iterable[Steps]) -> list[dict[str, Any]]:
    """The steps of a loop as every file of a run has them: {noise_multiplier, sample_rate, steps}."""
    return [
        {"noise_multiplier": part.noise_multiplier, "sample_rate": part.sample_rate, "steps": part.count}
        for part in parts
    ]


def steps_from_json(values: Any) -> tuple[Steps, ...]:
    """The steps that ``steps_to_json`` wrote.

    Args:
        values: What was read of a file, of whatever kind. What a later version may have written beside them is passed
            over.

    Returns:
        The steps, in the same order.

    Raises:
        ValueError: It is no list of steps, has more than ``MOST_PARTS``, or a number in it is out of bounds.
    """
    if not isinstance(values, list | tuple) or len(values) > MOST_PARTS:
        raise ValueError("segments must be a list")
    return tuple(map(_from_json, values))


def _from_json(value: Any) -> Steps:
    if not isinstance(value, Mapping):
        raise ValueError("a segment must be an object")
    count = value.get("steps")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MOST_STEPS:
        raise ValueError("a segment must count its steps")
    low, high = BOUNDS["noise_multiplier"]
    return Steps(
        number_within(value.get("noise_multiplier"), low=low, high=high),
        number_within(value.get("sample_rate"), low=1e-12, high=1.0),
        count,
    )


def number_within(value: Any, *, low: float, high: float) -> float:
    """A number of JSON as a float.

    Args:
        value: What was read of a file, of whatever kind.
        low: The least number allowed.
        high: The largest number allowed.

    Returns:
        The number.

    Raises:
        ValueError: It is no number, or outside these.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{value!r} is not a number from {low:g} to {high:g}")
    return float(value)
