"""What several networks that learned from the same images cost together.

Each of M private networks has its epsilon; whoever gets all of them, or the vote that they take, gets M answers about
the same patients. Under DP-SGD the steps of all of them compose, which costs less than M times one epsilon and more
than one:

>>> from medpriv_core.privacy.dp_sgd import composed_epsilon
>>> one = (1.0, 128 / 5232, 2044)
>>> [round(composed_epsilon([one] * networks, delta=1e-5), 2) for networks in (1, 5)]
[7.16, 18.6]

Under Local-DP the noise was drawn once and stored, so networks that learn from that copy cost nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medpriv_core.errors import SettingError
from medpriv_core.privacy.dp_sgd import accountant_of, composed_epsilon
from medpriv_core.privacy.facts import recorded_facts
from medpriv_core.privacy.mechanism import mechanism_of
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.statement import ADJACENCY_WORDS, dp_sgd_statement, format_delta, format_epsilon
from medpriv_core.privacy.verdict import SAME, network_segments, run_verdict
from medpriv_core.spec import RunSpec


@dataclass(frozen=True)
class TrainedRun:
    """What a run recorded of itself: spec.json, setup.json, and what its network has spent."""

    spec: RunSpec
    setup: Mapping[str, Any]
    spent: Spent | None


@dataclass(frozen=True)
class JointGuarantee:
    """What holds for all networks together.

    epsilon   infinite where none holds; None under Local-DP, where it is that of the noised images, whatever learns
              from them
    sentence  for people, with delta, adjacency, sampling and accountant
    """

    epsilon: float | None
    sentence: str


def joint_guarantee(runs: Sequence[TrainedRun]) -> JointGuarantee:
    """What the networks of ``runs`` cost together; raises ``SettingError`` unless all have one setting."""
    if len({run.spec.canonical(any_seed=True) for run in runs}) != 1:
        raise SettingError("These runs differ in more than their seed; choose runs with the same settings.")
    method, many = runs[0].spec.method, len(runs)
    if method == "none":
        return JointGuarantee(math.inf, "Trained without privacy: no ε holds, for one of them or for all together.")
    if method == "local_dp":
        return JointGuarantee(
            None,
            f"All {many} learned from noised images. As long as these are the same noised copies, drawn once, "
            "the networks together cost no more than one; a copy drawn anew adds its ε.",
        )
    return _dp_sgd(runs)


def _dp_sgd(runs: Sequence[TrainedRun]) -> JointGuarantee:
    many, delta = len(runs), runs[0].spec.delta
    verdicts = [run_verdict(run.spec, setup=run.setup, spent=run.spent) for run in runs]
    each = [math.inf if verdict is None else verdict.epsilon for verdict in verdicts]
    if math.isinf(max(each)):
        return JointGuarantee(math.inf, "For at least one of them no ε is established, so none holds for all together.")
    facts = [recorded_facts(run.setup) for run in runs]
    mechanisms = [
        fact.mechanism() or mechanism_of(run.spec, train_size=int(run.setup["train_size"]))
        for fact, run in zip(facts, runs, strict=True)
    ]
    adjacency, sampling = mechanisms[0].adjacency, mechanisms[0].sampling
    if any(mechanism.adjacency != adjacency for mechanism in mechanisms):
        return JointGuarantee(
            math.inf, "Their ε hold for different kinds of neighbours and cannot be added up, so none is established."
        )
    stretches: list[tuple[float, float, int]] = []
    for run, mechanism, fact, epsilon in zip(runs, mechanisms, facts, each, strict=True):
        assert run.spent is not None  # it has a verdict
        segments = network_segments(fact, run.spent)
        own = mechanism.stretches(segments) if segments is not None else []
        if composed_epsilon(own, delta=delta) < epsilon * (1 - SAME):
            return _sum(each, many * delta, ADJACENCY_WORDS[adjacency])
        stretches += own
    together = composed_epsilon(stretches, delta=delta)
    statement = dp_sgd_statement(
        epsilon=together,
        delta=delta,
        adjacency=adjacency,
        sampling=sampling,
        accountant=accountant_of(
            sample_rate=min(rate for _, rate, _ in stretches), delta=delta, steps=sum(n for _, _, n in stretches)
        ),
    )
    dearest = max((verdict for verdict in verdicts if verdict), key=lambda verdict: verdict.epsilon)
    return JointGuarantee(
        together,
        f"Whoever gets one of the {many} networks: {dearest.statement}. Whoever gets all of them, or answers that all "
        f"had a part in: {statement}.",
    )


def _sum(each: Sequence[float], delta: float, neighbours: str) -> JointGuarantee:
    """Where a run did not record its steps well enough: epsilons and deltas add up, which always holds."""
    total = sum(each)
    return JointGuarantee(
        total,
        f"Whoever gets all {len(each)} networks, or answers that all had a part in: ε = {format_epsilon(total)} "
        f"(δ = {format_delta(delta)}; {neighbours}; the sum of their ε, because not every run recorded its steps).",
    )
