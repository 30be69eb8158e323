"""What the epochs of a run say, as curves: which figure, against what, smoothed how, best where.

A curve is one figure of one run on one set of images, for example the accuracy on the test images. Which epoch is
best is looked up on the test images, so that choosing it flatters the run: the last epoch is the honest one.

>>> smoothed([0.0, 1.0, 1.0], 0.5)
[0.0, 0.6666666666666666, 0.8571428571428571]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from medpriv_core.datasets.registry import dataset_title
from medpriv_core.privacy.spent import spent_at
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.privacy.verdict import SAME, ledger_epsilon, run_verdict
from medpriv_core.runs.service import Run
from medpriv_core.spec import Method, RunSpec

Part = Literal["train", "test", "test_noised"]
Axis = Literal["epoch", "time"]

PART_TITLES: dict[Part, str] = {"train": "training", "test": "test", "test_noised": "test, noised images"}
# A curve of more points is drawn with some of them left out: no screen has so many columns.
MOST_POINTS = 400


@dataclass(frozen=True)
class Measure:
    """A figure that an epoch's row holds, under ``<part>_<name>``, or under ``name`` alone if it has no parts.

    better   whether high or low is good; None where neither is (epsilon only grows)
    share    whether it lies between 0 and 1 and is read in percent
    guessing what someone gets who never looks at the picture, in words; None where there is no such line
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    better: Literal["high", "low"] | None
    share: bool = False
    guessing: str | None = None

    def column(self, part: Part) -> str:
        """The key of this figure in a row of metrics.jsonl."""
        return self.name if self.name == "epsilon" else f"{part}_{self.name}"

    def format(self, value: float) -> str:
        """The value as people read it: "91.2%", "0.874"; epsilon rounded up."""
        if self.name == "epsilon":
            return format_epsilon(value)
        return f"{value:.1%}" if self.share else f"{value:.3g}" if self.name == "loss" else f"{value:.3f}"


_TESTS: tuple[Part, ...] = ("test", "test_noised")
MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("accuracy", "Accuracy", ("train", *_TESTS), "high", True, "always the most frequent class"),
        Measure("balanced_accuracy", "Balanced accuracy", _TESTS, "high", True, "always the same class"),
        Measure("auroc", "AUROC", _TESTS, "high", False, "guessing"),
        Measure("loss", "Loss", ("train", *_TESTS), "low"),
        Measure("calibration_error", "Calibration error", _TESTS, "low", True),
        Measure("kappa", "Kappa, quadratic weights", _TESTS, "high", False, "guessing"),
        Measure("epsilon", "Privacy budget spent (ε)", ("train",), None),
    )
}


@dataclass(frozen=True)
class RunCurves:
    """One run as the chart needs it.

    epochs     rows of metrics.jsonl, in order
    setup      its setup.json: ``majority_rate`` (0 to 1) and ``classes``, where known
    one_step   whether an epoch is a single step (full batch)
    terms      what its epsilon depends on, as ``epsilon_terms`` says; None: no epsilon of it is drawn
    """

    id: str
    name: str
    method: Method
    dataset: str
    total_epochs: int
    epochs: Sequence[Mapping[str, Any]]
    setup: Mapping[str, Any] = field(default_factory=dict)
    one_step: bool = False
    terms: str | None = None

    def points(self, measure: Measure, part: Part, against: Axis) -> list[tuple[float, float, int]]:
        """(position, value, epoch) of every epoch that has the figure; time in seconds of training so far."""
        if measure.name == "epsilon" and self.terms is None:
            return []
        column = measure.column(part)
        position = "epoch" if against == "epoch" else "elapsed_s"
        return [
            (float(row[position]), float(row[column]), int(row["epoch"]))
            for row in self.epochs
            if row.get(column) is not None and row.get(position) is not None
        ]

    def floor(self, measure: Measure) -> float | None:
        """What ``measure.guessing`` gets on this run's test images; None where that is not known."""
        classes = len(self.setup.get("classes", ()))
        return {
            "accuracy": self.setup.get("majority_rate"),
            "balanced_accuracy": 1 / classes if classes else None,
            "auroc": 0.5,
            "kappa": 0.0,
        }.get(measure.name)


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


def epsilon_terms(spec: RunSpec, *, setup: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]]) -> str | None:
    """Delta, adjacency, sampling and accountant of a run's epsilon, in words.

    None where its epochs must not be drawn: methods whose epsilon does not grow, runs for which no finite epsilon
    holds, and those for which more holds than their epochs say.
    """
    spent = spent_at(epochs[-1]) if epochs else None
    verdict = run_verdict(spec, setup=setup, spent=spent)
    if spent is None or verdict is None or ledger_epsilon(spent) * (1 + SAME) < verdict.epsilon:
        return None
    return verdict.statement.removeprefix(f"ε = {format_epsilon(verdict.epsilon)} (").removesuffix(")")


def parts_of(runs: Sequence[RunCurves], measure: Measure) -> list[Part]:
    """The sets of images on which any of these runs has the figure."""
    return [part for part in measure.parts if any(run.points(measure, part, "epoch") for run in runs)]


def best_epoch(run: RunCurves, measure: Measure, part: Part = "test") -> int | None:
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


def last_and_best(runs: Sequence[RunCurves], measure: Measure) -> list[dict[str, Any]]:
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
            if measure.name == "epsilon":
                row |= {"last epoch": points[-1][2], "ε": f"{measure.format(points[-1][1])} ({run.terms})"}
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


def _number(measure: Measure, point: tuple[float, float, int]) -> float:
    return 100 * point[1] if measure.share else point[1]


def describe_curves(runs: Sequence[RunCurves], measure: Measure, against: Axis) -> str:
    """The chart in words, for those who cannot see it."""
    title = f"{measure.title} against {'epoch' if against == 'epoch' else 'time'}"
    said = []
    for run in runs:
        ends = {part: points[-1] for part in measure.parts if (points := run.points(measure, part, against))}
        if ends:
            said.append((run, ends))
    if not said:
        return f"{title}, no epoch yet."
    if len(runs) == 1:
        ((_, ends),) = said
        values = ", ".join(f"{PART_TITLES[part]} {measure.format(point[1])}" for part, point in ends.items())
        return f"{title}; after epoch {max(point[2] for point in ends.values())}: {values}."
    values = "; ".join(
        f"{run.name} {measure.format(ends.get('test', next(iter(ends.values())))[1])}" for run, ends in said
    )
    return f"{title} of {len(runs)} runs; at the end: {values}."
