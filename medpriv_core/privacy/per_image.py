"""What protecting patients instead of images is worth: the same training with images as records, in a sentence."""

from __future__ import annotations

import math

from medpriv_core.errors import SettingError
from medpriv_core.patients import PatientCount
from medpriv_core.privacy.dp_sgd import MAX_IMAGES_PER_PATIENT
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.spec import RunSpec


def image_instead(spec: RunSpec, *, images: int, patients: PatientCount | None) -> str:
    """What would hold if the same training drew images: for one image, and for the patient with the most.

    A target ε is kept for the image; a noise multiplier is kept as it is.

    Args:
        spec: A DP-SGD run that protects patients.
        images: In the training set.
        patients: Of the training set.

    Returns:
        One sentence or two, each ε with its δ.

    Raises:
        SettingError: No run can have these settings on so many images.
    """
    assert patients is not None
    plan = plan_run(spec.changed(unit="image", images_drawn=1), train_size=images)
    delta = format_delta(plan.delta)
    said = f"With images drawn instead, one image would have ε = {format_epsilon(plan.epsilon)} (δ = {delta})"
    largest = min(patients.largest, MAX_IMAGES_PER_PATIENT)
    try:
        worst = plan.epsilon_patient(largest)
    except SettingError:
        return f"{said}; for the patient with {patients.largest} images, ε cannot be computed with so small a δ."
    holds = "no ε would hold" if math.isinf(worst) else f"it would be ε = {format_epsilon(worst)} (δ = {delta})"
    at_least = " at least" if patients.largest > largest and math.isfinite(worst) else ""
    return f"{said}; for the patient with {patients.largest} images,{at_least} {holds}."
