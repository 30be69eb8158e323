"""Runs that differ in their seed alone, as one figure with an interval.

What the interval is about depends on how many runs there are, and must be said beside it:

- several runs: a t-interval of their mean. It says what another training would give on the *same* test images.
- one run: what *other* test images would give with the same network. For a share of test images that is Wilson's
  interval; AUROC, balanced accuracy and kappa have theirs where the run has kept its predictions. Other figures of a
  single run have none.

Runs without noise that differ only in a seed which nothing uses are one run: their figures are the same to the last
digit, and an interval of width 0 would promise a certainty that nobody has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from medpriv_core.evaluation.intervals import seed_mean, wilson_interval
from medpriv_core.evaluation.metrics import clamped
from medpriv_core.records.epoch import COLUMNS
from medpriv_core.results.image_intervals import image_interval
from medpriv_core.results.result import Protocol, Result

IntervalKind = Literal["seeds", "test_images", "none"]


@dataclass(frozen=True)
class Estimate:
    """A figure of a group with its interval of 95 %; without one, ``low`` and ``high`` are the figure itself.

    kind  what the interval is about: other trainings (seeds), other test images, or nothing
    runs  how many different ones it was computed from
    steady  several seeds gave the very same figure, so training leaves nothing to chance
    """

    mean: float
    low: float
    high: float
    kind: IntervalKind
    runs: int
    steady: bool = False

    @property
    def words(self) -> str:
        """What the interval is, for people."""
        return {
            "seeds": f"the t-interval over {self.runs} runs",
            "test_images": "the interval of one run for other test images",
            "none": "runs that all gave the same figure" if self.steady else "one run, without an interval",
        }[self.kind]


@dataclass(frozen=True)
class Group:
    """Results that are equal but for the seed.

    label    tells the group apart from the others beside it
    details  the settings in which it differs from others of the same strength
    name     what somebody called all of its runs; empty where nobody did
    """

    results: tuple[Result, ...]
    label: str = ""
    details: str = ""
    name: str = ""

    @property
    def first(self) -> Result:
        """One of them, for all that they share."""
        return self.results[0]

    @property
    def own(self) -> bool:
        """Whether these are runs of the data home."""
        return self.first.source == "mine"

    @property
    def title(self) -> str:
        """Name and label."""
        return f"{self.name}: {self.label}" if self.name else self.label

    @property
    def epsilon(self) -> float:
        """What holds for each; the largest, should they differ."""
        return max(result.epsilon for result in self.results)

    def estimate(self, column: str, protocol: Protocol = "last_epoch") -> Estimate | None:
        """The figure of the last epoch (or of the best one) with its interval; None where no run has it."""
        values = [result.figure(column, protocol) for result in self.results]
        found = estimate(values, column, self._size(column))
        if found is None or found.kind != "none" or protocol != "last_epoch":
            return found
        return _over_images(
            found, next(result for result in self.results if result.figure(column) == found.mean), column
        )

    def course(self, column: str) -> list[tuple[int, Estimate]]:
        """The figure after each epoch that all runs have, with intervals over seeds."""
        of = COLUMNS[column].of
        rows = [{row.epoch: of(row) for row in result.epochs} for result in self.results]
        shared = sorted(set(rows[0]).intersection(*rows[1:]))
        found = ((epoch, estimate([row[epoch] for row in rows], column, None)) for epoch in shared)
        return [(epoch, value) for epoch, value in found if value is not None]

    def _size(self, column: str) -> int | None:
        found = COLUMNS[column]
        return self.first.test_size if found.metric.of_images and found.part != "train" else None


def group_results(results: Iterable[Result]) -> list[Group]:
    """One group for all results that are equal but for the seed, in the order of their first ones.

    What counts as a difference says ``RunSpec.canonical``. Of runs without fresh noise, one a seed is kept, the newest.
    """
    groups: dict[object, list[Result]] = {}
    for result in results:
        groups.setdefault(_setting(result), []).append(result)
    return [Group(tuple(_different(members))) for members in groups.values()]


def _setting(result: Result) -> object:
    if result.spec is None:
        return result.source, result.id
    return result.source, result.spec.canonical(any_seed=True), result.final.epoch


def _different(members: list[Result]) -> list[Result]:
    if members[0].method == "dp_sgd":
        return members  # each run draws its own noise, whatever its seed
    return list({member.seed: member for member in members}.values())


def _over_images(found: Estimate, result: Result, column: str) -> Estimate:
    """The figure of one run with an interval over its test images, if it has kept its predictions."""
    if result.predictions is None:
        return found
    interval = image_interval(result.predictions, column, epoch=result.final.epoch)
    if interval is None:
        return found
    return replace(found, low=min(interval.low, found.mean), high=max(interval.high, found.mean), kind="test_images")


def estimate(values: Sequence[float | None], column: str, images: int | None) -> Estimate | None:
    """The mean of the values that are there, with the interval that they allow; ``images`` where they are shares."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    runs = len(known) if len(set(known)) > 1 else 1
    if runs > 1:
        mean = seed_mean(known)
        assert mean.interval is not None
        low, high = clamped(COLUMNS[column].metric, *mean.interval)
        return Estimate(mean.mean, low, high, "seeds", runs)
    steady = len(known) > 1
    if images:
        low, high = wilson_interval(round(known[0] * images), images)
        return Estimate(known[0], low, high, "test_images", 1, steady)
    return Estimate(known[0], known[0], known[0], "none", 1, steady)
