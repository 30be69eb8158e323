"""The trial as a whole."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from medpriv_core.privacy.private_training import PrivateTraining
from medpriv_core.spec import RunSpec
from medpriv_core.training.records import PatientRecords
from medpriv_core.training.self_test import batches, steps
from medpriv_core.training.self_test.batches import Batches
from medpriv_core.training.self_test.trial import MadeUp, Trial
from medpriv_core.training.steps import DpStepper

# Other records are made up where two do not add what each adds alone: libraries round a batch of two in another way
# than a batch of one, and once in some hundred trials or more an activation that lies at zero is let through in one
# of them only. A program in which images do depend on each other fails with each of the records.
DRAWS = 3


@dataclass(frozen=True)
class Subject:
    """What is tried: the objects of a session, and how to make others like them.

    trained, stepper   those that the loop will use; copies of them are tried
    blank              a copy of ``trained`` from before an engine put hooks on it; it is used up
    make               makes a stepper for a trained part, as the session's was made
    batches            so many batches of the loop's own sampler, from a run's first step on
    patients           whose images the steps look at, where the records are patients; ``whose`` (n,) says by the
                       dataset whose each image is
    training           what is meant, with this ``noise_multiplier``: what the accountant counts on
    """

    spec: RunSpec
    trained: nn.Module
    stepper: DpStepper
    blank: nn.Module
    make: Callable[[nn.Module], DpStepper]
    batches: Batches
    classes: int
    training: PrivateTraining
    noise_multiplier: float
    patients: PatientRecords | None = None
    whose: np.ndarray | None = None


def self_test(subject: Subject) -> dict[str, dict[str, Any]]:
    """All findings about steps and batches by name, ready for JSON; changes nothing of the session."""
    spec = subject.spec
    findings = _steps(subject)
    mechanism, n = subject.training.mechanism, subject.training.train_size
    if mechanism.sampling == "shuffled":
        findings["sampling"] = batches.order_of_deck(subject.batches, train_size=n, steps=mechanism.steps_per_epoch)
    else:
        findings["sampling"] = batches.sampler(
            subject.batches, scheme=mechanism.sampling, train_size=n, sample_rate=mechanism.sample_rate
        )
    if subject.patients is not None:
        findings["patients"] |= batches.images_of_patients(subject.patients, subject.whose)
        findings["patients"]["holds"] &= findings["patients"].pop("own")
    if spec.augment:
        findings["augmentation"] = batches.augmentation(spec)
    # A truth of numpy is no JSON.
    return {name: finding | {"holds": bool(finding["holds"])} for name, finding in findings.items()}


def _steps(subject: Subject) -> dict[str, dict[str, Any]]:
    spec, training, sigma = subject.spec, subject.training, subject.noise_multiplier
    clip, together = training.max_grad_norm, training.clipped_together
    # A shuffled deck and a full batch are cut into microbatches in their order, and divided by how many these are.
    dealt = spec.engine == "microbatch" and training.mechanism.sampling != "poisson"
    divisor = 1 if dealt else training.divisor
    # In a Poisson batch of microbatches, two images are clipped together or not by lot.
    pairs = not dealt and together == 1
    weighed = spec.class_weights is not None and spec.engine != "microbatch"
    trained, stepper = copy.deepcopy((subject.trained, subject.stepper))
    for draw in range(DRAWS):
        made_up = MadeUp(
            subject.blank,
            classes=subject.classes,
            variants=spec.augmentation_multiplicity,
            max_grad_norm=clip,
            draw=draw,
        )
        made_up.load(trained)
        trial = Trial(trained, stepper, made_up, scale=clip * min(1.0, sigma) / divisor)
        findings: dict[str, dict[str, Any]] = steps.contributions(
            trial, made_up, unit=clip / divisor, records=together if dealt else 1, weighed=weighed, pairs=pairs
        )
        if all(findings[name]["holds"] for name in ("apart", "divisor") if name in findings):
            break
    if subject.patients is not None:
        findings["patients"] = steps.one_patient(
            trial, unit=clip / divisor, most=subject.patients.most, label=int(np.argmax(spec.class_weights or (1,)))
        )
    other = Trial(subject.blank, subject.make(subject.blank), made_up, scale=clip * min(1.0, sigma) / divisor)
    some = [[0] * together] if dealt else [[], [0, 3]] if pairs else [[], [0]]
    seen = steps.noise(trial, other, unit=training.noise_deviation(sigma) / divisor, batches=some)
    if "divisor" in findings:
        findings["divisor"]["empty"] = seen["empty"]
        findings["divisor"]["holds"] &= abs(seen["empty"] - 1) <= seen["spread"]
    return findings | {"noise": seen["noise"], "repeat": seen["repeat"]}
