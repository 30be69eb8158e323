"""The images of a run: what is learned from, what is tested on, and whether the run can use them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.datasets.base import PreparedDataset
from medpriv_core.errors import DatasetError, SettingError
from medpriv_core.patients import count_records
from medpriv_core.records.setup import Setup
from medpriv_core.spec import RunSpec


@dataclass(frozen=True)
class TrainingData:
    """The images of a run; ``noised`` is the Local-DP copy, whose training images then replace the clean ones."""

    clean: PreparedDataset
    noised: PreparedDataset | None = None

    @property
    def content(self) -> str:
        """The content key of the images, whatever their size."""
        return self.clean.key.partition("-")[0]

    @property
    def train(self) -> PreparedDataset:
        """The dataset whose training split is learned from."""
        return self.noised or self.clean

    @property
    def tests(self) -> dict[str, PreparedDataset]:
        """The datasets whose test splits are evaluated, by name: "test", and under Local-DP "test_noised"."""
        return {"test": self.clean} | ({"test_noised": self.noised} if self.noised else {})


def records_of(data: TrainingData, spec: RunSpec) -> int:
    """How many records the steps draw from; raises ``SettingError`` for patients that nobody knows."""
    images, patients = len(data.train.train.labels), data.clean.patients
    return count_records(spec, images=images, patients=patients, dataset=data.clean.info.title)


def check_data(data: TrainingData, spec: RunSpec) -> None:
    """Raise ``SettingError`` or ``DatasetError`` if the run cannot learn from, or be tested on, these images."""
    info = data.clean.info
    if not info.trainable:
        raise SettingError(f"{info.title} is for looking at only; choose a dataset with labelled images to train on.")
    if not len(data.clean.test.labels):
        raise DatasetError(f"{info.title} has no test images, so no accuracy could be measured; add some.")
    spec.check_dataset_size(records_of(data, spec))
    if spec.class_weights is not None and len(spec.class_weights) != len(info.classes):
        raise SettingError(
            f"[class_weights] has {len(spec.class_weights)} numbers, but {info.title} has {len(info.classes)} classes "
            f"({', '.join(info.classes)}); give one number for each."
        )


def data_facts(data: TrainingData) -> Setup:
    """Content key, sizes, class counts and patients, as a run records them."""
    classes = data.clean.info.classes
    train, test = data.train.train.labels, data.clean.test.labels
    test_counts = np.bincount(test, minlength=len(classes))
    patients = data.clean.patients
    return Setup(
        content=data.content,
        train_size=len(train),
        test_size=len(test),
        classes=tuple(classes),
        train_class_counts=tuple(np.bincount(train, minlength=len(classes)).tolist()),
        test_class_counts=tuple(test_counts.tolist()),
        majority_rate=float(test_counts.max() / len(test)),
        patients=patients.patients if patients else None,
        largest_patient_images=patients.largest if patients else None,
        patients_counted=True,
        reading=data.clean.info.reading,
    )
