"""Guarantee checks: what the epsilon of a DP-SGD run rests on, one light and one sentence each.

green  holds
amber  nobody but you can know, it was not recorded, or it is good enough only for some ends
red    does not hold; the sentence says what does instead

Before a launch the specification is checked, after it what the loop recorded about itself (``GuaranteeFacts``); the
same conditions do both. Which epsilon follows is in ``medpriv_core.privacy.verdict``.

>>> spec = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=1.0, batch_size=50)
>>> [check.name for check in check_plan(spec, train_size=5000) if check.state != "green"]
['Noise generator']
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medpriv_core.privacy import conditions
from medpriv_core.privacy.conditions import Case, Check, not_recorded
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.facts import planned_facts, recorded_facts
from medpriv_core.privacy.mechanism import mechanism_of
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.privacy.verdict import SAME, ledger_epsilon, recorded_segments
from medpriv_core.spec import RunSpec


def check_plan(spec: RunSpec, *, train_size: int) -> list[Check]:
    """The checks of a run before its launch; none unless it is DP-SGD.

    Raises ``SettingError`` for what cannot run at all, as ``plan_run`` does.
    """
    if spec.method != "dp_sgd":
        return []
    plan = plan_run(spec, train_size=train_size)
    facts = planned_facts(spec, train_size=train_size)
    steps = spec.epochs * plan.mechanism.steps_per_epoch
    case = Case(spec, facts, train_size, plan.noise_multiplier, steps)
    counted = "each of its" if plan.steps == steps else "one step for every epoch of its"
    accounting = Check(
        "Accounting",
        "green",
        f"The privacy budget is reckoned for {counted} {steps:,} steps and for the share of images that the loop draws "
        "in a step, by the function that the loop itself uses.",
    )
    return _checks(case, accounting)


def check_run(spec: RunSpec, *, setup: Mapping[str, Any], last: Mapping[str, Any]) -> list[Check]:
    """The checks of a run that has begun, by what was recorded; none unless it is DP-SGD.

    ``setup`` is its ``setup.json``; ``last`` its outcome or last finished epoch, or empty.
    """
    if spec.method != "dp_sgd" or not setup.get("train_size"):
        return []
    facts = recorded_facts(setup)
    noise_multiplier = facts.noise_multiplier or setup.get("noise_multiplier")
    case = Case(spec, facts, int(setup["train_size"]), noise_multiplier, int(last.get("steps") or 0))
    return _checks(case, _check_accounting(case, last))


def _checks(case: Case, accounting: Check) -> list[Check]:
    return [
        conditions.check_sampling(case),
        conditions.check_clipping(case),
        conditions.check_mixing(case),
        conditions.check_divisor(case),
        accounting,
        conditions.check_delta(case),
        conditions.check_preprocessing(case),
        conditions.check_augmentation(case),
        conditions.check_weights(case),
        conditions.check_selection(case),
        conditions.check_class_weights(case),
        conditions.check_generator(case),
        conditions.check_seed(case),
    ]


def _check_accounting(case: Case, last: Mapping[str, Any]) -> Check:
    """Of a run: steps and rate as recorded, against specification and ledger."""
    name = "Accounting"
    mechanism, segments = case.facts.mechanism(), recorded_segments(case.facts, steps=case.steps)
    if mechanism is None or segments is None:
        return not_recorded(name, "the rate and the steps that its loop took")
    if not case.steps:
        return Check(name, "green", "No step has been taken yet, so nothing of the privacy budget is spent.")
    meant = mechanism_of(case.spec, train_size=case.train_size)
    if (meant.sampling, meant.sample_rate, meant.steps_per_epoch) != (
        mechanism.sampling,
        mechanism.sample_rate,
        mechanism.steps_per_epoch,
    ):
        return Check(name, "red", "The loop drew its batches in another way than its settings say.")
    epochs, per_epoch = last.get("epoch"), mechanism.steps_per_epoch
    if epochs is not None and not epochs * per_epoch <= case.steps < (epochs + 1) * per_epoch:
        return Check(
            name,
            "red",
            f"The ledger counts {case.steps:,} steps, but {epochs} epochs of {per_epoch:,} steps are finished.",
        )
    spent = composed_epsilon(mechanism.stretches(segments), delta=float(last.get("delta", case.spec.delta)))
    if ledger_epsilon(last) < spent * (1 - SAME):
        return Check(
            name,
            "red",
            f"The ledger says ε = {format_epsilon(ledger_epsilon(last))}, but what the loop recorded costs "
            f"ε = {format_epsilon(spent)}.",
        )
    return Check(
        name, "green", f"The ledger covers exactly the {case.steps:,} steps, and the draws, that the loop recorded."
    )
