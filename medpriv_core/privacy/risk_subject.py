"""What is asked about an attacker: a setting, a run or several runs, each with its trade-off curve and its words.

Page, command and file ask this record, so that they say the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from medpriv_core.errors import SettingError
from medpriv_core.privacy.composition import JointEpsilon
from medpriv_core.privacy.curve import EVERYTHING, Curve, GaussianCurve, regret
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.exposure import Exposure, exposure_of
from medpriv_core.privacy.image_curve import image_curve, unit_curve
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.plan import MAX_STEPS, DpSgdPlan
from medpriv_core.privacy.statement import (
    dp_sgd_statement,
    format_delta,
    format_epsilon,
    found_statement,
    image_epsilon_statement,
    image_unit_statement,
    recognised_statement,
)
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.subsampled_gaussian import mechanism_of_loop
from medpriv_core.privacy.tradeoff import Risk, curve_of_point, membership_curve, risk_of_curve
from medpriv_core.privacy.verdict import Verdict
from medpriv_core.spec import BOUNDS, Sampling, check_bound
from medpriv_core.unit import Unit

# Whether a record was used in a training, or which of two images was released.
Asked = Literal["membership", "image", "pixel"]
# By what a curve is known: that of the mechanism itself, or the bound by one (ε, δ).
Basis = Literal["exact", "point"]
# Below this misfit, μ says as much as the curve (Gomez et al. 2025).
GOOD_FIT = 0.01
# The false-alarm rate from which on μ is told where δ is 0.
_RARE = 1e-9


@dataclass(frozen=True)
class RiskSubject:
    """One thing that may be given away, as an attacker sees it.

    asked       what he wants to find out
    curve       the most that he finds; never below the truth
    basis       by what the curve is known
    epsilon     what holds; infinite where nothing does
    delta       at which
    statement   ε with all that it depends on
    unit        what a record is
    stretches   the steps of the training where they are known, as ``composed_epsilon`` takes them
    dimensions  of what is released, where they are known: trained parameters, or noised values
    """

    asked: Asked
    curve: Curve
    basis: Basis
    epsilon: float
    delta: float
    statement: str
    unit: Unit = "image"
    stretches: tuple[Steps, ...] | None = None
    dimensions: int | None = None

    @cached_property
    def risk(self) -> Risk:
        """Hits at the false-alarm rates that are told, advantage and μ."""
        return risk_of_curve(self.curve, delta=None if self.basis == "point" else self.delta or _RARE)

    @property
    def limited(self) -> bool:
        """Whether anything limits what an attacker finds who makes no false alarm."""
        return float(self.curve.hits(0.0)) < 1

    @property
    def exposure(self) -> Exposure:
        """In people, at the ε that holds."""
        return exposure_of(self.risk, epsilon=self.epsilon)

    @property
    def sentence(self) -> str:
        """What he finds of a hundred, for one false alarm in a hundred."""
        return said_of(self.exposure, "0.01", asked=self.asked, unit=self.unit)

    @cached_property
    def misfit(self) -> float | None:
        """How badly μ stands for the whole curve; None where there is no μ."""
        if isinstance(self.curve, GaussianCurve) and self.curve is not EVERYTHING:
            return 0.0
        return None if self.risk.mu is None else regret(self.curve, self.risk.mu)

    @property
    def sensitivity_index(self) -> float | None:
        """ψ, the distance that one record makes over the noise's deviation; where plain Gaussian noise is all."""
        known = isinstance(self.curve, GaussianCurve) and self.curve is not EVERYTHING
        return self.risk.mu if known else None


def said_of(exposure: Exposure, rate: str, *, asked: Asked, unit: Unit) -> str:
    """What an attacker finds at most, in people, images or pixels.

    Args:
        exposure: What he finds at most.
        rate: Of false alarms, as ``exposure.found`` names it.
        asked: What he wants to find out.
        unit: What a record of a training is.

    Returns:
        One sentence.
    """
    if asked == "membership":
        return found_statement(exposure, rate, unit)
    said = recognised_statement(exposure, rate)
    if asked == "image":
        return said
    black = said.replace("noised images of one patient", "black pixels")
    return black.replace("of another", "white ones").replace("no other", "no white one")


def plan_of_settings(
    *,
    train_size: int,
    batch_size: int,
    epochs: int,
    noise_multiplier: float,
    delta: float,
    sampling: Sampling = "poisson",
    unit: Unit = "image",
) -> DpSgdPlan:
    """The plan of a training that nobody need be able to launch: with as little noise as one likes, or none.

    Args:
        train_size: Number of training records, n; at least 1.
        batch_size: Records in a step, or expected in it; from 1 to ``train_size``.
        epochs: How often, on average, each record is used; at least 1.
        noise_multiplier: Standard deviation of the noise, in clipping norms; from 0, which is none, to 10,000.
        delta: The chance with which the promise of ε may fail, from 1e-12 to 0.1.
        sampling: How batches are drawn.
        unit: What a record is.

    Returns:
        The plan; its ε is infinite where no finite one is told.

    Raises:
        SettingError: A number is out of its bounds, or there are more than ``MAX_STEPS`` steps.
    """
    check_bound("delta", delta)
    check_bound("epochs", epochs)
    most = BOUNDS["noise_multiplier"][1]
    if not 0 <= noise_multiplier <= most:
        raise SettingError(f"[noise_multiplier] must be between 0 and {most:g}, but is {noise_multiplier:g}.")
    mechanism = mechanism_of_loop(train_size=train_size, batch_size=batch_size, sampling=sampling, unit=unit)
    steps = epochs * mechanism.steps_per_epoch
    if steps > MAX_STEPS:
        raise SettingError(
            f"These settings make {steps:,} steps, and epsilon is computed for up to {MAX_STEPS:,}. Take a larger "
            "[batch_size] or fewer [epochs]."
        )
    stretches = mechanism.stretches([Steps(noise_multiplier, mechanism.sample_rate, steps)])
    epsilon = composed_epsilon(stretches, delta=delta)
    return DpSgdPlan(mechanism, mechanism.adjacency, stretches, noise_multiplier, epsilon, epsilon, delta)


def subject_of_plan(plan: DpSgdPlan, *, images_per_patient: int = 1, dimensions: int | None = None) -> RiskSubject:
    """A training that may be done.

    Args:
        plan: Its plan.
        images_per_patient: Where images are the records: how many a patient has that are added or removed together.
        dimensions: Parameters that would learn, where that is known.

    Returns:
        What an attacker could find out about one record, or about one such patient.

    Raises:
        SettingError: ε cannot be computed for so many images of a patient.
    """
    images = 1 if plan.mechanism.unit == "patient" else images_per_patient
    epsilon = plan.epsilon if images == 1 else plan.epsilon_patient(images)
    known = math.isfinite(epsilon)
    curve = (
        membership_curve(plan.stretches, delta=plan.delta, adjacency=plan.adjacency, images_per_patient=images)
        if known
        else EVERYTHING
    )
    return RiskSubject(
        asked="membership",
        curve=curve,
        basis="exact",
        epsilon=epsilon,
        delta=plan.delta,
        statement=dp_sgd_statement(
            epsilon=epsilon,
            delta=plan.delta,
            adjacency=plan.adjacency,
            sampling=plan.mechanism.sampling,
            accountant=plan.accountant,
            images_per_patient=images,
            unit=plan.mechanism.unit,
        ),
        unit=plan.mechanism.unit,
        stretches=plan.stretches if images == 1 else None,
        dimensions=dimensions,
    )


def subject_of_verdict(verdict: Verdict, *, dimensions: int | None = None) -> RiskSubject:
    """A training that was done.

    Args:
        verdict: What holds for its network.
        dimensions: Parameters that learned, where that is known.

    Returns:
        What an attacker could find out about one record: by its steps, or by ε and δ where more was spent than they
        cost.
    """
    known = verdict.stretches is not None and math.isfinite(verdict.epsilon)
    assert verdict.stretches is not None or not known
    curve = (
        membership_curve(verdict.stretches or (), delta=verdict.delta)
        if known
        else curve_of_point(epsilon=verdict.epsilon, delta=verdict.delta)
    )
    return RiskSubject(
        asked="membership",
        curve=curve,
        basis="exact" if known else "point",
        epsilon=verdict.epsilon,
        delta=verdict.delta,
        statement=verdict.statement,
        unit=verdict.unit,
        stretches=verdict.stretches,
        dimensions=dimensions,
    )


def subject_of_joint(joint: JointEpsilon) -> RiskSubject:
    """Several networks on the same images, for somebody who has them all.

    Args:
        joint: What they cost together.

    Returns:
        By all their steps where they are known and alike, else by ε and δ.
    """
    known = joint.stretches is not None and joint.established and math.isfinite(joint.epsilon)
    epsilon = joint.epsilon if joint.established else math.inf
    return RiskSubject(
        asked="membership",
        curve=membership_curve(joint.stretches or (), delta=joint.delta)
        if known
        else curve_of_point(epsilon=epsilon, delta=joint.delta),
        basis="exact" if known else "point",
        epsilon=epsilon,
        delta=joint.delta,
        statement=joint.statement,
        unit=joint.unit,
        stretches=joint.stretches if known else None,
    )


def subject_of_images(guarantee: ImageGuarantee, *, asked: Literal["image", "pixel"] = "image") -> RiskSubject:
    """Noised images, all copies together.

    Args:
        guarantee: What holds for one image.
        asked: Whether about the whole image, of any two, or about one unit of the mechanism: a pixel for most.

    Returns:
        What an attacker could tell who wavers between two.
    """
    whole = asked == "image"
    return RiskSubject(
        asked=asked,
        curve=image_curve(guarantee) if whole else unit_curve(guarantee),
        basis="exact",
        epsilon=guarantee.epsilon_image if whole else guarantee.unit_epsilon,
        delta=guarantee.delta if whole else guarantee.unit_delta,
        statement=image_epsilon_statement(guarantee) if whole else image_unit_statement(guarantee),
        dimensions=guarantee.copies * guarantee.values if whole else guarantee.copies,
    )


def subject_of_point(*, epsilon: float, delta: float, unit: Unit = "image") -> RiskSubject:
    """An ε of which no more is known than its δ, such as one that somebody else has published.

    Args:
        epsilon: From 0 on; may be infinite.
        delta: From 0 to 1.
        unit: What its record is.

    Returns:
        What follows from it for any mechanism; the truth may be lower.
    """
    return RiskSubject(
        asked="membership",
        curve=curve_of_point(epsilon=epsilon, delta=delta),
        basis="point",
        epsilon=epsilon,
        delta=delta,
        statement=f"ε = {format_epsilon(epsilon)} (δ = {format_delta(delta)}; nothing else is known)",
        unit=unit,
    )
