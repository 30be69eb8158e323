"""Figures in the words of a ward: what each means, and what it does not.

>>> in_words("calibration_error", 0.0712), in_words("auroc", 0.9)
('7.1%', '0.900')
"""

from __future__ import annotations

from collections.abc import Sequence

from medpriv_core.evaluation.calibration import ReliabilityBin
from medpriv_core.evaluation.intervals import Interval
from medpriv_core.evaluation.metrics import EVALUATED
from medpriv_core.evaluation.multiplicity import AbstentionPoint, Multiplicity

INTERVALS_IN_WORDS = (
    "Intervals are of 95% and over other images of the same kind: Wilson's for shares, DeLong's and Newcombe's for "
    "the AUROC, Student's with a correction for skewness for Brier score and log loss (none with fewer than five "
    "mistakes). That of the calibration error is for the error that endlessly many images would show, which is smaller "
    "than the one found on few. They take every image for another patient's."
)


def in_words(name: str, value: float | None) -> str:
    """A figure as people read it.

    Args:
        name: One of ``WORDS``.
        value: The figure, shares between 0 and 1.

    Returns:
        Shares in percent with one digit, others with three; "unknown" where the test images do not allow it (None).
    """
    if value is None:
        return "unknown"
    return EVALUATED[name].format(value)


def interval_in_words(name: str, interval: Interval | None) -> str:
    """From where to where a figure may lie.

    Args:
        name: One of ``WORDS``.
        interval: Of the figure.

    Returns:
        "70.0% to 80.0%"; empty where there is no interval.
    """
    return "" if interval is None else f"{in_words(name, interval.low)} to {in_words(name, interval.high)}"


def accuracy_sentence(
    accuracy: float, interval: Interval | None, *, images: int, majority: str, majority_rate: float
) -> str:
    """How often the network is right, beside what someone gets who never looks at an image.

    Args:
        accuracy: Share of images that were called right.
        interval: 95 % interval of that share.
        images: How many were tested.
        majority: Name of the most frequent class of these images.
        majority_rate: Its share.

    Returns:
        Two sentences.
    """
    within = f" (95% interval {interval_in_words('accuracy', interval)})" if interval else ""
    return (
        f"Of {images:,} test images, {accuracy:.1%} were called right{within}. Anyone who called every image "
        f"“{majority}” would be right for {majority_rate:.1%}."
    )


def calibration_sentence(
    error: float, interval: Interval | None, bins: Sequence[ReliabilityBin], *, perfect: float
) -> str:
    """Whether the network is surer than it should be, and by how much.

    Args:
        error: Calibration error on the test images, from 0 to 1.
        interval: Of the error on endlessly many images; None where it is not known.
        bins: Those that ``reliability_bins`` found; at least one.
        perfect: The error that a perfectly calibrated network would show on as many images.

    Returns:
        Two or three sentences.
    """
    answers = sum(of.count for of in bins)
    sure = sum(of.count * of.confidence for of in bins) / answers
    right = sum(of.count * of.accuracy for of in bins) / answers
    if abs(sure - right) < 0.005:
        lean = "On average it is as sure as it is right"
    else:
        lean = f"On average it is {'too sure' if sure > right else 'not sure enough'}"
    endless = f" On endlessly many it would be {interval_in_words('calibration_error', interval)} (95% interval)."
    return (
        f"{lean}: it says {sure:.1%} and is right for {right:.1%} of the images. The calibration error on these images "
        f"is {error:.1%} (15 bins); a perfect network would show about {perfect:.1%} on as many."
        f"{endless if interval else ''}"
    )


def multiplicity_sentence(found: Multiplicity, accuracies: Sequence[float]) -> str:
    """For how many images the diagnosis depends on the seed, and how alike the networks are otherwise.

    Args:
        found: How far the networks agree.
        accuracies: Share of right answers of each network; at least one.

    Returns:
        One sentence or two.
    """
    interval = found.ambiguity_interval
    if not found.ambiguity:
        return (
            f"All {found.networks} networks agree on all {found.images:,} test images: on images like these, the "
            f"diagnosis depends on the seed for at most {interval.high:.1%} (95% interval)."
        )
    return (
        f"For {found.ambiguity:.1%} of the {found.images:,} test images (95% interval {interval.low:.1%} to "
        f"{interval.high:.1%}) the diagnosis depends on the seed: the {found.networks} networks do not all agree. Yet "
        f"their accuracies lie between {min(accuracies):.1%} and {max(accuracies):.1%}."
    )


def abstention_sentence(points: Sequence[AbstentionPoint]) -> str:
    """What asking for unanimity costs and brings, against the vote of the majority."""
    first, last = points[0], points[-1]
    if last.accuracy is None or first.accuracy is None:
        return "The networks never all agree, so asking for that would leave every image to a human being."
    unanimous = (
        f"If an answer is given only where all networks agree, {last.deferred:.1%} of the images are left to a human "
        f"being, and {last.accuracy:.1%} of the answers are right"
    )
    if len(points) == 1:
        return f"{unanimous}."
    return f"{unanimous}; by majority, {first.accuracy:.1%} of the answers for {first.coverage:.1%} of the images."
