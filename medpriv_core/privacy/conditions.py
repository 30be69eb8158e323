"""The conditions that the epsilon of a DP-SGD run rests on, each with its light and its sentence.

They look at one ``Case``, planned or recorded alike; ``medpriv_core.privacy.checks`` puts it together. A fact that was
not recorded is amber, never green. Each sentence is for people who are no experts, and where a condition fails it says
what holds instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from medpriv_core.privacy.dp_sgd import DpSgdAccount
from medpriv_core.privacy.facts import GuaranteeFacts
from medpriv_core.privacy.plan import claimed_rate
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.spec import RunSpec

State = Literal["green", "amber", "red"]

# Of 1/n. With delta = s/n, the chance that any one of all n people is left without protection is at most s.
GREEN_DELTA = 0.1


@dataclass(frozen=True)
class Check:
    """One condition of the guarantee, and a sentence for people who are no experts."""

    name: str
    state: State
    sentence: str


@dataclass(frozen=True)
class Case:
    """What is judged: a plan, or a run with ``steps`` steps behind it."""

    spec: RunSpec
    facts: GuaranteeFacts
    train_size: int
    noise_multiplier: float | None
    steps: int

    def alone(self, *, sampled: bool, sensitivity: float) -> str:
        """The epsilon of this run if only sampling or only clipping were at fault, against the claimed one."""
        if self.noise_multiplier is None or not self.steps:
            return ""
        rate = claimed_rate(batch_size=self.spec.batch_size, train_size=self.train_size, sampling="poisson")

        def epsilon(sample_rate: float, steps: int, sensitivity: float) -> str:
            account = DpSgdAccount(self.noise_multiplier or 1.0, sample_rate, self.spec.delta, sensitivity)
            return format_epsilon(account.epsilon(steps))

        claimed = epsilon(rate, self.steps, 1.0)
        epochs = -(-self.steps // (self.facts.steps_per_epoch or 1))
        holds = epsilon(rate, self.steps, sensitivity) if sampled else epsilon(1.0, epochs, sensitivity)
        return f"; by itself that raises ε from {claimed} to {holds}"


def not_recorded(name: str, what: str) -> Check:
    """The light of what a run did not say about itself."""
    return Check(name, "amber", f"This run did not record {what}, so it cannot be checked.")


def check_sampling(case: Case) -> Check:
    """How batches are drawn, which amplification by sampling rests on."""
    name = "Sampling"
    if case.facts.sampling is None:
        return not_recorded(name, "how its batches were drawn")
    if case.facts.sampling == "poisson":
        return Check(name, "green", "Each image is drawn into each batch by its own lot (Poisson sampling).")
    if case.facts.sampling == "full_batch":
        return Check(name, "green", "Every image is in every step, so nothing needs to be gained from sampling.")
    alone = case.alone(sampled=False, sensitivity=1.0)
    return Check(
        name, "red", f"Batches come from a shuffled deck, so nothing may be credited for drawing them at random{alone}."
    )


def check_clipping(case: Case) -> Check:
    """Whether the clipping norm bounds what one image adds."""
    name, together = "Clipping", case.facts.clipped_together
    if together is None:
        return not_recorded(name, "how many images were clipped together")
    if together == 1:
        return Check(name, "green", "Each image's gradient is shortened to the clipping norm by itself.")
    alone = case.alone(sampled=True, sensitivity=2.0)
    return Check(
        name,
        "red",
        f"The mean gradient of {together} images is shortened as one, so one image can change twice as much as the "
        f"noise is meant to hide{alone}.",
    )


def check_mixing(facts: GuaranteeFacts) -> Check:
    """Whether each gradient belongs to one image."""
    name = "Images kept apart"
    if facts.mixing_layers is None:
        return not_recorded(name, "whether a layer of its network mixes images")
    if not facts.mixing_layers:
        return Check(name, "green", "No layer lets one image of a batch change what is computed of another.")
    return Check(
        name,
        "red",
        "BatchNorm in training mode lets each image change what is computed of the others and keeps their statistics "
        "without noise, so no ε holds at all.",
    )


def check_divisor(facts: GuaranteeFacts) -> Check:
    """Whether the step gives away how many images were drawn."""
    name = "Batch size"
    if facts.divisor is None or facts.sampling is None:
        return not_recorded(name, "what the noised sum of a batch was divided by")
    if facts.divisor == "expected" or facts.sampling != "poisson":
        return Check(name, "green", "The noised sum is divided by a number that no single image changes.")
    return Check(
        name,
        "red",
        "The noised sum is divided by how many images were drawn, which gives that number away without noise, so no "
        "ε holds at all.",
    )


def check_delta(case: Case) -> Check:
    """Whether delta is far enough below 1/n."""
    name, delta, n = "Delta", case.spec.delta, case.train_size
    share = delta * n
    if share >= 1:
        return Check(
            name,
            "red",
            f"δ = {format_delta(delta)} is not below 1/{n:,}, where publishing one patient at random would count as "
            "private.",
        )
    # Rounded up, so that it is never told smaller than it is.
    chance = f"{-(-share * 1000 // 1) / 10:g} %"
    if share > GREEN_DELTA * (1 + 1e-9):
        usual = 10.0 ** math.floor(math.log10(GREEN_DELTA / n))
        return Check(
            name,
            "amber",
            f"δ = {format_delta(delta)} leaves a chance of up to {chance} that one of the {n:,} images is not "
            f"protected at all; {format_delta(usual)} or less is usual.",
        )
    return Check(
        name,
        "green",
        f"The chance that one of the {n:,} images is not protected at all is at most {chance} "
        f"(δ = {format_delta(delta)}).",
    )


def check_preprocessing(facts: GuaranteeFacts) -> Check:
    """Whether anything is measured on the training images without noise."""
    name = "Preprocessing"
    if facts.normalisation is None:
        return not_recorded(name, "what its images were standardised by")
    if facts.normalisation == "training_images":
        return Check(
            name,
            "red",
            "Images are standardised by statistics of the training images, which are used without noise and are not "
            "covered by ε.",
        )
    by = "public constants" if facts.normalisation == "constants" else "its own mean and spread"
    return Check(name, "green", f"Each image is standardised by {by}, and nothing is measured on the training images.")


def check_augmentation(facts: GuaranteeFacts) -> Check:
    """Whether an image changes the random variations of others."""
    name = "Augmentation"
    if facts.augmentation is None:
        return not_recorded(name, "how its images were varied at random")
    if facts.augmentation == "none":
        return Check(name, "green", "Images are used as they are.")
    if facts.augmentation == "independent" or facts.sampling != "poisson":
        return Check(
            name, "green", "How an image is varied at random does not depend on which others are in its batch."
        )
    return Check(
        name,
        "red",
        "How an image is varied depends on which others are in its batch, so that one image changes what the others "
        "add, and no ε holds.",
    )


def check_weights(spec: RunSpec) -> Check:
    """Whether the start has seen the same patients."""
    name = "Pretrained weights"
    if spec.weights == "imagenet":
        return Check(name, "green", "Training starts from weights learned on ImageNet, public photographs.")
    if spec.weights == "none":
        return Check(name, "green", "Training starts from random numbers.")
    return Check(
        name,
        "amber",
        "Training starts from a file of weights, and only you can know that they were not learned from these patients.",
    )


def check_selection(spec: RunSpec) -> Check:
    """Whether the result was chosen by the test images."""
    last = "average of the last steps" if spec.average_last else "network after the last epoch"
    return Check(
        "No choice by test images",
        "green",
        f"The result is the {last}, never the best one; do not use the curves, which show test images, to choose.",
    )


def check_class_weights(spec: RunSpec) -> Check:
    """Whether the weights of the classes were counted on the training images."""
    name = "Class weights"
    if spec.class_weights is None:
        return Check(name, "green", "All classes weigh the same.")
    return Check(
        name,
        "amber",
        "The class weights must come from public knowledge, because counting the training images' labels is not "
        "covered by ε, and only you can know that.",
    )


def check_generator(facts: GuaranteeFacts) -> Check:
    """Whether the noise is good enough for a release."""
    name = "Noise generator"
    if facts.noise_generator is None:
        return not_recorded(name, "which generator drew its noise")
    if facts.noise_generator == "secure":
        return Check(name, "green", "The noise comes from a cryptographic generator, hardened against its rounding.")
    return Check(
        name,
        "amber",
        "The noise is drawn fast, which is good for learning and demonstration; for a real release set the noise "
        "generator to secure.",
    )


def check_seed(facts: GuaranteeFacts) -> Check:
    """Whether the noise could be drawn again."""
    name = "Noise not repeatable"
    if facts.noise_seed_stored is None:
        return not_recorded(name, "whether its noise could be drawn again")
    if facts.noise_seed_stored:
        return Check(
            name, "red", "The seed of the noise was stored, and whoever has it can take the noise off: no ε holds."
        )
    return Check(name, "green", "The noise starts from the operating system's chance, and its seed is kept nowhere.")
