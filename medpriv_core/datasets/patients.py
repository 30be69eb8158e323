"""Whose images they are: patients, as far as names of files tell.

Epsilon of DP-SGD counts single images. A patient with 30 images in the training set has far more at stake, so whoever
adds a dataset is told how many images the patient with the most has. Only some names of files say whose they are:

chest_xray   ``person1000_virus_1681.jpeg``: cause and number together are a patient. The numbers of bacteria and virus
             count different patients: images of one number and different causes are as unlike as those of strangers.
             ``IM-0115-0001.jpeg``, ``NORMAL2-IM-0012-0001-0002.jpeg``: kind of name and first number.
             ``BACTERIA-1008087-0001.jpeg``, as a later edition has it: the first number is the patient's.
synthetic    each image is drawn by itself: nobody has two

>>> patient_key("chest_xray", "PNEUMONIA/person1000_virus_1681.jpeg"), patient_key("idrid", "IDRiD_01.jpg")
('person1000_virus', None)
>>> count_patients("chest_xray", ["person1_bacteria_1.jpeg", "person1_bacteria_2.jpeg", "IM-0001-0001.jpeg"])
PatientCount(patients=2, largest=2)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from medpriv_core.datasets.base import Dataset
from medpriv_core.patients import PatientCount

_CHEST = (
    re.compile(r"(person\d+_(?:bacteria|virus)|(?:NORMAL2-)?IM-\d+)(?:[-_]\d+)+(?:\.\w+)?", re.IGNORECASE),
    re.compile(r"(?:BACTERIA|VIRUS|NORMAL)-(\d+)-\d+(?:\.\w+)?", re.IGNORECASE),
)


def patient_key(dataset: str, file_name: str) -> str | None:
    """What is the same for all images of a patient and different for others; None where the name does not tell."""
    if dataset != "chest_xray":
        return None
    name = re.split(r"[/\\]", file_name)[-1]
    found = (pattern.fullmatch(name) for pattern in _CHEST)
    return next((match[1].lower() for match in found if match), None)


def count_patients(dataset: str, file_names: Sequence[str], *, synthetic: bool = False) -> PatientCount | None:
    """Patients of a training set with these files; None unless every name tells whose the image is."""
    if not file_names:
        return None
    if synthetic:
        return PatientCount(len(file_names), 1)
    images: Counter[str] = Counter()
    for file_name in file_names:
        key = patient_key(dataset, file_name)
        if key is None:
            return None
        images[key] += 1
    return PatientCount(len(images), max(images.values()))


def patients_of(dataset: Dataset) -> PatientCount | None:
    """Patients of a dataset's training images."""
    info = dataset.info
    return count_patients(info.name, dataset.split("train").ids, synthetic=info.synthetic)
