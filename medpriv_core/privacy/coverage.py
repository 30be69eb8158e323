"""What epsilon covers of all that a DP-SGD run records, and what an export therefore leaves out.

DP-SGD promises something about the weights, and so about everything that is computed from them: predictions and
figures of test images, say. A run also records what it computed from the training images themselves, without noise:
loss and accuracy in training, how many images there are of each class, how long an epoch of randomly drawn batches
took. Whoever holds the weights after one epoch and the exact training loss of the next knows the sum of the losses of
all training images at these weights, and finds the one picture that makes up the difference (``tests/exports``
carries the attack out). So exports of private runs leave such figures out, unless they are asked for.

This module is the one list of what is covered. It names what may leave, so that a figure that a later version records
stays at home until somebody has thought about it.

>>> row = {"epoch": 1, "train_loss": 0.693, "test_accuracy": 0.8, "epsilon": 1.2, "elapsed_s": 3.0}
>>> covered_part(row)
{'epoch': 1, 'test_accuracy': 0.8, 'epsilon': 1.2}
>>> left_out_of(row)
['train_loss', 'elapsed_s']
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medpriv_core.spec import RunSpec

# Names in rows of metrics.jsonl, in setup.json and in outcome.json. What begins with ``test_`` was computed from test
# images by the released weights. The number of training images is public by assumption, as the noise depends on it, and
# so are the number of patients and the largest number of images of one: what ε means for a patient depends on them.
COVERED = frozenset(
    {
        "epoch",
        "epsilon",
        "delta",
        "steps",
        "state",
        "exit_code",
        "train_size",
        "patients",
        "largest_patient_images",
        "classes",
        "majority_rate",  # of the test images
        "image_size",
        "input_size",
        "steps_per_epoch",
        "sample_rate",
        "noise_multiplier",
        "parameters",
        "device",
        "precision",
        "weights",
        "weights_doubt",
        "resumed_from_epoch",
        "medpriv_version",
        "torch_version",
        "opacus_version",
        "guarantee",
        "second_accountant",
    }
)
_OF_TEST_IMAGES = "test_"


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
        "whoever guesses what they were made of could confirm the guess",
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
    "exact training loss of the next one can tell which picture was among the training images, whatever ε is."
)
SHORT = (
    "Left out, because ε does not cover it: loss, accuracy and class counts of the training images, speed and times of "
    "the training."
)
WARNING = (
    "The training figures of private runs are computed from the training images without noise, so ε does not cover "
    "them: together with the weights they can tell which picture was among the training images. Keep such a file to "
    "yourself."
)
INCLUDED = (
    "This export was asked to include figures of the training images (loss, accuracy, class counts, speed and times). "
    "They are computed without noise: ε does not cover them, and together with the weights they can tell which picture "
    "was among the training images."
)


def is_withheld(spec: RunSpec | None) -> bool:
    """Whether exports of a run leave something out: of DP-SGD runs, and of those whose method cannot be read.

    Under Local-DP the training figures are computed from noised images, and a run without privacy protects nobody.
    """
    return spec is None or spec.method == "dp_sgd"


def covered_part(record: Mapping[str, Any]) -> dict[str, Any]:
    """What ε covers of a row of ``metrics.jsonl``, of ``setup.json`` or of ``outcome.json``, by name."""
    return {name: value for name, value in record.items() if name in COVERED or name.startswith(_OF_TEST_IMAGES)}


def left_out_of(record: Mapping[str, Any]) -> list[str]:
    """The names of what ``covered_part`` leaves out."""
    covered = covered_part(record)
    return [name for name in record if name not in covered]


def exported_part(
    record: Mapping[str, Any], spec: RunSpec | None, *, with_training_figures: bool = False
) -> dict[str, Any]:
    """What an export of a run may hold of a record.

    Args:
        record: A row of ``metrics.jsonl``, or ``setup.json`` or ``outcome.json``, by name.
        spec: The specification of the run; None where it cannot be read.
        with_training_figures: Whether somebody asked for what ε does not cover.

    Returns:
        The part that ε covers, or all of it where that was asked for and for methods other than DP-SGD.
    """
    return dict(record) if with_training_figures or not is_withheld(spec) else covered_part(record)


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
