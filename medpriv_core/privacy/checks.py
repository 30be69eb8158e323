"""Guarantee checks: what the epsilon of a DP-SGD run rests on, one light and one sentence each.

green  holds
amber  nobody but you can know, it was not recorded, or it is good enough only for some ends
red    does not hold; the sentence says what does instead

Before a launch the specification is checked, after it what the loop recorded about itself (``GuaranteeFacts``); the
same conditions do both. Which epsilon follows is in ``medpriv_core.privacy.verdict``.

>>> spec = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=1.0, batch_size=50)
>>> [check.name for check in check_plan(spec, train_size=5000) if check.state != "green"]
['Second accountant', 'Patients with several images', 'Noise generator']
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from medpriv_core.errors import SettingError
from medpriv_core.patients import PatientCount
from medpriv_core.privacy import conditions
from medpriv_core.privacy.conditions import Case, Check, not_recorded
from medpriv_core.privacy.dp_sgd import MAX_IMAGES_PER_PATIENT, composed_epsilon
from medpriv_core.privacy.facts import GuaranteeFacts, planned_facts
from medpriv_core.privacy.measured import FAILED, words_of
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.private_training import private_training
from medpriv_core.privacy.second_accountant import NOTHING_ASKED, Question, answer_to, wait_for_answer
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.privacy.verdict import SAME, ledger_epsilon, planned_question, recorded_segments, run_question
from medpriv_core.records.setup import Setup
from medpriv_core.spec import RunSpec

SECOND_LIGHT, PATIENTS_LIGHT = "Second accountant", "Patients with several images"


def check_plan(spec: RunSpec, *, train_size: int, patients: PatientCount | None = None) -> list[Check]:
    """The checks of a run before its launch.

    Args:
        spec: The specification of the run.
        train_size: Training records, n; at least 1.
        patients: How many patients the images are of; None where that is not known.

    Returns:
        A light for each condition; none unless the run is DP-SGD.

    Raises:
        SettingError: No run can have these settings on so many records, or no noise reaches its ``target_epsilon``; see
            ``plan_run``.
    """
    if spec.method != "dp_sgd":
        return []
    plan = plan_run(spec, train_size=train_size)
    facts = planned_facts(spec, train_size=train_size)
    steps = spec.epochs * plan.mechanism.steps_per_epoch
    case = Case(spec, facts, train_size, plan.noise_multiplier, steps, planned=True)
    counted = "each of its" if plan.steps == steps else "one step for every epoch of its"
    accounting = Check(
        "Accounting",
        "green",
        f"The privacy budget is computed for {counted} {steps:,} steps and for the share of images that the loop draws "
        "in a step, by the function that the loop itself uses.",
    )
    asked = planned_question(plan)
    return _checks(case, accounting, check_second(asked), check_patients(asked, patients, facts=facts))


def check_run(spec: RunSpec, *, setup: Setup, spent: Spent | None, imported: bool = False) -> list[Check]:
    """The checks of a run that has begun, by what was recorded.

    Args:
        spec: The specification of the run.
        setup: What the run recorded at its start.
        spent: The record of its network; None before its first checkpoint.
        imported: Whether the run was made elsewhere. Then no condition holds for certain: what was recorded is the word
            of its sender.

    Returns:
        A light for each condition; none unless the run is DP-SGD and has recorded how many images it trains on.

    Raises:
        SettingError: What was recorded cannot be, such as a batch that is larger than the training set.
    """
    if spec.method != "dp_sgd" or not setup.records:
        return []
    facts = setup.guarantee
    noise_multiplier = facts.noise_multiplier or setup.noise_multiplier
    case = Case(
        spec,
        facts,
        setup.records,
        noise_multiplier,
        steps=spent.steps if spent is not None else 0,
        taken=spent.taken if spent is not None else 0,
        cut_short=spent is not None and bool(spent.step),
    )
    asked = run_question(spec, setup=setup, spent=spent)
    nothing_yet = spent is None and facts.mechanism() is not None
    second = check_second(NOTHING_ASKED if nothing_yet else asked, recorded=setup.second_accountant)
    several = check_patients(asked, setup.patient_count, recorded=setup.patients_counted, facts=facts)
    checks = _checks(case, _check_accounting(case, spent), second, several)
    if doubt := setup.weights_doubt:
        checks = [_doubted(check, doubt) if check.name == "Pretrained weights" else check for check in checks]
    return [_by_its_sender(check) for check in checks] if imported else checks


def _doubted(check: Check, doubt: str) -> Check:
    return Check(check.name, "red" if check.state == "red" else "amber", f"{check.sentence} {doubt}")


def _by_its_sender(check: Check) -> Check:
    if check.state != "green":
        return check
    return Check(check.name, "amber", f"So says its sender, and nobody here can check it: {check.sentence}")


def confirm_run(spec: RunSpec, *, setup: Setup, spent: Spent | None) -> None:
    """Wait for the second accountant's word on a network, so that verdict and checks know it.

    Args:
        spec: The specification of the run.
        setup: What the run recorded at its start.
        spent: The record of its network; None before its first checkpoint.

    Raises:
        SettingError: What was recorded cannot be, such as a batch that is larger than the training set.
    """
    asked = run_question(spec, setup=setup, spent=spent)
    if asked is not None:
        wait_for_answer(asked)


def check_second(asked: Question | None, *, recorded: Mapping[str, Any] | None = None) -> Check:
    """Whether another program confirms ε.

    Args:
        asked: What the second accountant is asked; None where the steps were not recorded.
        recorded: What a run kept of its answer, in its ``Setup``.

    Returns:
        The light *Second accountant*: green if it is confirmed, red if the second one says more.
    """
    name = SECOND_LIGHT
    if asked is None:
        return not_recorded(name, "its steps")
    answer = answer_to(asked, recorded=recorded)
    if answer.epsilon is not None and math.isinf(answer.first):
        return Check(name, "green", "No ε is stated, so there is nothing to confirm.")
    if not asked.stretches:
        return Check(name, "green", "Nothing is spent yet, so there is nothing to confirm.")
    says = f"Another program says ε = {format_epsilon(answer.epsilon)} for the same steps" if answer.epsilon else ""
    first = format_epsilon(answer.first)
    if answer.state == "confirmed":
        return Check(name, "green", f"{says}, which confirms ε = {first}.")
    if answer.state == "higher":
        return Check(name, "red", f"{says}, and the first accountant only {first}; the larger one is told.")
    if answer.state == "lower":
        return Check(name, "amber", f"{says}, and the first accountant {first}; the larger one is told.")
    if answer.state == "pending":
        return Check(name, "amber", f"The first accountant's ε = {first} is being confirmed by another program.")
    return Check(name, "amber", f"Another program cannot compute these steps finely enough to confirm ε = {first}.")


def check_patients(
    asked: Question | None,
    patients: PatientCount | None,
    *,
    recorded: bool = True,
    facts: GuaranteeFacts | None = None,
) -> Check:
    """Whether one record is all that a patient has at stake.

    Args:
        asked: What the second accountant is asked, which holds the steps; None where they were not recorded.
        patients: How many patients the images are of; None where that is not known.
        recorded: Whether that was looked into at all.
        facts: What a run recorded about its steps: whether these draw patients.

    Returns:
        The light *Patients with several images*.
    """
    name = PATIENTS_LIGHT
    if facts is not None and facts.unit == "patient":
        return _check_drawn_patients(facts, patients)
    if not recorded:
        return not_recorded(name, "whose images it learned from")
    if patients is None:
        return Check(
            name,
            "amber",
            "The names of the files do not tell which images are of one patient, and ε counts single images; a patient "
            "with several in the training set is protected less.",
        )
    if patients.largest == 1:
        return Check(name, "green", "Nobody has more than one image in the training set, so ε holds for patients too.")
    has = f"By the names of the files, one patient has {patients.largest} of the training images"
    if asked is None:
        return Check(name, "amber", f"{has}, and is protected less than ε says.")
    if patients.largest > MAX_IMAGES_PER_PATIENT:
        return Check(name, "amber", f"{has}, more than ε is computed for, and is hardly protected.")
    try:
        epsilon = composed_epsilon(asked.stretches, delta=asked.delta, images_per_patient=patients.largest)
    except SettingError:
        return Check(name, "amber", f"{has}; which ε holds for that patient cannot be computed with so small a δ.")
    holds = "no ε" if math.isinf(epsilon) else f"ε = {format_epsilon(epsilon)} (δ = {format_delta(asked.delta)})"
    return Check(name, "amber", f"{has}, and for that patient {holds} holds.")


def _check_drawn_patients(facts: GuaranteeFacts, patients: PatientCount | None) -> Check:
    """Of a run whose records are patients."""
    name = PATIENTS_LIGHT
    if patients is None:
        return not_recorded(name, "how many patients its images are of")
    most = f"the one with the most has {patients.largest}" if patients.largest > 1 else "each has one image"
    says = f"Patients are drawn, not images ({patients.patients:,}; {most}), and ε holds for a patient with all images"
    if facts.measured is None:
        return Check(name, "green", f"{says}; the run measures it before its first step.")
    finding = facts.measured.get("patients")
    if finding is None:
        return Check(name, "amber", f"{says}; that is what its settings say, and this run did not measure it.")
    words = words_of("patients", finding)
    if finding.get("holds") is not True:
        return Check(name, "red", FAILED["patients"] + (f" (measured: {words})" if words else "") + ", so no ε holds.")
    return Check(name, "green", f"{says}; measured: {words}." if words else f"{says}.")


def _checks(case: Case, accounting: Check, second: Check, patients: Check) -> list[Check]:
    return [
        conditions.check_sampling(case),
        conditions.check_clipping(case),
        conditions.check_mixing(case),
        conditions.check_divisor(case),
        accounting,
        second,
        patients,
        conditions.check_delta(case),
        conditions.check_preprocessing(case),
        conditions.check_augmentation(case),
        conditions.check_weights(case),
        conditions.check_selection(case),
        conditions.check_class_weights(case),
        conditions.check_generator(case),
        conditions.check_seed(case),
        conditions.check_noise(case),
    ]


_UNTOLD = {
    "broken": (
        "The checkpoint in this run's folder is not the one that its record was written for: it is damaged, or another "
        "one was put in its place. What its network has spent is not known."
    ),
    "damaged": (
        "The record of what this network has spent (spent.json) is damaged or gone, so that is not known. Put the file "
        "back from a copy."
    ),
}


def _check_accounting(case: Case, spent: Spent | None) -> Check:
    """Of a network: steps and rate as recorded, against specification and ledger."""
    name = "Accounting"
    mechanism, segments = case.facts.mechanism(), recorded_segments(case.facts, steps=case.steps)
    if mechanism is None or segments is None:
        return not_recorded(name, "the rate and the steps that its loop took")
    meant = private_training(case.spec, train_size=case.train_size).mechanism
    if (meant.unit, meant.sampling, meant.sample_rate, meant.steps_per_epoch) != (
        mechanism.unit,
        mechanism.sampling,
        mechanism.sample_rate,
        mechanism.steps_per_epoch,
    ):
        return Check(name, "red", "The loop drew its batches in another way than its settings say.")
    if spent is None or (spent.recorded and not max(spent.steps, spent.taken)):
        return Check(name, "green", "No step has been kept yet, so nothing of the privacy budget is spent.")
    if spent.untold:
        return Check(name, "red", _UNTOLD[spent.bond])
    taken = spent.epochs * mechanism.steps_per_epoch + spent.step
    if spent.steps < taken:
        return Check(
            name,
            "red",
            f"The ledger counts {spent.steps:,} steps, but {spent.epochs} epochs of {mechanism.steps_per_epoch:,} "
            f"steps {f'and {spent.step:,} steps more ' if spent.step else ''}are finished.",
        )
    cost = composed_epsilon(
        mechanism.stretches(segments), delta=case.spec.delta if spent.delta is None else spent.delta
    )
    if ledger_epsilon(spent) < cost * (1 - SAME):
        return Check(
            name,
            "red",
            f"The ledger says ε = {format_epsilon(ledger_epsilon(spent))}, but what the loop recorded costs "
            f"ε = {format_epsilon(cost)}.",
        )
    if spent.bond == "older":
        return Check(
            name,
            "amber",
            f"The ledger covers the {spent.steps:,} steps of the last epoch that was shown. Checkpoint and record are "
            "from before it, and the network in the checkpoint is not the one that the figures are of. It cannot go "
            "on.",
        )
    if not spent.recorded:
        return Check(
            name,
            "amber",
            f"The ledger covers the {spent.steps:,} steps that this run's files tell of, but an earlier version wrote "
            "them, which did not record for which network: whether its checkpoint has taken more is not known.",
        )
    if spent.steps > taken:
        return Check(
            name,
            "amber",
            f"The ledger counts {spent.steps:,} steps, {spent.steps - taken:,} more than this network has behind it, "
            "because a checkpoint of this run was lost once: the larger number holds.",
        )
    return Check(
        name,
        "green",
        f"The ledger covers exactly the {spent.steps:,} steps, and the draws, that the loop recorded up to the network "
        "in its checkpoint.",
    )
