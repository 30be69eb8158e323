"""Whose images they are, by names of files."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.datasets.base import SplitName
from medpriv_core.datasets.files import FileSplit
from medpriv_core.datasets.idrid import Idrid
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.patients import count_patients, patients_of
from medpriv_core.datasets.registry import list_datasets, open_dataset
from medpriv_core.home import DataHome
from medpriv_core.patients import PatientCount, patient_facts, recorded_patients


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("person1_bacteria_1.jpeg", "person1_bacteria"),
        ("train/PNEUMONIA/person1_bacteria_2.jpeg", "person1_bacteria"),
        ("person1_virus_6.jpeg", "person1_virus"),  # another patient than the one above
        ("person1000_virus_1681.jpeg", "person1000_virus"),
        ("person447_virus_921_1.jpeg", "person447_virus"),
        ("PERSON447_VIRUS_921.JPG", "person447_virus"),
        ("IM-0001-0001.jpeg", "im-0001"),
        ("NORMAL2-IM-0001-0001.jpeg", "normal2-im-0001"),
        ("NORMAL2-IM-1401-0001-0002.jpeg", "normal2-im-1401"),
        ("BACTERIA-1008087-0001.jpeg", "1008087"),
        ("VIRUS-1008087-0002.jpeg", "1008087"),
        ("0001.jpeg", None),
        ("person1.jpeg", None),
        ("xperson1_bacteria_1.jpeg", None),
        ("", None),
    ],
)
def test_a_chest_x_ray_tells_whose_it_is(name: str, key: str | None) -> None:
    assert ChestXray.patient_key(name) == key
    assert Idrid.patient_key(name) is None


def test_patients_are_counted_only_if_every_name_tells(home: DataHome) -> None:
    names = ["person1_bacteria_1.jpeg", "person1_bacteria_2.jpeg", "person1_virus_1.jpeg", "IM-0001-0001.jpeg"]
    assert count_patients(_named(names)) == PatientCount(3, 2)
    assert count_patients(_named([*names, "scan.jpeg"])) is None
    assert count_patients(_named([])) is None
    assert patients_of(open_dataset(home, "synthetic_chest")) == PatientCount(640, 1)
    assert patients_of(open_dataset(home, "retina_photo")) is None


def test_what_is_not_known_is_recorded_as_that() -> None:
    assert patient_facts(None) == {"patients": None, "largest_patient_images": None}
    assert recorded_patients(patient_facts(PatientCount(9, 4))) == PatientCount(9, 4)
    for damaged in ({}, {"patients": 3}, {"patients": "3", "largest_patient_images": 1}, patient_facts(None)):
        assert recorded_patients(damaged) is None


def test_synthetic_images_are_each_of_somebody_else(home: DataHome) -> None:
    patients = {entry.info.name: entry.patients for entry in list_datasets(home)}
    assert patients["synthetic_chest"] == PatientCount(640, 1)
    assert patients["chest_xray"] is None  # not added


class _Named(ChestXray):
    """Chest X-rays of which nothing is known but their names."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def split(self, name: SplitName) -> FileSplit:
        labels = np.zeros(len(self._names), dtype=np.int64)
        return FileSplit(files=None, names=self._names, ids=self._names, labels=labels, channels=1)


def _named(names: list[str]) -> list[str] | None:
    found = _Named(names).patients("train")
    return None if found is None else list(found)
