"""What a run recorded when it began: ``setup.json``, written by its worker before the first step.

>>> setup = Setup.from_dict({"train_size": 640, "classes": ["Normal", "Pneumonia"], "patients": None})
>>> setup.train_size, setup.classes, setup.patients, setup.patients_counted, setup.guarantee.sampling
(640, ('Normal', 'Pneumonia'), None, True, None)
>>> setup.to_dict()
{'patients': None, 'largest_patient_images': None, 'train_size': 640, 'classes': ['Normal', 'Pneumonia']}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

from medpriv_core.patients import LARGEST, PATIENTS, PatientCount, recorded_patients
from medpriv_core.pictures.reading import AS_USUAL, Reading
from medpriv_core.privacy.facts import GuaranteeFacts
from medpriv_core.privacy.steps import MOST_STEPS
from medpriv_core.records.kinds import (
    MOST_EPOCHS,
    Count,
    Fits,
    Positive,
    PositiveShare,
    Record,
    Share,
    Stored,
    Whole,
    Within,
    as_object,
    covered,
)

ClassName = Annotated[str, Fits(lambda name: 0 < len(name) < 200)]


@dataclass(frozen=True, kw_only=True)
class Setup(Record):
    """Facts fixed at the start; None, or empty, where they were not recorded. ``Setup()`` before a run has begun.

    content             key of the images, whatever their size
    train_size, test_size   images
    classes             names in the order of the outputs
    train_class_counts, test_class_counts   images of each
    majority_rate       share of the most frequent class among the test images
    image_size, input_size  pixels a side, as stored and as the network sees them
    steps_per_epoch, sample_rate, noise_multiplier  of the loop; the last two of DP-SGD
    parameters          numbers that learn
    device, precision   on which it was computed, and how
    weights             where the pretrained weights came from, in a sentence
    weights_doubt       a sentence where they do not look trained
    resumed_from_epoch  of the last session, where it is not the first
    patients, largest_patient_images  of the training set, by the names of its files, and of the one who has the most
    patients_counted    whether the names were looked at
    guarantee           what the guarantee of DP-SGD rests on; ``GuaranteeFacts()`` where that was not recorded
    reading             how files became squares
    second_accountant   what another program said of epsilon (``privacy.second_accountant``)

    The number of training images is public by assumption, as the noise depends on it, and so are the number of patients
    and the largest number of images of one: what epsilon means for a patient depends on them.
    """

    content: str | None = None
    train_size: Count | None = covered()
    test_size: Count | None = covered()
    classes: tuple[ClassName, ...] = covered(())
    train_class_counts: tuple[Whole, ...] | None = None
    test_class_counts: tuple[Whole, ...] | None = covered()
    majority_rate: Share | None = covered()
    image_size: Count | None = covered()
    input_size: Count | None = covered()
    steps_per_epoch: Annotated[int, Within(1, MOST_STEPS)] | None = covered()
    sample_rate: PositiveShare | None = covered()
    noise_multiplier: Positive | None = covered()
    parameters: Annotated[int, Within(0, 10**12)] | None = covered()
    device: str | None = covered()
    precision: str | None = covered()
    weights: str | None = covered()
    weights_doubt: str | None = covered()
    resumed_from_epoch: Annotated[int, Within(0, MOST_EPOCHS)] | None = covered()
    medpriv_version: str | None = covered()
    torch_version: str | None = covered()
    opacus_version: str | None = covered()
    patients: Whole | None = covered()
    largest_patient_images: Whole | None = covered()
    patients_counted: bool = covered(False)
    guarantee: GuaranteeFacts = covered(GuaranteeFacts())
    reading: Reading = covered(AS_USUAL)
    second_accountant: Annotated[Mapping[str, Any] | None, Stored(as_object, dict)] = covered()

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The facts in a JSON value; raises ``Unreadable`` that names what does not fit, and ``Newer``."""
        return replace(super().from_dict(values), patients_counted=PATIENTS in values)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; what is not recorded is not there. That nothing is known of patients is a fact as well."""
        values = super().to_dict()
        counted = values.pop("patients_counted", False)
        return {PATIENTS: None, LARGEST: None} | values if counted else values

    @property
    def records(self) -> int | None:
        """How many records the steps of DP-SGD draw from, n: patients where these are drawn, else images."""
        return self.patients if self.guarantee.unit == "patient" else self.train_size

    @property
    def patient_count(self) -> PatientCount | None:
        """The patients of the training set; None where the names of its files do not tell, or nobody asked them."""
        return recorded_patients({PATIENTS: self.patients, LARGEST: self.largest_patient_images})
