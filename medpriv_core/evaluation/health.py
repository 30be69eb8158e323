"""Whether a training came to anything: a run can end without an error and still have learned nothing, or blown up.

The measure is guessing: who gives each of K classes the probability 1/K has the cross-entropy ln K, whatever the
image. A loss far beyond that is no result of a hard task but of steps that were too long. Only the last epoch is
judged, because many a sound training begins with a wild one.

The figures on test images are enough. Those on training images help to tell why, but under DP-SGD they are no part of
what the guarantee covers, so there they are not looked at: the same sentence may then stand where others see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medpriv_core.evaluation.metrics import Scores
from medpriv_core.records.epoch import EpochRow
from medpriv_core.spec import RunSpec

Kind = Literal["blown_up", "unsettled", "one_class", "guessing", "overconfident"]

# How many times the loss of guessing. Of the shipped reference runs, those that end below 9 and name several classes
# are as good as their noise allows; the next one has 11.
BLOWN_UP = 10.0
UNSETTLED = 1.5  # in training: after so many steps on the same images, worse than guessing
OVERCONFIDENT = 1.5
SURE = 1.96  # standard errors

TITLES: dict[Kind, str] = {
    "blown_up": "blew up",
    "unsettled": "did not settle",
    "one_class": "one answer for all",
    "guessing": "no better than guessing",
    "overconfident": "sure and wrong",
}


@dataclass(frozen=True)
class Finding:
    """What is wrong with the network that a training left behind.

    kind      what kind of fault, the worst first
    sentence  what is seen, with its figures
    advice    what to try
    """

    kind: Kind
    sentence: str
    advice: str

    @property
    def title(self) -> str:
        """The kind of fault in a word or four, for a table."""
        return TITLES[self.kind]

    @property
    def words(self) -> str:
        """What is seen and what to try."""
        return f"{self.sentence} {self.advice}"


def judge(last: EpochRow, spec: RunSpec, *, class_counts: Sequence[int]) -> Finding | None:
    """What is wrong with the network after an epoch.

    Args:
        last: That epoch.
        spec: The specification of the run.
        class_counts: How many test images there are of each class.

    Returns:
        The worst that is found. None where nothing is, and where too little was recorded to tell.
    """
    classes = len(class_counts)
    test_loss = last.test.loss
    if classes < 2 or test_loss is None:
        return None
    guessing = math.log(classes)
    train_loss = last.train.loss if spec.method != "dp_sgd" else None
    told = f"guessing has {guessing:.2f}"
    worst = max(test_loss, train_loss or 0.0)
    if worst > BLOWN_UP * guessing:
        where = "test" if test_loss == worst else "training"
        return Finding(
            "blown_up",
            f"The training blew up: the {where} loss is {_loss(worst)}, where {told}. The figures of this run say "
            "nothing about its method.",
            _gentler(spec),
        )
    if train_loss is not None and train_loss > UNSETTLED * guessing:
        return Finding(
            "unsettled",
            f"The training did not settle: after {last.epoch} epochs the training loss is {_loss(train_loss)}, "
            f"where {told}.",
            _gentler(spec),
        )
    recall = last.test.class_recall or ()
    if sum(1 for share in recall if share) == 1 and sum(1 for count in class_counts if count) > 1:
        return Finding(
            "one_class",
            "The network gives the same answer for every test image, so its accuracy is only the share of that class.",
            _for_one_answer(spec),
        )
    auroc = last.test.auroc
    if auroc is not None and _is_guessing(last.test, class_counts):
        return Finding(
            "guessing",
            f"The network is no better than guessing: its AUROC is {auroc:.2f}, where guessing has 0.50.",
            _for_nothing_learned(spec),
        )
    if test_loss > OVERCONFIDENT * guessing:
        order = f" It still orders the images (AUROC {auroc:.2f})." if auroc is not None else ""
        return Finding(
            "overconfident",
            f"The network is sure where it is wrong: the test loss is {_loss(test_loss)}, where {told}, so its "
            f"probabilities must not be believed.{order}",
            "Fewer [epochs], a lower [learning_rate] or some [weight_decay] make it more careful.",
        )
    return None


def _is_guessing(last: Scores, class_counts: Sequence[int]) -> bool:
    """Whether no figure is further above guessing than chance would bring it.

    Deviations under guessing: of an area by ranks (Mann and Whitney 1947), for the class that is known best; of the
    share found of each class by the binomial; of kappa about 1 / sqrt(n).
    """
    images, classes = sum(class_counts), len(class_counts)
    pairs = max(count * (images - count) for count in class_counts)
    if not pairs:
        return False
    assert last.auroc is not None
    above = [last.auroc - 0.5 < SURE * math.sqrt((images + 1) / (12 * pairs))]
    there = [count for count in class_counts if count]
    if (balanced := last.balanced_accuracy) is not None:
        chance = 1 / classes
        deviation = math.sqrt(sum(chance * (1 - chance) / count for count in there)) / len(there)
        above.append(balanced - chance < SURE * deviation)
    if (kappa := last.kappa) is not None:
        above.append(kappa < SURE / math.sqrt(images))
    return all(above)


def _loss(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _gentler(spec: RunSpec) -> str:
    rate = f"Try a [learning_rate] of {spec.learning_rate / 10:.2g} (a tenth)"
    if spec.method == "dp_sgd":
        return (
            f"{rate}, fewer [epochs], or let less of the network learn: each step adds noise to all that learns. Each "
            "further run spends its own ε."
        )
    return f"{rate}, a smaller [max_grad_norm], or fewer [epochs]."


def _for_one_answer(spec: RunSpec) -> str:
    if spec.method == "local_dp":
        return (
            "It learned on noised images and is tested on clean ones, which look different to it. Less noise (a "
            "smaller [beta]) is what helps."
        )
    return f"{_gentler(spec)} If one class is rare, [class_weights] help."


def _for_nothing_learned(spec: RunSpec) -> str:
    if spec.method == "local_dp":
        return "The noise may hide all there is to see; try a smaller [beta]."
    if spec.method == "dp_sgd":
        return "The noise may hide all there is to learn: try a larger ε, more images, or the preset sound DP."
    if spec.weights == "none" and spec.trainable != "all":
        return "It learned on top of random weights; choose [weights=imagenet]."
    return "Try more [epochs] or another [learning_rate], and look at the images."
