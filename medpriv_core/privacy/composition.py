"""What several DP-SGD networks give away together about the images that they learned from: one rule for all who ask.

Whoever has several networks learns from each, so what was spent adds up: three seeds of one setting are three releases.

>>> from medpriv_core.privacy.dp_sgd import composed_epsilon
>>> one = Steps(1.0, 128 / 5232, 2044)
>>> [round(composed_epsilon([one] * networks, delta=1e-5), 2) for networks in (1, 5)]
[7.16, 18.6]

Each rule holds for one image x and its neighbour, whatever was released before (adaptive composition):

steps       of all networks compose as those of one long run would: epsilon by the accountant's own composition, at the
            smallest δ of them. That is tighter than the sum, and never below what holds.
images      All networks count as trained on x. One whose training set was without x, because images were added or
            others were in its split, is the same with and without x, and a step that does not look at x costs nothing:
            what is counted for it is too much, never too little. So the content need not be known, and how images were
            prepared changes nothing of who is in a step.
neighbours  Where one network needs images replaced by empty ones (its number of images is public), all do. Poisson
            sampling costs the same for these: an empty image adds nothing to the clipped sum, drawn or not, and rate
            and divisor follow from the number of images, which is the same.
(ε, δ)      of a network that told an epsilon beyond what its recorded steps cost: all its ε and δ are added (basic
            composition, Dwork and Roth 2014, theorem 3.16), to what the others compose to.
units       For one image, what one network promises patients and another one images is not added up: of a patient with
            several, a step that draws patients has another mean gradient in the place of the first, which its ε for a
            patient more or less does not cover. For one patient it is, where it is known how many images any has at
            most: these are so many images more or less to the networks that protect images. The ε of both kinds are
            added, and their δ. Where that is not known, each is told by itself, and no ε of all together.
unknown     One network of which nobody knows what it spent may have spent anything. So no ε is told for all, and not
            that of the others in its place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from medpriv_core.errors import SettingError
from medpriv_core.privacy.dp_sgd import Accountant, Adjacency, accountant_of, composed_epsilon
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.statement import (
    ACCOUNTANT_WORDS,
    SAMPLING_WORDS,
    format_delta,
    format_epsilon,
    neighbours_in_words,
)
from medpriv_core.privacy.steps import Steps, count_steps
from medpriv_core.privacy.subsampled_gaussian import SubsampledGaussian
from medpriv_core.privacy.verdict import OTHER_ACCOUNTANT, mechanism_of_run, run_verdict
from medpriv_core.records.setup import Setup
from medpriv_core.spec import RunSpec, Sampling
from medpriv_core.unit import Unit


@dataclass(frozen=True)
class Spending:
    """What one network takes from the images.

    stretches  its steps as ``composed_epsilon`` takes them
    delta      of its epsilon
    beyond     the epsilon that was told of it where that is more than ``stretches`` cost; else None
    """

    mechanism: SubsampledGaussian
    stretches: tuple[Steps, ...]
    delta: float
    beyond: float | None = None

    @property
    def epsilon(self) -> float:
        """What this network alone costs, at ``delta``."""
        return composed_epsilon(self.stretches, delta=self.delta) if self.beyond is None else self.beyond

    @property
    def weight(self) -> float:
        """A number that grows with every step: which of two accounts of one network says more."""
        return sum(part.weight for part in self.stretches)


@dataclass(frozen=True)
class JointEpsilon:
    """The epsilon of several networks on the images of one dataset, for somebody who has them all.

    networks     how many, those of which too little is known among them
    epsilon      at ``delta``; infinite where none holds or none is established
    largest      of the one network that spends most, at its own delta
    samplings    all that occur
    added_up     networks whose ε and δ were added, because their steps do not say what they spent
    unknown      networks of which nobody knows what they spent
    lost         damaged lines of the journal of the images, of which nobody knows what they said
    unit         what each of them protects: an image, or a patient with all images
    by_unit      where they do not all protect the same and no ε holds for all: what those cost that protect images,
                 and those that protect patients
    counted_for  of how many images of one patient networks that protect images are counted for; None where none is
    stretches    all their steps, where these and nothing else make up ``epsilon``; else None
    """

    dataset: str
    networks: int
    epsilon: float
    largest: float
    delta: float
    adjacency: Adjacency
    samplings: tuple[Sampling, ...]
    accountant: Accountant
    added_up: int = 0
    unknown: int = 0
    lost: int = 0
    unit: Unit = "image"
    by_unit: tuple[JointEpsilon, ...] = ()
    counted_for: int | None = None
    stretches: tuple[Steps, ...] | None = None

    @property
    def established(self) -> bool:
        """Whether ``epsilon`` says what holds, even if that is that none does."""
        return not self.lost and not self.unknown and not self.by_unit

    @property
    def statement(self) -> str:
        """Epsilon with all it depends on, or why none is established."""
        if self.lost:
            lines = "one line" if self.lost == 1 else f"{self.lost:,} lines"
            return (
                f"not known: {lines} of the journal of what was spent (the folder spent in the data home) cannot be "
                "read. Put that file back from a copy"
            )
        if self.unknown:
            has = "has" if self.unknown == 1 else "have"
            return (
                f"no ε is established, because {self.unknown} of {self.networks} {has} no record of all that was spent"
            )
        if self.by_unit:
            each = "; ".join(
                f"{'the one that protects' if one.networks == 1 else f'the {one.networks:,} that protect'} "
                f"{one.unit}s: {one.statement}"
                for one in self.by_unit
            )
            return f"no ε is established for all of them, because some protect patients and some images. {each}"
        sampling = " or ".join(SAMPLING_WORDS[sampling] for sampling in self.samplings)
        added = f"; ε and δ of {self.added_up} added up, as not all their steps are known" if self.added_up else ""
        if self.counted_for is not None:
            added += f"; networks that protect images are counted for {self.counted_for} of one patient"
        return (
            f"ε = {format_epsilon(self.epsilon)} (δ = {format_delta(self.delta)}; "
            f"{neighbours_in_words(self.adjacency, self.unit)}; "
            f"{sampling}; {ACCOUNTANT_WORDS[self.accountant]}{added})"
        )

    @property
    def all_sentence(self) -> str:
        """What it means for somebody who gets every one of several networks."""
        sentence = (
            f"Anyone who gets all {self.networks:,} DP-SGD networks, or answers that all had a part in, learns from "
            f"each of them: {self.statement}."
        )
        if not self.established:
            return sentence
        return f"{sentence} The one that spends most has ε = {format_epsilon(self.largest)} by itself."

    @property
    def ever_sentence(self) -> str:
        """What it means for all networks that were ever trained on the images."""
        if self.lost:
            return f"What all DP-SGD networks trained here have taken from these images together is {self.statement}."
        which = "The one DP-SGD network" if self.networks == 1 else f"All {self.networks:,} DP-SGD networks together"
        return f"{which} trained here on these images so far, removed ones included: {self.statement}."


def compose(
    dataset: str,
    spendings: Sequence[Spending],
    *,
    unknown: int = 0,
    lost: int = 0,
    largest_patient: int | None = None,
    delta: float | None = None,
    unit: Unit | None = None,
) -> JointEpsilon:
    """What several networks together cost the images of one dataset, by the rules of this module.

    Args:
        dataset: Its name.
        spendings: One for each network whose spending is known.
        unknown: Further networks, of which nobody knows what they spent.
        lost: Damaged lines of the journal of the images.
        largest_patient: How many images any patient has at most; None where that is not known.
        delta: At which ε is told; the smallest δ of the networks unless given.
        unit: For whom: "patient" counts networks that protect images for the patient with the most. By default for
            whom all of them are, and for patients where they are not for the same.

    Returns:
        The joint ε with what it depends on; infinite where ``unknown`` or ``lost`` is not 0, and where none can be told
        for the unit.
    """
    units: set[Unit] = {spending.mechanism.unit for spending in spendings}
    told_for: Unit = unit or ("patient" if "patient" in units else "image")
    whole = _together(dataset, spendings, unknown=unknown, lost=lost, delta=delta)
    if unknown or lost or units <= {told_for}:
        return replace(whole, unit=told_for)
    parts = [[each for each in spendings if each.mechanism.unit == of] for of in ("image", "patient")]
    by_unit = tuple(_together(dataset, part, delta=delta) for part in parts if part)
    untold = replace(whole, epsilon=math.inf, by_unit=by_unit, stretches=None)
    if told_for == "image" or largest_patient is None or any(each.beyond is not None for each in parts[0]):
        return untold
    each_delta = whole.delta if delta is None else delta / len(by_unit)
    lifted = [part for each in parts[0] for part in each.stretches]
    try:
        of_images = composed_epsilon(lifted, delta=each_delta, images_per_patient=largest_patient)
    except SettingError:  # more images than ε is computed for, or so small a δ
        return untold
    of_patients = _together(dataset, parts[1], delta=each_delta) if parts[1] else None
    return replace(
        whole,
        epsilon=of_images + (of_patients.epsilon if of_patients else 0.0),
        delta=each_delta + (of_patients.delta if of_patients else 0.0),
        unit="patient",
        counted_for=largest_patient,
        stretches=None,
    )


def _together(
    dataset: str, spendings: Sequence[Spending], *, unknown: int = 0, lost: int = 0, delta: float | None = None
) -> JointEpsilon:
    """What networks cost that protect the same."""
    told = [spending for spending in spendings if spending.beyond is not None]
    counted = [spending for spending in spendings if spending.beyond is None]
    stretches = [part for spending in counted for part in spending.stretches]
    added = math.fsum(spending.delta for spending in told)
    smallest = min((spending.delta for spending in counted), default=0.0)
    delta = smallest if delta is None else max(0.0, delta - added)  # what is left of it for the steps
    epsilon = composed_epsilon(stretches, delta=delta) if stretches and delta else math.inf if stretches else 0.0
    mechanisms = [spending.mechanism for spending in spendings]
    samplings: set[Sampling] = {mechanism.sampling for mechanism in mechanisms}
    dealt = any(mechanism.adjacency == "zero-out" for mechanism in mechanisms)
    rates = [part.sample_rate for part in stretches] or [mechanism.sample_rate for mechanism in mechanisms] or [1.0]
    delta_of_all = math.fsum([delta, added])
    return JointEpsilon(
        dataset=dataset,
        networks=len(spendings) + unknown,
        epsilon=math.inf if unknown or lost else epsilon + sum(spending.beyond or 0.0 for spending in told),
        largest=max((spending.epsilon for spending in set(spendings)), default=0.0),
        delta=delta_of_all,
        adjacency="zero-out" if dealt else "add-remove",
        samplings=tuple(sorted(samplings)),
        accountant=accountant_of(sample_rate=min(rates), delta=delta or delta_of_all, steps=count_steps(stretches)),
        added_up=len(told),
        unknown=unknown,
        lost=lost,
        unit="patient" if {mechanism.unit for mechanism in mechanisms} == {"patient"} else "image",
        stretches=None if told or unknown or lost else tuple(stretches),
    )


def planned_spending(spec: RunSpec, *, train_size: int) -> Spending:
    """What the network of a DP-SGD run will take that is still to be trained.

    Args:
        spec: The specification of the run.
        train_size: Training records, n; at least 1.

    Returns:
        Its steps as they are counted, at the δ of the run.

    Raises:
        SettingError: No run can have these settings on so many records, or no noise reaches its ``target_epsilon``; see
            ``plan_run``.
    """
    plan = plan_run(spec, train_size=train_size)
    return Spending(plan.mechanism, plan.stretches, plan.delta)


def network_spending(spec: RunSpec, *, setup: Setup, spent: Spent | None) -> Spending | None:
    """What the network of a DP-SGD run has taken, by what its run recorded.

    Args:
        spec: The specification of the run.
        setup: What the run recorded at its start.
        spent: The record of its network; None before its first checkpoint.

    Returns:
        Its steps as they are counted, or its ε where that is more than they cost. None where nobody knows what it has
        spent.

    Raises:
        SettingError: What was recorded cannot be, such as a batch that is larger than the training set.
    """
    mechanism = mechanism_of_run(spec, setup)
    if spent is None or spent.untold or mechanism is None:
        return None
    delta = spec.delta if spent.delta is None else spent.delta
    if spent.recorded and not spent.steps:
        return Spending(mechanism, (), delta)
    verdict = run_verdict(spec, setup=setup, spent=spent)
    if verdict is None:
        return None
    by_steps = Spending(mechanism, verdict.stretches or (), delta)
    # More than they cost: by its ledger, or by the second accountant.
    told = verdict.stretches is None or verdict.epsilon > by_steps.epsilon * (1 + OTHER_ACCOUNTANT)
    return Spending(mechanism, (), delta, beyond=verdict.epsilon) if told else by_steps
