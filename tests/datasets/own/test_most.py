"""A bound on the images of a patient: by names of files alone, counted, and part of the record."""

from __future__ import annotations

from pathlib import Path

import pytest

from medpriv_core.datasets.own.adding import add_own, look, record_of, refresh_own
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.recipe import Recipe
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome
from medpriv_core.patients import PatientCount
from tests.datasets.builders import image_bytes, write_folder


@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_at_most_so_many_training_images_of_a_patient_the_first_by_name(
    home: DataHome, tmp_path: Path, most: int
) -> None:
    names = [f"{split}/{'ab'[n % 2]}/P{n % 5}_{n:02}.png" for split in ("train", "test") for n in range(20)]
    names = [name if "train" in name else name.replace("/P", "/T") for name in names]
    place = write_folder(tmp_path / "set", {name: image_bytes(n) for n, name in enumerate(names)})
    choices = Choices(patient_pattern=r"^([PT]\d+)_", most_images=most)
    found = look(home, "mine", place, choices)
    kept = [image.file for image in found.images if image.split == "train"]
    for patient in range(5):
        # By their own names: folders, which are classes here, do not count.
        own = sorted((name for name in names if f"/P{patient}_" in name), key=lambda name: name.rsplit("/", 1)[-1])
        assert {name for name in kept if f"/P{patient}_" in name} == set(own[:most])
    assert kept == sorted(kept)
    assert sum(image.split == "test" for image in found.images) == 20
    beyond = [item.count for item in found.left_out if item.reason.startswith("training images beyond")]
    assert beyond == ([20 - 5 * most] if most < 4 else [])
    entry = add_own(home, "mine", place, choices)
    assert entry.patients == PatientCount(5, min(most, 4))
    record = record_of(home, "mine").decode()
    assert Recipe.from_toml(record).most_images == most
    assert refresh_own(home, "mine").train == entry.train
    assert add_own(home, "mine", place, Choices(patient_pattern=r"^([PT]\d+)_")).train == 20


def test_without_patients_nothing_can_be_bounded(home: DataHome, tmp_path: Path) -> None:
    images = {f"{'ab'[n % 2]}/{n:02}.png": image_bytes(n) for n in range(12)}
    with pytest.raises(DatasetError, match="only where it is known whose each is"):
        look(home, "mine", write_folder(tmp_path / "set", images), Choices(most_images=2))
    with pytest.raises(DatasetError, match="at least one image is needed"):
        look(home, "mine", tmp_path / "set", Choices(most_images=0))


def test_how_many_images_patients_have_is_told(home: DataHome, tmp_path: Path) -> None:
    whose = [0] * 6 + [1, 1, 2, 2, 3, 4]
    images = {
        f"{split}/{'ab'[n % 2]}/P{p}_{n:02}.png": image_bytes(n) for n, p in enumerate(whose) for split in ["train"]
    }
    images |= {f"test/{'ab'[n % 2]}/T{n}_{n:02}.png": image_bytes(100 + n) for n in range(4)}
    found = look(home, "mine", write_folder(tmp_path / "set", images), Choices(patient_pattern=r"^([PT]\d+)_"))
    assert (
        "The training images are of 5 patients; the one with the most has 6. Of these images, 17% are of patients with "
        "1, 33% are of patients with 2 to 4, 50% are of patients with 5 and more."
    ) in found.notes
