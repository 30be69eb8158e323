"""What epsilon covers of all that a DP-SGD run records, and what an export therefore leaves out.

DP-SGD promises something about the weights, and so about everything that is computed from them: predictions and
figures of test images, say. A run also records what it computed from the training images themselves, without noise:
loss and accuracy in training, how many images there are of each class, how long an epoch of randomly drawn batches
took. Whoever holds the weights after one epoch and the exact training loss of the next knows the sum of the losses of
all training images at these weights, and finds the one picture that makes up the difference (``tests/exports``
carries the attack out). So exports of private runs leave such figures out, unless they are asked for.

What may leave says each record beside its field (``records.kinds.covered``); a figure that a later version records
stays at home until somebody has thought about it. Here stands what is said of the rest.

>>> from medpriv_core.records.epoch import read_row
>>> row = read_row({"epoch": 1, "train_loss": 0.693, "test_accuracy": 0.8, "elapsed_s": 3.0})
>>> row.covered_part().to_dict()
{'epoch': 1, 'test_accuracy': 0.8}
>>> left_out_of(row)
['train_loss', 'elapsed_s']
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from medpriv_core.spec import RunSpec

AnyRecord = TypeVar("AnyRecord", bound="CoveredRecord")


class CoveredRecord(Protocol):
    """A row of ``metrics.jsonl``, ``setup.json``: a record that knows what epsilon covers of it."""

    def to_dict(self) -> dict[str, Any]: ...

    def covered_part(self: AnyRecord) -> AnyRecord: ...


@dataclass(frozen=True)
class LeftOut:
    """Something that exports of private runs leave out.

    what   for people
    names  in the files of a run; empty for what is never exported of any run
    why    in a clause
    """

    what: str
    names: tuple[str, ...]
    why: str


LEFT_OUT = (
    LeftOut(
        "loss and accuracy on the training images after each epoch",
        ("train_loss", "train_accuracy"),
        "they are computed from the training images without noise",
    ),
    LeftOut(
        "how many training images there are of each class",
        ("train_class_counts",),
        "they are counted without noise",
    ),
    LeftOut(
        "speed and times of the training",
        ("images_per_s", "elapsed_s", "finished_at", "started_at", "ended_at"),
        "they depend on how many images were drawn for the batches",
    ),
    LeftOut(
        "digests of the images and of the checkpoint",
        ("content",),
        "anyone who guesses what they were made of could confirm the guess",
    ),
    LeftOut(
        "the checkpoint and the log",
        (),
        "they hold sums over training images, momentum and the figures above",
    ),
)
NAMES_LEFT_OUT = tuple(name for item in LEFT_OUT for name in item.names)

HEADING = "What is left out, and why"
HEADING_INCLUDED = "What is in it though ε does not cover it"
REASON = (
    "ε does not cover what is computed from the training images without noise. Beside the weights of an epoch, the "
    "exact training loss of the next one can tell which image was among the training images, whatever ε is."
)
SHORT = (
    "Left out, because ε does not cover it: loss, accuracy and class counts of the training images, speed and times of "
    "the training."
)
WARNING = (
    "The training figures of private runs are computed from the training images without noise, so ε does not cover "
    "them: together with the weights they can tell which image was among the training images. Keep such a file to "
    "yourself."
)
INCLUDED = (
    "This export was asked to include figures of the training images (loss, accuracy, class counts, speed and times). "
    "They are computed without noise: ε does not cover them, and together with the weights they can tell which image "
    "was among the training images."
)


def is_withheld(spec: RunSpec | None) -> bool:
    """Whether exports of a run leave something out: of DP-SGD runs, and of those whose method cannot be read.

    Under Local-DP the training figures are computed from noised images, and a run without privacy protects nobody.
    """
    return spec is None or spec.method == "dp_sgd"


def left_out_of(record: CoveredRecord) -> list[str]:
    """The names in a file of what exports of a private run leave out of it."""
    covered = record.covered_part().to_dict()
    return [name for name in record.to_dict() if name not in covered]


def exported_part(record: AnyRecord, spec: RunSpec | None, *, with_training_figures: bool = False) -> AnyRecord:
    """What an export of a run may hold of a record.

    Args:
        record: A finished epoch, or what a run recorded at its start.
        spec: The specification of the run; None where it cannot be read.
        with_training_figures: Whether somebody asked for what ε does not cover.

    Returns:
        The part that ε covers, or all of it where that was asked for and for methods other than DP-SGD.
    """
    return record if with_training_figures or not is_withheld(spec) else record.covered_part()


@dataclass(frozen=True)
class Coverage:
    """What an export says of what epsilon does not cover: a heading, and statements; none for other methods."""

    heading: str
    statements: tuple[str, ...]


def coverage_in_words(spec: RunSpec | None, *, with_training_figures: bool = False) -> Coverage:
    """What an export leaves out and why, or that it was asked not to.

    Args:
        spec: The specification of the run; None where it cannot be read.
        with_training_figures: Whether somebody asked for what ε does not cover.

    Returns:
        A heading, and the statements below it; no statement for methods other than DP-SGD.
    """
    if not is_withheld(spec):
        return Coverage(HEADING, ())
    if with_training_figures:
        return Coverage(HEADING_INCLUDED, (INCLUDED,))
    left_out = (f"Left out: {item.what}, because {item.why}." for item in LEFT_OUT)
    return Coverage(HEADING, (REASON, *left_out))
