"""Runs as they are planned and as they recorded themselves, for the tests of lights and verdicts."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from medpriv_core.patients import PatientCount, patient_facts
from medpriv_core.privacy.conditions import Check
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.facts import planned_facts
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.subsampled_gaussian import mechanism_of
from medpriv_core.records.setup import Setup
from medpriv_core.spec import RunSpec
from tests.privacy.findings import RAN

N = 5218
AS_THE_AUTHORS = {"engine": "microbatch", "microbatch_size": 4, "sampling": "shuffled"}
WITH_BATCH_NORM = AS_THE_AUTHORS | {"norm": "batch_norm", "trainable": "all"}

ONE_EACH = PatientCount(N, 1)
ONE_IMAGE_EACH: dict[str, Any] = patient_facts(ONE_EACH)


def dp_sgd(**settings: Any) -> RunSpec:
    given = {"noise_multiplier": 5.002} if "target_epsilon" not in settings else {}
    defaults: dict[str, Any] = {
        "dataset": "synthetic_chest",
        "method": "dp_sgd",
        "batch_size": 128,
        "epochs": 50,
        "delta": 1e-5,
    }
    return RunSpec(**(defaults | given | settings))


def lights(checks: list[Check], state: str) -> set[str]:
    return {check.name for check in checks if check.state == state}


def named(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def recorded(spec: RunSpec, *, steps: int | None = None, epsilon: float | None = -1.0, **changes: Any) -> Any:
    """``setup.json`` and record of a run that did what its specification says, but for ``changes``."""
    facts = replace(planned_facts(spec, train_size=N), **(RAN | changes))
    setup = replace(
        Setup(train_size=N, noise_multiplier=5.002, guarantee=facts, patients_counted=True), **ONE_IMAGE_EACH
    )
    mechanism = mechanism_of(spec, train_size=N)
    steps = spec.epochs * mechanism.steps_per_epoch if steps is None else steps
    if epsilon == -1.0:
        epsilon = composed_epsilon(mechanism.stretches([Steps(5.002, mechanism.sample_rate, steps)]), delta=spec.delta)
    epochs, step = divmod(steps, mechanism.steps_per_epoch)
    spent = Spent(
        epochs=epochs,
        step=step,
        steps=steps,
        steps_per_epoch=mechanism.steps_per_epoch,
        epsilon=math.inf if epsilon is None else epsilon,
        delta=spec.delta,
    )
    # As it comes back from the disk.
    return {"setup": Setup.from_dict(json.loads(json.dumps(setup.to_file()))), "spent": spent}
