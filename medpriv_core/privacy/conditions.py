"""The conditions that the epsilon of a DP-SGD run rests on, each with its light and its sentence.

They judge one ``Case``, planned or recorded alike; ``medpriv_core.privacy.checks`` puts it together. A fact that was
not recorded is amber, never green. Each sentence is for people who are no experts, and where a condition fails it says
what holds instead.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.facts import GuaranteeFacts
from medpriv_core.privacy.measured import FAILED, Tried, words_of
from medpriv_core.privacy.plan import claimed_rate
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.privacy.steps import Steps
from medpriv_core.recipes import tuned_here
from medpriv_core.spec import RunSpec
from medpriv_core.unit import Unit

State = Literal["green", "amber", "red"]
Judgement = tuple[State, str]

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
    """What is judged: a plan (``planned``), or a run with ``steps`` steps behind it.

    ``taken`` are those of its network, ``cut_short`` says that it was stopped within an epoch.
    """

    spec: RunSpec
    facts: GuaranteeFacts
    train_size: int
    noise_multiplier: float | None
    steps: int
    planned: bool = False
    taken: int = 0
    cut_short: bool = False

    @property
    def record(self) -> Unit:
        """What a record is: by what acts, where that was recorded."""
        return self.facts.unit or "image"

    def alone(self, *, sampled: bool, sensitivity: float) -> str:
        """The epsilon of this run if only sampling or only clipping were at fault, against the claimed one."""
        if self.noise_multiplier is None or not self.steps:
            return ""
        rate = claimed_rate(batch_size=self.spec.batch_size, train_size=self.train_size, sampling="poisson")

        noise = self.noise_multiplier

        def epsilon(sample_rate: float, steps: int, sensitivity: float) -> str:
            counted = Steps(noise, sample_rate, steps).relative_to(sensitivity)
            return format_epsilon(composed_epsilon([counted], delta=self.spec.delta))

        claimed = epsilon(rate, self.steps, 1.0)
        epochs = -(-self.steps // (self.facts.steps_per_epoch or 1))
        holds = epsilon(rate, self.steps, sensitivity) if sampled else epsilon(1.0, epochs, sensitivity)
        return f"; by itself that raises ε from {claimed} to {holds}"


def not_recorded(name: str, what: str) -> Check:
    """The light of what a run did not say about itself."""
    return Check(name, "amber", f"This run did not record {what}, so it cannot be checked.")


def condition(
    name: str, *facts: str, unknown: str = "", measured: Tried | None = None
) -> Callable[[Callable[[Case], Judgement]], Callable[[Case], Check]]:
    """Makes a check of what judges a case; ``unknown`` says what is missing where one of the ``facts`` is.

    ``measured`` is the finding of the self-test that has the last word once a run has begun.
    """

    def named(judge: Callable[[Case], Judgement]) -> Callable[[Case], Check]:
        @functools.wraps(judge)
        def check(case: Case) -> Check:
            if any(getattr(case.facts, fact) is None for fact in facts):
                return not_recorded(name, unknown)
            state, sentence = judge(case)
            idle = {
                "class_weights": case.spec.class_weights is None,
                "augmentation": case.facts.augmentation == "none",
            }
            if measured is not None and not case.planned and not idle.get(measured, False):
                state, sentence = _as_measured(case.facts, measured, state, sentence)
            return Check(name, state, sentence)

        return check

    return named


def _as_measured(facts: GuaranteeFacts, name: Tried, state: State, sentence: str) -> Judgement:
    """The light after what was measured; what was not is never green, and what cannot be holds by construction."""
    if facts.measured is None:
        unmeasured = "; that is what its settings say, and this run did not measure it"
        return ("amber", sentence[:-1] + unmeasured + ".") if state == "green" else (state, sentence)
    finding = facts.measured.get(name)
    if finding is None:
        return state, sentence[:-1] + "; so by construction." if state == "green" else sentence
    words = words_of(name, finding)
    if finding.get("holds") is not True:
        return "red", FAILED[name] + (f" (measured: {words})" if words else "") + ", so no ε holds."
    if state == "red":
        return state, sentence
    return state, sentence[:-1] + f"; measured: {words}." if words else sentence


@condition("Sampling", "sampling", unknown="how its batches were drawn", measured="sampling")
def check_sampling(case: Case) -> Judgement:
    """How batches are drawn, which amplification by sampling rests on."""
    if case.facts.sampling == "poisson":
        return (
            "green",
            f"Each {case.record} is drawn into each batch independently of the others (Poisson subsampling).",
        )
    if case.facts.sampling == "full_batch":
        return "green", f"Every {case.record} is in every step, so nothing needs to be gained from sampling."
    alone = case.alone(sampled=False, sensitivity=1.0)
    return "red", f"Batches are shuffled, so nothing may be credited for drawing them at random{alone}."


@condition("Clipping", "clipped_together", unknown="how many images were clipped together", measured="clipping")
def check_clipping(case: Case) -> Judgement:
    """Whether the clipping norm bounds what one image adds."""
    if case.facts.clipped_together == 1:
        most = case.facts.images_drawn
        if case.record == "image":
            return "green", "Each image's gradient is shortened to the clipping norm by itself."
        if most == 1:
            return (
                "green",
                "One image of each drawn patient is looked at, and its gradient shortened to the clipping norm.",
            )
        return (
            "green",
            f"The mean gradient of up to {most} images of a drawn patient is shortened to the clipping norm, once for "
            "each patient.",
        )
    alone = case.alone(sampled=True, sensitivity=2.0)
    return (
        "red",
        f"The mean gradient of {case.facts.clipped_together} images is shortened as one, so one image can change twice "
        f"as much as the noise is meant to hide{alone}.",
    )


@condition(
    "Images kept apart", "mixing_layers", unknown="whether a layer of its network mixes images", measured="apart"
)
def check_mixing(case: Case) -> Judgement:
    """Whether each gradient belongs to one image."""
    if not case.facts.mixing_layers:
        return "green", "No layer lets one image of a batch change what is computed of another."
    return (
        "red",
        "BatchNorm in training mode lets each image change what is computed of the others and keeps their statistics "
        "without noise, so no ε holds at all.",
    )


@condition(
    "Batch size",
    "divisor",
    "sampling",
    unknown="what the noised sum of a batch was divided by",
    measured="divisor",
)
def check_divisor(case: Case) -> Judgement:
    """Whether the step gives away how many images were drawn."""
    if case.facts.divisor == "expected" or case.facts.sampling != "poisson":
        return "green", f"The noised sum is divided by a number that no single {case.record} changes."
    return (
        "red",
        f"The noised sum is divided by how many {case.record}s were drawn, which gives that number away without noise, "
        "so no ε holds at all.",
    )


@condition("Delta")
def check_delta(case: Case) -> Judgement:
    """Whether delta is far enough below 1/n."""
    n, share = case.train_size, case.spec.delta * case.train_size
    delta = f"δ = {format_delta(case.spec.delta)}"
    if share >= 1:
        return "red", f"{delta} is not below 1/{n:,}, where publishing one patient at random would count as private."
    # Rounded up, so that it is never told smaller than it is.
    chance = f"{-(-share * 1000 // 1) / 10:g}%"
    if share > GREEN_DELTA * (1 + 1e-9):
        usual = 10.0 ** math.floor(math.log10(GREEN_DELTA / n))
        return (
            "amber",
            f"{delta} leaves a chance of up to {chance} that one of the {n:,} {case.record}s is not protected at all; "
            f"{format_delta(usual)} or less is usual.",
        )
    return (
        "green",
        f"The chance that one of the {n:,} {case.record}s is not protected at all is at most {chance} ({delta}).",
    )


@condition("Preprocessing", "normalisation", unknown="what its images were standardised by", measured="preprocessing")
def check_preprocessing(case: Case) -> Judgement:
    """Whether anything is measured on the training images without noise."""
    if case.facts.normalisation == "training_images":
        return (
            "red",
            "Images are standardised by statistics of the training images, which are used without noise and are not "
            "covered by ε.",
        )
    by = "public constants" if case.facts.normalisation == "constants" else "its own mean and spread"
    return "green", f"Each image is standardised by {by}, and nothing is measured on the training images."


@condition("Augmentation", "augmentation", unknown="how its images were varied at random", measured="augmentation")
def check_augmentation(case: Case) -> Judgement:
    """Whether an image changes the random variations of others."""
    if case.facts.augmentation == "none":
        return "green", "Images are used as they are."
    if case.facts.augmentation == "independent" or case.facts.sampling != "poisson":
        return "green", "How an image is varied at random does not depend on which others are in its batch."
    return (
        "red",
        "How an image is varied depends on which others are in its batch, so that one image changes what the others "
        "add, and no ε holds.",
    )


@condition("Pretrained weights", "pretrained", unknown="which weights it began with")
def check_weights(case: Case) -> Judgement:
    """Whether the start has seen the same patients."""
    if case.facts.pretrained == "imagenet":
        return "green", "Training starts from weights learned on ImageNet, public photographs."
    if case.facts.pretrained == "none":
        return "green", "Training starts from random numbers."
    return (
        "amber",
        "Training starts from a file of weights, and only you can know that they were not learned from these patients.",
    )


@condition("No choice by test images")
def check_selection(case: Case) -> Judgement:
    """Whether the result was chosen by the test images."""
    last = _result_of(case)
    if tuned_here(case.spec):
        return (
            "amber",
            "The recipe of sound DP was tuned on this dataset, and its test images were looked at meanwhile, so its "
            f"figures are a little too good, and the search is not in ε; the result is the {last}.",
        )
    return (
        "green",
        f"By construction the result is the {last}, never the best one; do not use the curves, which show test images, "
        "to choose.",
    )


def _result_of(case: Case) -> str:
    """Which network is handed on: that of the settings, or of a run that was stopped what it had come to."""
    per_epoch, spec = case.facts.steps_per_epoch, case.spec
    known = not case.planned and case.taken and per_epoch
    averaged = not known or case.taken > spec.steps_before_average(spec.epochs * (per_epoch or 1))
    if spec.average_last and averaged:
        return "average of the last steps"
    return "network as it was when the run was stopped" if case.cut_short else "network after the last epoch"


@condition("Class weights", measured="class_weights")
def check_class_weights(case: Case) -> Judgement:
    """Whether the weights of the classes were counted on the training images."""
    if case.spec.class_weights is None:
        return "green", "All classes weigh the same."
    return (
        "amber",
        "The class weights must come from public knowledge, because counting the training images' labels is not "
        "covered by ε, and only you can know that.",
    )


@condition("Noise generator", "noise_generator", unknown="which generator drew its noise")
def check_generator(case: Case) -> Judgement:
    """Whether the noise is good enough for a release."""
    facts = case.facts
    if facts.noise_drawn_by is None and not case.planned:
        return "amber", "This run did not record which generator its noise came from, so it cannot be checked."
    source = {
        None: "the generator of the device",  # before a launch: not known yet
        "openssl": "OpenSSL's generator (AES-256 in counter mode)",
        "philox": "Philox, PyTorch's generator on the device, which is of statistical and not of cryptographic quality",
    }[facts.noise_drawn_by]
    who = "; who is in a batch, from OpenSSL's" if facts.batches_drawn_by == "openssl" else ""
    if facts.noise_generator == "secure":
        source = "OpenSSL's generator (AES-256 in counter mode)" if case.planned else source
        return "green", f"The noise comes from {source}, hardened against its rounding{who}."
    if case.planned:
        return (
            "amber",
            "The noise is drawn fast, which is good for learning and demonstration; for a real release set the noise "
            "generator to secure.",
        )
    return (
        "amber",
        f"The noise comes from {source} and is not hardened against its rounding{who}; for a real release set the "
        "noise generator to secure.",
    )


@condition(
    "Noise not repeatable", "noise_seed_stored", unknown="whether its noise could be drawn again", measured="repeat"
)
def check_seed(case: Case) -> Judgement:
    """Whether the noise could be drawn again."""
    if case.facts.noise_seed_stored:
        return "red", "The seed of the noise was stored, and anyone who has it can take the noise off: no ε holds."
    return "green", "The noise starts from the operating system's chance, and its seed is kept nowhere."


@condition("Noise")
def check_noise(case: Case) -> Judgement:
    """Whether the noise has the size that the accountant counts on."""
    said = "Noise of deviation σC is added to the clipped sum of every step, also of an empty one"
    if case.planned:
        return "green", f"{said}; the run measures it before its first step."
    return _as_measured(case.facts, "noise", "green", f"{said}.")
