"""What a DP-SGD run draws, clips and protects as one record: an image, or a patient with all images and labels.

A hospital promises something to patients. Where it is known whose the images are, a run protects patients unless it is
told otherwise; how a step does that is in ``medpriv_core.training.records``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from medpriv_core.errors import SettingError
from medpriv_core.patients import PatientCount
from medpriv_core.setting import Choice, setting

if TYPE_CHECKING:
    from medpriv_core.spec import RunSpec

Unit = Literal["image", "patient"]
UnitChoice = Literal["auto", "image", "patient"]


def unit_setting() -> Any:
    """The field ``unit`` of a run specification."""
    return setting(
        "auto",
        "Record (who is protected)",
        "What is drawn, clipped and protected as one. **A patient**: with all their images and labels; ε is then that "
        "of a patient, however many images they have. **An image**: a patient with several images is protected less. "
        "**Auto**: patients, where it is known of every image whose it is.",
        choices={
            # In the form, which asks only where patients are known.
            "auto": Choice("A patient, with all images", "patients where they are known"),
            "patient": Choice("A patient, with all images", "patients", "patients protected", offered=False),
            "image": Choice("An image", "images", "images protected"),
        },
        methods=("dp_sgd",),
    )


def images_drawn_setting() -> Any:
    """The field ``images_drawn`` of a run specification."""
    return setting(
        1,
        "Images of a drawn patient",
        "How many of a drawn patient's images a step looks at, at most. 1: one at random. More: the mean of their "
        "gradients is clipped once, so ε is the same.",
        bounds=(1, 100),
        unit="images of a patient",
        methods=("dp_sgd",),
        when=lambda settings: settings["unit"] != "image",
    )


def with_unit(spec: RunSpec, patients: PatientCount | None) -> RunSpec:
    """A run with "image" or "patient" in the place of the ``unit`` "auto".

    Args:
        spec: Its specification.
        patients: Of the training set; None where it is not known whose the images are.

    Returns:
        The same with all said. Where nobody has two images, both are the same and it is "image".
    """
    if spec.method != "dp_sgd" or spec.unit != "auto":
        return spec
    if patients is not None and patients.largest > 1 and spec.engine != "microbatch":
        return replace(spec, unit="patient")
    return replace(spec, unit="image", images_drawn=1)


def with_stored_unit(values: Any) -> Any:
    """The settings that a run stored; a DP-SGD run from before there was a unit protected images."""
    if isinstance(values, Mapping) and values.get("method") == "dp_sgd" and "unit" not in values:
        return {**values, "unit": "image"}
    return values


def check_unit(spec: RunSpec) -> None:
    """Raise ``SettingError`` for a unit that a run with these settings cannot have."""
    if spec.unit == "image" and spec.images_drawn != 1:
        raise SettingError("[images_drawn] belongs to [unit=patient], but [unit] is [unit=image]; leave it out.")
    if spec.images_drawn > 1 and spec.method != "dp_sgd":
        raise SettingError(f"[images_drawn] belongs to DP-SGD, but [method] is {spec.method}; leave it out.")
    if spec.images_drawn > 1 and (spec.trainable != "head" or spec.augment):
        raise SettingError(
            "The mean of several images of a patient is for runs in which the last layer alone learns and [augment] is "
            "off; set [images_drawn] to 1, or [trainable] to [trainable=head] and [augment] to false."
        )
    if spec.unit == "auto":
        return
    if spec.method != "dp_sgd":
        raise SettingError(f"[unit] belongs to DP-SGD, but [method] is {spec.method}; leave it out.")
    if spec.unit == "patient" and spec.engine == "microbatch":
        raise SettingError(
            "[engine=microbatch] repeats what the authors did, who counted images; set [unit] to [unit=image], or "
            "[engine] to [engine=one_pass]."
        )
