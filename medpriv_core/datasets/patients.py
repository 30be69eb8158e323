"""Whose images they are: patients, as far as names of files tell.

Epsilon of DP-SGD counts single images. A patient with 30 images in the training set has far more at stake, so whoever
adds a dataset is told how many images the patient with the most has. Only some names of files say whose they are; of
which datasets, and how, says ``AddedDataset.patient_key``.

>>> count_patients(["ann", "ann", "bob"])
PatientCount(patients=2, largest=2)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from medpriv_core.datasets.base import AddedDataset, Dataset, SplitName
from medpriv_core.patients import PatientCount


def count_patients(patients: Sequence[str] | None) -> PatientCount | None:
    """Patients of a training set, of whose images each is named once; None where nothing is known."""
    return PatientCount(len(set(patients)), max(Counter(patients).values())) if patients else None


def patients_of(dataset: Dataset | AddedDataset) -> PatientCount | None:
    """Patients of a dataset's training images; of drawn ones nobody has two."""
    if dataset.info.synthetic:
        return PatientCount(len(dataset.split("train").labels), 1)
    return count_patients(dataset.patients("train")) if isinstance(dataset, AddedDataset) else None


def patient_numbers(dataset: Dataset | AddedDataset, split: SplitName) -> np.ndarray | None:
    """Whose each image of a split is: int64 (n,), numbered from 0 in their order; None where that is not known."""
    if dataset.info.synthetic:
        return np.arange(len(dataset.split(split).labels))
    patients = dataset.patients(split) if isinstance(dataset, AddedDataset) else None
    if patients is None:
        return None
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(patient, len(numbers)) for patient in patients], dtype=np.int64)


def several_images(patients: Sequence[str]) -> list[str]:
    """For each image of a split how many of it are of the same patient: 1, 2 to 4, or 5 and more.

    >>> several_images(["ann", "bob", "bob"])
    ['1', '2 to 4', '2 to 4']
    """
    counts = Counter(patients)
    return ["1" if counts[one] == 1 else "2 to 4" if counts[one] < 5 else "5 and more" for one in patients]
