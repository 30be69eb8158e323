"""What the epochs of a run say, as curves: which figure, against what, smoothed how, best where.

A curve is one figure of one run on one set of images, for example the accuracy on the test images. Which epoch is
best is looked up on the test images, so that choosing it flatters the run: the last epoch is the honest one.

>>> smoothed([0.0, 1.0, 1.0], 0.5)
[0.0, 0.6666666666666666, 0.8571428571428571]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from medpriv_core.datasets.registry import dataset_title
from medpriv_core.evaluation.metrics import METRICS, PART_TITLES, Metric, Part
from medpriv_core.privacy.spent import spent_at
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.privacy.verdict import SAME, ledger_epsilon, run_verdict
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.runs.service import Run
from medpriv_core.spec import Method, RunSpec

Axis = Literal["epoch", "time"]

# A curve of more points is drawn with some of them left out: no screen has so many columns.
MOST_POINTS = 400


EPSILON = "epsilon"
# Of no images: it is drawn as if of the training images, which it speaks of.
MEASURES: dict[str, Metric] = METRICS | {
    EPSILON: Metric(name=EPSILON, title="Privacy budget spent (ε)", better=None, parts=("train",))
}


@dataclass(frozen=True)
class RunCurves:
    """One run as the chart needs it.

    epochs     the finished ones, in order
    setup      what it recorded at its start: ``majority_rate`` and ``classes`` are drawn
    one_step   whether an epoch is a single step (full batch)
    terms      what its epsilon depends on, as ``epsilon_terms`` says; None: no epsilon of it is drawn
    """

    id: str
    name: str
    method: Method
    dataset: str
    total_epochs: int
    epochs: Sequence[EpochRow]
    setup: Setup = field(default_factory=Setup)
    one_step: bool = False
    terms: str | None = None

    def points(self, measure: Metric, part: Part, against: Axis) -> list[tuple[float, float, int]]:
        """(position, value, epoch) of every epoch that has the figure; time in seconds of training so far."""
        if measure.name == EPSILON and self.terms is None:
            return []
        found = []
        for row in self.epochs:
            value = row.epsilon if measure.name == EPSILON else measure.of(getattr(row, part))
            position = row.epoch if against == "epoch" else row.elapsed_s
            # What is not finite has no place on a chart.
            if value is not None and math.isfinite(value) and position is not None:
                found.append((float(position), float(value), row.epoch))
        return found

    def floor(self, measure: Metric) -> float | None:
        """What ``measure.guessing`` gets on this run's test images; None where that is not known."""
        if measure.guessing is None:
            return None
        return measure.guessing.value(len(self.setup.classes) or None, self.setup.majority_rate)


def curves_of(run: Run, *, name: str | None = None, with_epsilon: bool = False) -> RunCurves:
    """A run whose specification can be read, as the chart needs it, under its own or another name.

    Its epsilon is looked into only where it is to be drawn (``with_epsilon``), because that takes time.
    """
    assert run.spec is not None
    return RunCurves(
        id=run.id,
        name=run.name if name is None else name,
        method=run.spec.method,
        dataset=dataset_title(run.spec.dataset),
        total_epochs=run.spec.epochs,
        epochs=run.epochs,
        setup=run.setup,
        one_step=run.spec.sampling_scheme == "full_batch",
        terms=epsilon_terms(run.spec, setup=run.setup, epochs=run.epochs) if with_epsilon else None,
    )


def epsilon_terms(spec: RunSpec, *, setup: Setup, epochs: Sequence[EpochRow]) -> str | None:
    """Delta, adjacency, sampling and accountant of a run's epsilon, in words.

    None where its epochs must not be drawn: methods whose epsilon does not grow, runs for which no finite epsilon
    holds, and those for which more holds than their epochs say.
    """
    spent = spent_at(epochs[-1]) if epochs else None
    verdict = run_verdict(spec, setup=setup, spent=spent)
    if spent is None or verdict is None or ledger_epsilon(spent) * (1 + SAME) < verdict.epsilon:
        return None
    return verdict.statement.removeprefix(f"ε = {format_epsilon(verdict.epsilon)} (").removesuffix(")")


def said(measure: Metric, value: float) -> str:
    """A value of the curve as people read it; epsilon rounded up."""
    return format_epsilon(value) if measure.name == EPSILON else measure.format(value)


def parts_of(runs: Sequence[RunCurves], measure: Metric) -> list[Part]:
    """The sets of images on which any of these runs has the figure."""
    return [part for part in measure.parts if any(run.points(measure, part, "epoch") for run in runs)]


def best_epoch(run: RunCurves, measure: Metric, part: Part = "test") -> int | None:
    """The epoch with the best value (the first of equals); None for a figure that has no good or bad."""
    points = run.points(measure, part, "epoch")
    if measure.better is None or not points:
        return None
    sign = 1 if measure.better == "low" else -1
    return min(points, key=lambda point: (sign * point[1], point[2]))[2]


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Running mean in which each epoch counts ``weight`` (0 to below 1) times as much as the next one.

    The weights of each mean add up to 1, so the first epochs are not drawn towards zero.
    """
    means, total, mass = [], 0.0, 0.0
    for value in values:
        total, mass = weight * total + (1 - weight) * value, weight * mass + (1 - weight)
        means.append(total / mass)
    return means


def thinned(count: int, keep: Sequence[int] = (), most: int = MOST_POINTS) -> list[int]:
    """Which of ``count`` points to draw: evenly spread, always the last and those at ``keep``."""
    every = max(1, -(-count // most))
    return sorted({*range(0, count, every), *keep, count - 1}) if count else []


def styles_of(runs: Sequence[RunCurves]) -> dict[str, tuple[int, bool]]:
    """For each run's id: how many runs of its method come before it, and whether it is the only one of its method."""
    methods = [run.method for run in runs]
    return {
        run.id: (methods[:place].count(run.method), methods.count(run.method) == 1) for place, run in enumerate(runs)
    }


def last_and_best(runs: Sequence[RunCurves], measure: Metric) -> list[dict[str, Any]]:
    """One row a run and set of images: what the last epoch says, and which epoch is best on the test images.

    Values are those measured, never smoothed; shares in percent.
    """
    rows = []
    for run in runs:
        for part in measure.parts:
            points = run.points(measure, part, "epoch")
            if not points:
                continue
            row: dict[str, Any] = {"run": run.name}
            if measure.name == EPSILON:
                row |= {"last epoch": points[-1][2], "ε": f"{said(measure, points[-1][1])} ({run.terms})"}
            else:
                row |= {
                    "images": PART_TITLES[part],
                    "last epoch": points[-1][2],
                    "at the last": _number(measure, points[-1]),
                }
            best = best_epoch(run, measure, part)
            if part != "train" and best is not None:
                row |= {"best epoch": best, "at the best": _number(measure, next(p for p in points if p[2] == best))}
            rows.append(row)
    return rows


def _number(measure: Metric, point: tuple[float, float, int]) -> float:
    return 100 * point[1] if measure.share else point[1]


def describe_curves(runs: Sequence[RunCurves], measure: Metric, against: Axis) -> str:
    """The chart in words, for those who cannot see it."""
    title = f"{measure.title} against {'epoch' if against == 'epoch' else 'time'}"
    ended = []
    for run in runs:
        ends = {part: points[-1] for part in measure.parts if (points := run.points(measure, part, against))}
        if ends:
            ended.append((run, ends))
    if not ended:
        return f"{title}, no epoch yet."
    if len(runs) == 1:
        ((_, ends),) = ended
        values = ", ".join(f"{PART_TITLES[part]} {said(measure, point[1])}" for part, point in ends.items())
        return f"{title}; after epoch {max(point[2] for point in ends.values())}: {values}."
    values = "; ".join(
        f"{run.name} {said(measure, ends.get('test', next(iter(ends.values())))[1])}" for run, ends in ended
    )
    return f"{title} of {len(runs)} runs; at the end: {values}."
