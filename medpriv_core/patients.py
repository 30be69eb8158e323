"""Patients with several images: epsilon counts single images, and such a patient has more at stake.

How many images the patient with the most has is counted by names of files (``medpriv_core.datasets.patients``), kept
with the dataset and in ``setup.json`` of every run:

>>> recorded_patients({"patients": 3654, "largest_patient_images": 30})
PatientCount(patients=3654, largest=30)
>>> recorded_patients({"patients": None}) is None
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medpriv_core.errors import SettingError

if TYPE_CHECKING:
    from medpriv_core.spec import RunSpec

PATIENTS, LARGEST = "patients", "largest_patient_images"


@dataclass(frozen=True)
class PatientCount:
    """Of a training set, by the names of its files.

    patients  how many there are
    largest   images of the one who has the most
    """

    patients: int
    largest: int


def recorded_patients(record: Mapping[str, Any]) -> PatientCount | None:
    """What a run's ``setup.json`` or the list of datasets says of them; None where it does not, or not sensibly."""
    patients, largest = record.get(PATIENTS), record.get(LARGEST)
    if not (type(patients) is int and type(largest) is int and patients >= 1 and largest >= 1):
        return None
    return PatientCount(patients, largest)


def patient_facts(count: PatientCount | None) -> dict[str, int | None]:
    """For ``setup.json``: also that nothing is known is a fact."""
    return {PATIENTS: count.patients if count else None, LARGEST: count.largest if count else None}


def count_records(spec: RunSpec, *, images: int, patients: PatientCount | None, dataset: str) -> int:
    """How many records a run draws from, n: training images, or patients where these are the record.

    ``dataset`` is what the dataset is called. Raises ``SettingError`` for patients that nobody knows.
    """
    if spec.record == "image":
        return images
    if patients is None:
        raise SettingError(
            f"It is not known of each training image of {dataset} whose it is, so patients cannot be protected as a "
            "whole. Set [unit] to [unit=image]."
        )
    return patients.patients
