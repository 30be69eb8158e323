"""Results made for tests, with figures that are chosen and not trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from medpriv_core.evaluation.metrics import Scores
from medpriv_core.privacy.facts import planned_facts
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.spent import Spent, spent_at, spent_by
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.subsampled_gaussian import mechanism_of
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.results.from_run import make_result
from medpriv_core.results.result import Result, Source
from medpriv_core.spec import RunSpec

TRAIN_SIZE, TEST_SIZE = 640, 160
PLAIN = RunSpec(dataset="synthetic_chest", weights="none", epochs=2)
LOCAL = PLAIN.changed(method="local_dp", beta=2.0)
SHIFTED = LOCAL.changed(noise_draw="per_image")
PRIVATE = PLAIN.changed(method="dp_sgd", noise_multiplier=4.0)


def setup_of(spec: RunSpec) -> Setup:
    """What a run of ``spec`` records at its start."""
    setup = Setup(train_size=TRAIN_SIZE, test_size=TEST_SIZE, majority_rate=0.6, classes=("Normal", "Pneumonia"))
    if spec.method != "dp_sgd":
        return setup
    facts = planned_facts(spec, train_size=TRAIN_SIZE)
    return replace(setup, noise_multiplier=spec.noise_multiplier, guarantee=facts)


def rows_of(spec: RunSpec, accuracies: Sequence[float], auroc: float | None = None) -> list[EpochRow]:
    """A row an epoch with these test accuracies; training accuracies lie 0.05 higher."""
    rows = []
    for epoch, accuracy in enumerate(accuracies, start=1):
        test = Scores(accuracy=accuracy, auroc=auroc, balanced_accuracy=None if auroc is None else accuracy - 0.1)
        row = EpochRow(epoch=epoch, train=Scores(accuracy=accuracy + 0.05), test=test)
        if spec.method == "dp_sgd":
            plan = plan_run(spec.changed(epochs=epoch), train_size=TRAIN_SIZE)
            steps = epoch * plan.mechanism.steps_per_epoch
            row = replace(row, epsilon=plan.epsilon, delta=spec.delta, steps=steps)
        rows.append(row)
    return rows


def spent_of(spec: RunSpec, *, epochs: int, step: int = 0) -> Spent:
    """The record of a run of the made sizes that was stopped ``step`` steps after its epoch number ``epochs``."""
    mechanism = mechanism_of(spec, train_size=TRAIN_SIZE)
    per_epoch = mechanism.steps_per_epoch
    steps = epochs * per_epoch + step
    if spec.method != "dp_sgd":
        return Spent(epochs=epochs, step=step, steps=steps, steps_per_epoch=per_epoch)
    assert spec.noise_multiplier is not None
    taken = Steps(spec.noise_multiplier, mechanism.sample_rate, steps)
    return spent_by(mechanism, [taken], delta=spec.delta, epochs=epochs, step=step, checkpoint=None)


def result(
    spec: RunSpec = PLAIN,
    accuracies: Sequence[float] = (0.7, 0.8),
    *,
    auroc: float | None = 0.9,
    source: Source = "mine",
    run_id: str = "r1",
    tags: Sequence[str] = (),
) -> Result:
    """A finished run with these test accuracies, an epoch each."""
    rows = rows_of(spec, accuracies, auroc)
    return make_result(
        source=source,
        id=run_id,
        name=f"name of {run_id}",
        spec=spec,
        setup=setup_of(spec),
        epochs=rows,
        spent=spent_at(rows[-1]),
        tags=tags,
    )
