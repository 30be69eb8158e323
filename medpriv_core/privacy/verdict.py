"""Which epsilon holds for a DP-SGD run, said in full, and which one must not be claimed.

>>> spec = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=5.002, delta=1e-4, batch_size=128, epochs=50,
...                engine="microbatch", microbatch_size=4, sampling="shuffled")
>>> verdict = planned_verdict(spec, train_size=5218)
>>> print(verdict.sentence[:64])
What holds for this run is ε = 13.9: ε = 0.69 would need Poisson
>>> print(verdict.sentence[-65:])
in the training set, while wrongly naming 1 of 100 that were not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from medpriv_core.privacy.dp_sgd import Accountant, accountant_of, composed_epsilon
from medpriv_core.privacy.facts import GuaranteeFacts
from medpriv_core.privacy.plan import DpSgdPlan, claimed_rate, plan_run
from medpriv_core.privacy.second_accountant import Question, answer_to, question, record_of, wait_for_answer
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.statement import dp_sgd_meaning, dp_sgd_statement, what_does_not_hold
from medpriv_core.privacy.steps import Steps, add_steps, count_steps, first_steps
from medpriv_core.privacy.subsampled_gaussian import SubsampledGaussian, mechanism_of
from medpriv_core.privacy.tradeoff import Risk, membership_risk, risk_of_point
from medpriv_core.records.setup import Setup
from medpriv_core.spec import RunSpec
from medpriv_core.unit import Unit

# Values of epsilon that come from two computations of the same thing.
SAME = 1e-6
# By this share the epsilon in a ledger may lie above that of its steps because another version reckoned it.
OTHER_ACCOUNTANT = 0.01


@dataclass(frozen=True)
class Verdict:
    """What holds, with everything that it depends on.

    epsilon          infinite where none holds; the second accountant's where that is known to be higher
    statement        the same with delta, adjacency, sampling and accountant
    claimed_epsilon  what would be stated if sampling and clipping were sound, where that does not hold; else None
    stretches        the steps that it holds for, as ``composed_epsilon`` takes them; None where they were not recorded,
                     or where more was spent than they cost
    unit             what is protected: an image, or a patient with all images
    """

    epsilon: float
    delta: float
    statement: str
    claimed_epsilon: float | None
    stretches: tuple[Steps, ...] | None
    unit: Unit = "image"

    @property
    def risk(self) -> Risk:
        """What an attacker can find out at most: by the exact curve of the steps, or by ε and δ alone."""
        if self.stretches is None or math.isinf(self.epsilon):
            return risk_of_point(epsilon=self.epsilon, delta=self.delta)
        return membership_risk(self.stretches, delta=self.delta)

    @property
    def sentence(self) -> str:
        """What the verdict means, after the claim that does not hold if there is one."""
        meaning = dp_sgd_meaning(self.risk, self.unit)
        if self.claimed_epsilon is None:
            return meaning
        not_so = what_does_not_hold(claimed=self.claimed_epsilon, holds=self.epsilon, unit=self.unit)
        return f"{not_so} {meaning}"


def planned_verdict(spec: RunSpec, *, train_size: int) -> Verdict | None:
    """What will hold for a run, before its launch.

    Args:
        spec: The specification of the run.
        train_size: Training records, n; at least 1.

    Returns:
        What will hold and what must not be claimed; None unless the run is DP-SGD.

    Raises:
        SettingError: No run can have these settings on so many records, or no noise reaches its ``target_epsilon``; see
            ``plan_run``.
    """
    if spec.method != "dp_sgd":
        return None
    plan = plan_run(spec, train_size=train_size)
    return _verdict(plan.epsilon, plan.claimed_epsilon, spec.delta, plan.mechanism, plan.accountant, plan.stretches)


def run_verdict(spec: RunSpec, *, setup: Setup, spent: Spent | None) -> Verdict | None:
    """What holds for a network that has taken steps, by what was recorded.

    Where both the ledger and the recorded facts say an ε, the larger one holds.

    Args:
        spec: The specification of the run.
        setup: What the run recorded at its start.
        spent: The record of its network; None before its first checkpoint.

    Returns:
        What holds and what must not be claimed. None unless the run is DP-SGD and has taken steps, and for a network
        that the record was not written for.

    Raises:
        SettingError: What was recorded cannot be, such as a batch that is larger than the training set.
    """
    mechanism, records = mechanism_of_run(spec, setup), setup.records
    if spent is None or not spent.steps or spent.untold or mechanism is None or not records:
        return None
    delta = spec.delta if spent.delta is None else spent.delta
    facts = setup.guarantee
    epsilon = claimed = ledger_epsilon(spent)
    stretches = None
    segments = network_segments(facts, spent)
    if segments is not None:
        stretches = mechanism.stretches(segments)
        cost = composed_epsilon(stretches, delta=delta)
        epsilon, stretches = max(epsilon, cost), None if epsilon > cost * (1 + OTHER_ACCOUNTANT) else stretches
        rate = claimed_rate(batch_size=spec.batch_size, train_size=records, sampling=mechanism.sampling)
        claimed = composed_epsilon([taken._replace(sample_rate=rate) for taken in segments], delta=delta)
    accountant = accountant_of(sample_rate=mechanism.sample_rate, delta=delta, steps=spent.steps)
    return _verdict(epsilon, claimed, delta, mechanism, accountant, stretches)


def mechanism_of_run(spec: RunSpec, setup: Setup) -> SubsampledGaussian | None:
    """Which mechanism the steps of a DP-SGD run are.

    Args:
        spec: The specification of the run.
        setup: What the run recorded at its start.

    Returns:
        What its loop recorded; of a run of an earlier version, which did not, what its settings say of images. None
        where neither tells, and for other methods.

    Raises:
        SettingError: What was recorded cannot be, such as a batch that is larger than the training set.
    """
    if spec.method != "dp_sgd" or not setup.records:
        return None
    recorded = setup.guarantee.mechanism()
    if recorded is not None or spec.record == "patient":  # that patients were drawn is nowhere taken for granted
        return recorded
    return mechanism_of(spec, train_size=setup.records)


def ledger_epsilon(spent: Spent) -> float:
    """The ε in a run's ledger; infinite where it says none."""
    return math.inf if spent.epsilon is None else spent.epsilon


def network_segments(facts: GuaranteeFacts, spent: Spent) -> tuple[Steps, ...] | None:
    """A network's steps: by what its loop recorded, else by its ledger.

    Args:
        facts: What the loop recorded about itself.
        spent: The record of the network.

    Returns:
        The steps as the loop took them; None where neither says.
    """
    by_loop = recorded_segments(facts, steps=spent.steps)
    return spent.segments if by_loop is None else by_loop


def recorded_segments(facts: GuaranteeFacts, *, steps: int) -> tuple[Steps, ...] | None:
    """What a number of steps must consist of, by recorded facts.

    Args:
        facts: What the loop recorded about itself.
        steps: How many the network has behind it.

    Returns:
        The steps as the loop took them; None where the facts do not say.
    """
    if facts.mechanism() is None or facts.noise_multiplier is None or facts.earlier_segments is None:
        return None
    assert facts.sample_rate is not None  # there is a mechanism
    # A session may have begun with more steps than an epoch before it had.
    segments = first_steps(facts.earlier_segments, steps)
    left = max(0, steps - count_steps(segments))
    return add_steps(segments, Steps(facts.noise_multiplier, facts.sample_rate, left))


def planned_question(plan: DpSgdPlan) -> Question:
    """What the second accountant is asked about a plan."""
    return question(plan.stretches, delta=plan.delta, adjacency=plan.adjacency)


def run_question(spec: RunSpec, *, setup: Setup, spent: Spent | None) -> Question | None:
    """What the second accountant is asked about a network.

    Args:
        spec: The specification of the run.
        setup: What the run recorded at its start.
        spent: The record of its network; None before its first checkpoint.

    Returns:
        The question; None unless the run is DP-SGD and its steps were recorded.

    Raises:
        SettingError: What was recorded cannot be, such as a batch that is larger than the training set.
    """
    mechanism = mechanism_of_run(spec, setup)
    if spent is None or spent.untold or mechanism is None:
        return None
    segments = network_segments(setup.guarantee, spent)
    if segments is None:
        return None
    delta = spec.delta if spent.delta is None else spent.delta
    return question(mechanism.stretches(segments), delta=delta)


def second_record(facts: GuaranteeFacts, *, steps: int, delta: float) -> dict[str, Any] | None:
    """What a run keeps of the second accountant's word on its steps; waits for it.

    Args:
        facts: What the loop recorded about itself.
        steps: How many to ask about.
        delta: The chance with which the promise of ε may fail; above 0 and below 1.

    Returns:
        What ``Setup`` keeps as ``second_accountant``; None where the facts do not say what the steps consist of.
    """
    mechanism, segments = facts.mechanism(), recorded_segments(facts, steps=steps)
    if mechanism is None or segments is None:
        return None
    asked = question(mechanism.stretches(segments), delta=delta)
    return record_of(asked, wait_for_answer(asked).epsilon)


def _verdict(
    epsilon: float,
    claimed: float,
    delta: float,
    mechanism: SubsampledGaussian,
    accountant: Accountant,
    stretches: tuple[Steps, ...] | None,
) -> Verdict:
    if stretches is not None:
        epsilon = max(epsilon, answer_to(question(stretches, delta=delta)).larger)
    statement = dp_sgd_statement(
        epsilon=epsilon,
        delta=delta,
        adjacency=mechanism.adjacency,
        sampling=mechanism.sampling,
        accountant=accountant,
        unit=mechanism.unit,
    )
    too_low = claimed if claimed < epsilon * (1 - SAME) else None
    return Verdict(epsilon, delta, statement, too_low, stretches, mechanism.unit)
