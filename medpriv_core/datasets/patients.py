"""Whose images they are: patients, as far as names of files tell.

Epsilon of DP-SGD counts single images. A patient with 30 images in the training set has far more at stake, so whoever
adds a dataset is told how many images the patient with the most has. Only some names of files say whose they are; of
which datasets, and how, says ``AddedDataset.patient_key``.

>>> count_patients(["ann_1.png", "ann_2.png", "bob_1.png"], lambda name: name.split("_")[0])
PatientCount(patients=2, largest=2)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from medpriv_core.datasets.base import AddedDataset, Dataset
from medpriv_core.patients import PatientCount


def count_patients(file_names: Sequence[str], patient_key: Callable[[str], str | None]) -> PatientCount | None:
    """Patients of a training set with these files; None unless every name tells whose the image is."""
    keys = [patient_key(name) for name in file_names]
    if not keys or None in keys:
        return None
    return PatientCount(len(set(keys)), max(Counter(keys).values()))


def patients_of(dataset: Dataset | AddedDataset) -> PatientCount | None:
    """Patients of a dataset's training images; of drawn ones nobody has two."""
    ids = dataset.split("train").ids
    if dataset.info.synthetic:
        return PatientCount(len(ids), 1)
    return count_patients(ids, dataset.patient_key) if isinstance(dataset, AddedDataset) else None
