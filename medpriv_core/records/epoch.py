"""One finished epoch of a run: a line of ``metrics.jsonl``, and of its last one what ``outcome.json`` says.

In the file it is a flat object, ``test_accuracy`` for the accuracy on the test images, with those metrics that were
measured (``evaluation.metrics``):

>>> row = read_row({"epoch": 3, "test_accuracy": 0.8, "epsilon": None, "delta": 1e-5, "steps": 60})
>>> row.test.accuracy, row.epsilon, row.test.auroc, row.steps
(0.8, inf, None, 60)
>>> row.to_dict()
{'epoch': 3, 'test_accuracy': 0.8, 'epsilon': None, 'delta': 1e-05, 'steps': 60}
>>> COLUMNS["test_accuracy"].title, COLUMNS["test_accuracy"].of(row)
('test accuracy', 0.8)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar

from medpriv_core.evaluation.metrics import METRICS, PART_TITLES, Metric, Part, Scores
from medpriv_core.records.kinds import (
    MOST_EPOCHS,
    MOST_IMAGES,
    VERSION,
    Date,
    Number,
    Reader,
    Within,
    as_object,
    check_format,
    covered,
    covered_names,
    hints_of,
    is_whole,
    read_value,
    reader_of,
    readers_of,
    unfit,
)
from medpriv_core.strict_json import Unreadable

_NOTHING = Scores()
# What begins with this was computed from test images by the released weights, also where nobody here knows it.
_OF_TEST_IMAGES = "test_"


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochRow:
    """What was measured at the end of an epoch; ``EpochRow()`` is what there is before the first.

    epoch       1 for the first; 0 before its end
    train       on the training images, as a mean over the epoch while the network still changed
    test        on the test images
    test_noised on noised test images; under Local-DP
    epsilon     spent by then, infinite where none holds; None where the method spends none
    delta       that goes with it
    steps       under DP-SGD those that the ledger counts
    images_per_s, elapsed_s   speed of the epoch, and seconds of work since the run began
    finished_at when, as ISO 8601 writes it
    others      what nobody here knows, of another version
    """

    FORMAT: ClassVar[int] = 1

    epoch: Annotated[int, Within(0, MOST_EPOCHS)] = covered(0)
    train: Scores = _NOTHING
    test: Scores = covered(_NOTHING)
    test_noised: Scores = covered(_NOTHING)
    epsilon: Annotated[float, Within(0, math.inf)] | None = covered()
    delta: Annotated[float, Within(5e-324, 1)] | None = covered()
    steps: Annotated[int, Within(-(2**31), MOST_IMAGES)] | None = covered()
    images_per_s: Number | None = None
    elapsed_s: Number | None = None
    finished_at: Date | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there was an epoch."""
        return self.epoch > 0

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, which has no infinity: null says that no epsilon holds. What is None is not there."""
        values: dict[str, Any] = {"epoch": self.epoch} if self.epoch else {}
        for part in PART_TITLES:
            scores: Scores = getattr(self, part)
            if scores == _NOTHING:
                continue
            for name in _SCORES:
                if (value := getattr(scores, name)) is not None:
                    values[f"{part}_{name}"] = list(value) if isinstance(value, tuple) else value
        if self.epsilon is not None:
            values["epsilon"] = self.epsilon if math.isfinite(self.epsilon) else None
        values |= {name: value for name in _PLAIN if (value := getattr(self, name)) is not None}
        return values | dict(self.others)

    def to_file(self) -> dict[str, Any]:
        """The same with the number of the layout, as it is written into a file."""
        return self.to_dict() | {VERSION: self.FORMAT}

    def covered_part(self) -> EpochRow:
        """What epsilon covers of it (``medpriv_core.privacy.coverage``)."""
        others = {name: value for name, value in self.others.items() if name.startswith(_OF_TEST_IMAGES)}
        return EpochRow(**{name: getattr(self, name) for name in covered_names(EpochRow)}, others=others)


_SCORES = tuple(one.name for one in fields(Scores))
_PARTS = tuple(PART_TITLES)
_PLAIN = ("delta", "steps", "images_per_s", "elapsed_s", "finished_at")
_OWN = ("epoch", "epsilon", *_PLAIN)


def _places() -> dict[str, tuple[str, str, Reader]]:
    """By name in a file: the part and the score, or the row's own field and nothing; and what reads its value."""
    hints, scores = hints_of(EpochRow), readers_of(Scores)
    places = {name: ("", name, reader_of(hints[name])) for name in _OWN}
    return places | {f"{part}_{name}": (part, name, read) for part in _PARTS for name, read in scores.items()}


_PLACES = _places()


def read_figures(values: Any) -> EpochRow:
    """The figures in a JSON object, perhaps of no epoch; raises ``Unreadable``, and ``Newer`` for a later layout."""
    found = as_object(values)
    check_format(found, EpochRow.FORMAT)
    own: dict[str, Any] = {}
    scores: dict[str, dict[str, Any]] = {}
    others: dict[str, Any] = {}
    for name, value in found.items():
        place = _PLACES.get(name)
        if place is None:
            if isinstance(value, list | dict):
                raise unfit(name, value)
            others[name] = value
            continue
        part, own_name, read = place
        (scores.setdefault(part, {}) if part else own)[own_name] = read_value(read, name, value)
    others.pop(VERSION, None)
    if "epsilon" in own and own["epsilon"] is None:
        own["epsilon"] = math.inf
    return EpochRow(**own | {part: Scores(**those) for part, those in scores.items()}, others=others)


def read_row(values: Any) -> EpochRow:
    """A line of ``metrics.jsonl``; raises ``Unreadable`` also for one without its epoch, or with an epsilon alone."""
    number = as_object(values).get("epoch")
    if not is_whole(number, low=1, high=MOST_EPOCHS):
        raise unfit("epoch", number)
    row = read_figures(values)
    if row.epsilon is not None and row.delta is None:
        raise Unreadable("it has an epsilon without its delta")
    return row


@dataclass(frozen=True)
class Column:
    """A metric on one set of images: what a table has in a column."""

    part: Part
    metric: Metric

    @property
    def name(self) -> str:
        """As in files and addresses: "test_accuracy"."""
        return f"{self.part}_{self.metric.name}"

    @property
    def title(self) -> str:
        """As people read it: "test accuracy", "test accuracy, noised images"."""
        images, _, noised = PART_TITLES[self.part].partition(", ")
        return f"{images} {self.metric.word}" + (f", {noised}" if noised else "")

    def of(self, row: EpochRow) -> float | None:
        """Its value in a row."""
        return self.metric.of(getattr(row, self.part))


COLUMNS: dict[str, Column] = {
    column.name: column
    for part in _PARTS
    for column in (Column(part, metric) for metric in METRICS.values() if part in metric.parts)
}
# Those that tables of runs have, and of these the ones on test images as they are, by which runs are compared.
LISTED: dict[str, Column] = {name: column for name, column in COLUMNS.items() if column.part in column.metric.listed}
COMPARED: dict[str, Column] = {name: column for name, column in LISTED.items() if column.part == "test"}
