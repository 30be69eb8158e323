"""What is measured of a network on a set of images, each metric with all that is said about it, once.

A field of ``Scores`` is what a row of ``metrics.jsonl`` has of one set of images, after every epoch. Files, the table
of runs, ``runs show``, CSV tables, curves, the compare page and its command, model card and evaluation take name,
title, bounds, format and direction from here. ``measure`` computes them: an epoch of stored features takes tens of
milliseconds, so they are counted from one confusion matrix and from ranks.

>>> METRICS["accuracy"].format(0.9123), METRICS["auroc"].format(0.9123)
('91.2%', '0.912')
>>> answers = Answers(np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]), np.array([0, 1, 0]))
>>> scores = measure(answers, ordered=False)
>>> scores.balanced_accuracy, scores.auroc, scores.kappa
(0.75, 1.0, None)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np

from medpriv_core.evaluation.areas import auroc_interval
from medpriv_core.evaluation.calibration import (
    brier_score,
    calibration_error,
    calibration_interval,
    log_loss,
    squared_errors,
    surprises,
)
from medpriv_core.evaluation.confusion import (
    balanced_accuracy,
    balanced_accuracy_interval,
    class_precision,
    class_recall,
    confusion_matrix,
    kappa_interval,
    weighted_kappa,
)
from medpriv_core.evaluation.intervals import Interval, mean_interval, wilson_interval
from medpriv_core.evaluation.ranks import mean_auroc
from medpriv_core.records.kinds import Number, Share, Within, bounds_of, hints_of

# Images of the training set; test images as they are; under Local-DP, test images with noise.
Part = Literal["train", "test", "test_noised"]
PART_TITLES: dict[Part, str] = {"train": "training", "test": "test", "test_noised": "test, noised images"}
TESTS: tuple[Part, ...] = ("test", "test_noised")
EVERYWHERE: tuple[Part, ...] = ("train", *TESTS)
# What a mistake costs on average cannot be told from fewer: the next one may cost the most.
LEAST_MISTAKES = 5
_METRIC = "metric"


@dataclass(frozen=True)
class Answers:
    """What a network says of images whose classes are known: ``probabilities`` (n, classes), ``labels`` (n,)."""

    probabilities: np.ndarray
    labels: np.ndarray

    @cached_property
    def matrix(self) -> np.ndarray:
        """What was taken for what.

        Returns:
            Counts, int64 (classes, classes), as ``evaluation.confusion.confusion_matrix`` gives them.
        """
        classes = self.probabilities.shape[1]
        return confusion_matrix(self.probabilities.argmax(1), self.labels, classes=classes)

    @property
    def right(self) -> int:
        """How many of the most likely classes are the true ones."""
        return int(np.trace(self.matrix))

    @property
    def enough_mistakes(self) -> bool:
        """Whether there are so many that their mean cost says something."""
        return len(self.labels) - self.right >= LEAST_MISTAKES


@dataclass(frozen=True)
class Guess:
    """What someone gets who never looks at the picture.

    words  who that is
    value  from how many classes there are and the share of the most frequent one; None where these are not known
    """

    words: str
    value: Callable[[int | None, float | None], float | None]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """All about one metric but its value.

    title     as a heading
    meaning   what it says, in the words of a ward
    word      within a sentence or a table; the title in small letters unless given
    better    whether high or low is good; None where neither is
    share     whether it is read in percent
    digits    how many are told of one that is not: three behind the point, or three in all
    parts     the sets of images on which it is measured after every epoch
    listed    those of them of which it stands in tables of runs; of test images, it is also one to compare runs by
    graded    whether it is one of grades alone
    of_images whether it is a share of the images, so that Wilson's interval follows from the value
    guessing  what it is without a look at the picture
    compute   its value, None where the images do not allow it. None: the loop counts it
    interval  of 95 % over other images of the same kind, None where the images do not tell. None: it has none
    name, bounds  as in ``Scores``
    """

    title: str
    meaning: str = ""
    word: str = ""
    better: Literal["high", "low"] | None = "high"
    share: bool = False
    digits: Literal[".3f", ".3g"] = ".3f"
    parts: tuple[Part, ...] = TESTS
    listed: tuple[Part, ...] = ()
    graded: bool = False
    of_images: bool = False
    guessing: Guess | None = None
    compute: Callable[[Answers], Any] | None = None
    interval: Callable[[Answers], Interval | None] | None = None
    name: str = ""
    bounds: Within | None = None

    def of(self, scores: Scores) -> float | None:
        """Its value."""
        value: float | None = getattr(scores, self.name)
        return value

    def format(self, value: float) -> str:
        """The value as people read it: "91.2%", "0.874"."""
        return f"{value:.1%}" if self.share else f"{value:{self.digits}}"

    def in_table(self, value: float | None) -> float | None:
        """The value as a table of numbers has it, which ``table_format`` writes: shares in percent."""
        return 100 * value if value is not None and self.share else value

    @property
    def table_format(self) -> str:
        """How a table of numbers writes what ``in_table`` says, as printf does."""
        return "%.1f %%" if self.share else f"%{self.digits}"

    @property
    def axis_format(self) -> str:
        """How the axis of a chart writes it."""
        return ".0%" if self.share else ".2f"


def metric(**said: Any) -> Any:
    """A field of ``Scores`` with all that ``Metric`` has; None where it was not measured, or cannot be."""
    return field(default=None, metadata={_METRIC: Metric(**said)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What was measured on one set of images; see ``METRICS``, and for the two lists ``evaluation.confusion``."""

    accuracy: Share | None = metric(
        title="Accuracy",
        meaning="share of images that were called right",
        share=True,
        parts=EVERYWHERE,
        listed=EVERYWHERE,
        of_images=True,
        guessing=Guess("always the most frequent class", lambda _classes, majority_rate: majority_rate),
        compute=lambda answers: answers.right / len(answers.labels),
        interval=lambda answers: wilson_interval(answers.right, len(answers.labels)),
    )
    # Under DP-SGD, of a network that blew up, the probabilities would round its loss; the loop has it from the logits.
    loss: Number | None = metric(title="Loss", better="low", digits=".3g", parts=EVERYWHERE)
    balanced_accuracy: Share | None = metric(
        title="Balanced accuracy",
        meaning="mean over the classes of the share found, so that a rare one counts as much",
        share=True,
        listed=("test",),
        guessing=Guess("always the same class", lambda classes, _majority_rate: 1 / classes if classes else None),
        compute=lambda answers: balanced_accuracy(answers.matrix),
        interval=lambda answers: balanced_accuracy_interval(answers.matrix),
    )
    auroc: Share | None = metric(
        title="AUROC",
        meaning="chance that of two images, one of the class and one not, the right one looks more like it; 0.5: "
        "guessing",
        word="AUROC",
        listed=("test",),
        guessing=Guess("guessing", lambda _classes, _majority_rate: 0.5),
        compute=lambda answers: mean_auroc(answers.probabilities, answers.labels),
        interval=lambda answers: auroc_interval(answers.probabilities, answers.labels),
    )
    kappa: Annotated[float, Within(-1, 1)] | None = metric(
        title="Kappa, quadratic weights",
        meaning="agreement on the grade, near misses weigh less; 0: guessing",
        word="kappa",
        listed=("test",),
        graded=True,
        guessing=Guess("guessing", lambda _classes, _majority_rate: 0.0),
        compute=lambda answers: weighted_kappa(answers.matrix),
        interval=lambda answers: kappa_interval(answers.matrix),
    )
    calibration_error: Share | None = metric(
        title="Calibration error",
        meaning="mean distance between how sure the network is and how often it is right, in 15 bins",
        better="low",
        share=True,
        compute=lambda answers: calibration_error(answers.probabilities, answers.labels),
        interval=lambda answers: calibration_interval(answers.probabilities, answers.labels),
    )
    class_recall: tuple[Share | None, ...] | None = None
    class_precision: tuple[Share | None, ...] | None = None


def _named(name: str, said: Metric) -> Metric:
    word = said.word or f"{said.title[:1].lower()}{said.title[1:]}"
    return replace(said, name=name, word=word, bounds=bounds_of(hints_of(Scores).get(name)))


# By the name of their field, in the order in which tables and choices have them.
METRICS: dict[str, Metric] = {
    one.name: _named(one.name, one.metadata[_METRIC]) for one in fields(Scores) if _METRIC in one.metadata
}
# Computed from the predictions when somebody asks, and not after every epoch.
_ON_DEMAND = {
    "brier_score": Metric(
        title="Brier score",
        meaning="mean squared error of the probabilities; 0 at best, 2 at worst",
        better="low",
        parts=(),
        compute=lambda answers: brier_score(answers.probabilities, answers.labels),
        interval=lambda answers: (
            mean_interval(squared_errors(answers.probabilities, answers.labels)) if answers.enough_mistakes else None
        ),
    ),
    "log_loss": Metric(
        title="Log loss",
        meaning="how surprised the network is by the truth, in nats; 0 at best",
        better="low",
        parts=(),
        compute=lambda answers: log_loss(answers.probabilities, answers.labels),
        interval=lambda answers: (
            mean_interval(surprises(answers.probabilities, answers.labels)) if answers.enough_mistakes else None
        ),
    ),
}
EVALUATED: dict[str, Metric] = {
    name: said
    for name, said in (METRICS | {name: _named(name, said) for name, said in _ON_DEMAND.items()}).items()
    if said.compute is not None
}


def measure(answers: Answers, *, ordered: bool, loss: float | None = None) -> Scores:
    """All that is measured of one test set after an epoch.

    Args:
        answers: What the network says of its images.
        ordered: Whether the classes are grades, which alone have a kappa.
        loss: Mean cross-entropy in nats, as the loop counted it; None where it did not.

    Returns:
        The scores; None for what the images do not allow, such as an AUROC where a class has no image.
    """
    found = {
        name: said.compute(answers)
        for name, said in METRICS.items()
        if said.compute is not None and (ordered or not said.graded)
    }
    return Scores(
        **found | {"loss": loss},
        class_recall=tuple(class_recall(answers.matrix)),
        class_precision=tuple(class_precision(answers.matrix)),
    )


def clamped(said: Metric, low: float, high: float) -> tuple[float, float]:
    """An interval cut off where its metric ends.

    Args:
        said: The metric.
        low: Where the interval begins.
        high: Where it ends.

    Returns:
        Both ends, within the bounds of the metric.
    """
    if said.bounds is None:
        return low, high
    return max(said.bounds.low, low), min(said.bounds.high, high)
