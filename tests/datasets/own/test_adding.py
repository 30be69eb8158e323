"""Adding one's own images: kept as a record, read again, changed, removed; nothing of a patient is kept in clear."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from medpriv_core.datasets.own import dataset as own_dataset
from medpriv_core.datasets.own.adding import (
    add_own,
    check_free,
    choices_from,
    choices_of,
    import_record,
    is_own,
    record_of,
    refresh_own,
    remove_own,
    start_adding,
    thumbnails,
    under_way,
)
from medpriv_core.datasets.own.adding import look as look_at
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.recipe import OwnClass, Recipe
from medpriv_core.datasets.own.tables import Columns
from medpriv_core.datasets.patients import patient_numbers
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import (
    change_notice,
    dataset_info,
    dataset_names,
    dataset_title,
    list_datasets,
    open_dataset,
)
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome
from medpriv_core.patients import PatientCount
from tests.datasets.builders import image_bytes, write_folder
from tests.jobs.here import work_here

NAME = "my_lungs"
TABLE = "image,patient,sex,finding\n" + "".join(
    f"scan{n:02},Smith^John {n // 2},{'FM'[n % 2]},{('well', 'ill')[n // 12]}\n" for n in range(24)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = {f"pics/scan{n:02}.png": image_bytes(n) for n in range(24)}
    return write_folder(tmp_path / "set", images | {"labels.csv": TABLE.encode()})


def entry_of(home: DataHome, name: str = NAME):  # type: ignore[no-untyped-def]
    return next(entry for entry in list_datasets(home) if entry.info.name == name)


def test_what_is_added_is_listed_opened_and_prepared_as_any_dataset(home: DataHome, folder: Path) -> None:
    entry = add_own(home, NAME, folder, Choices(title="Lungs", source="Ours."))
    assert (entry.info.title, entry.info.classes, entry.info.channels) == ("Lungs", ("ill", "well"), 1)
    assert entry.report is not None
    assert dataset_names(home)[-1] == NAME
    assert dataset_info(NAME).source == "Ours."
    assert dataset_title(NAME) == "Lungs"
    listed = entry_of(home)
    assert (listed.available, listed.location) == (True, str(folder))
    assert listed.patients == PatientCount(len(set(_patients(home, "train"))), 2)
    prepared = prepare_dataset(home, NAME, image_size=16)
    assert len(prepared.train.labels) + len(prepared.test.labels) == 24
    assert prepared.train.patients is not None
    assert len(np.unique(prepared.train.patients)) == listed.patients.patients
    assert is_own(home, NAME)


def _patients(home: DataHome, split: str) -> list[int]:
    numbers = patient_numbers(open_dataset(home, NAME), split)  # type: ignore[arg-type]
    assert numbers is not None
    return numbers.tolist()


def test_no_patient_is_kept_in_clear_and_another_home_has_other_hashes(
    home: DataHome, folder: Path, tmp_path: Path
) -> None:
    add_own(home, NAME, folder, Choices())
    for file in home.root.rglob("*"):
        if file.is_file():
            assert b"Smith" not in file.read_bytes(), file
    kept = json.loads((home.root / "own" / NAME / "images.json").read_text())["images"]
    other = DataHome(tmp_path / "other")
    add_own(other, NAME, folder, Choices())
    elsewhere = json.loads((other.root / "own" / NAME / "images.json").read_text())["images"]
    assert [image[:3] for image in kept] == [image[:3] for image in elsewhere]
    assert not {image[3] for image in kept} & {image[3] for image in elsewhere}
    assert "Smith" not in record_of(home, NAME).decode()


def test_a_record_is_taken_to_another_home_without_the_images(home: DataHome, folder: Path, tmp_path: Path) -> None:
    classes = (OwnClass("Ill", ("ill",)), OwnClass("Well", ("well",)))
    first = add_own(home, NAME, folder, Choices(classes=classes, ordered=True, seed=3))
    other = DataHome(tmp_path / "other")
    second = import_record(other, record_of(home, NAME).decode(), folder)
    assert second.info == first.info
    assert (second.train_counts, second.test_counts, second.content) == (
        first.train_counts,
        first.test_counts,
        first.content,
    )


def test_images_that_came_or_went_are_told_and_counted_when_it_is_added_again(home: DataHome, folder: Path) -> None:
    before = add_own(home, NAME, folder, Choices())
    (folder / "pics" / "scan00.png").unlink()
    gone = entry_of(home)
    assert not gone.available
    assert "1 of the 24 images of My lungs are not in" in str(gone.problem)
    text = TABLE.replace("scan00,", "scan24,")
    (folder / "labels.csv").write_text(text)
    (folder / "pics" / "scan24.png").write_bytes(image_bytes(77))
    after = refresh_own(home, NAME)
    assert after.available
    assert after.content != before.content
    assert change_notice(home, NAME) is None
    assert (after.train or 0) + (after.test or 0) == 24


def test_what_fails_leaves_all_as_it_was(home: DataHome, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_own(home, NAME, folder, Choices(title="First"))
    (folder / "pics" / "scan01.png").write_bytes(b"%PDF-1.4")
    with pytest.raises(DatasetError, match=r"1 file cannot be read as images \(pics/scan01.png\), and no run"):
        add_own(home, NAME, folder, Choices(title="Second"))
    assert entry_of(home).info.title == "First"
    with pytest.raises(DatasetError):
        add_own(home, "another", folder, Choices())
    assert "another" not in dataset_names(home)
    assert not (home.root / "own" / "another").exists()


def test_a_removed_one_is_gone_and_the_images_stay(home: DataHome, folder: Path) -> None:
    add_own(home, NAME, folder, Choices())
    remove_own(home, NAME, keep_record=False)
    assert NAME not in dataset_names(home)
    assert len(list((folder / "pics").iterdir())) == 24
    with pytest.raises(DatasetError, match="There is no dataset 'my_lungs'"):
        open_dataset(home, NAME)
    assert dataset_title(NAME) == NAME


@pytest.mark.parametrize("name", ["chest_xray", "synthetic_chest", "pathmnist"])
def test_names_that_medpriv_knows_are_not_free(name: str) -> None:
    with pytest.raises(DatasetError, match="that medpriv knows by that name"):
        check_free(name)


def test_a_damaged_record_is_told_and_takes_nothing_else_with_it(home: DataHome, folder: Path) -> None:
    add_own(home, NAME, folder, Choices())
    add_own(home, "second", folder, Choices())
    (home.root / "own" / NAME / "dataset.toml").write_text("version = 99\n")
    assert "second" in dataset_names(home)
    assert NAME not in dataset_names(home)
    assert list_datasets(home)
    (home.root / "own" / "second" / "images.json").write_text("{")
    with pytest.raises(DatasetError, match=r"list of images .* is damaged\. Add the dataset again"):
        open_dataset(home, "second")


def test_choices_survive_their_way_through_a_job_and_a_record(home: DataHome, folder: Path) -> None:
    choices = Choices(
        columns=Columns("image", "finding", None, "patient", ("sex",)),
        classes=(OwnClass("Ill", ("ill",)), OwnClass("Well", ("well",))),
        table=folder / "labels.csv",
        patient_pattern="x(.)",
        channels=3,
    )
    from dataclasses import asdict

    settings = json.loads(json.dumps(asdict(choices) | {"table": str(choices.table)}))
    assert choices_from(settings) == choices
    recipe = look_at(home, NAME, folder, Choices(title="T")).recipe
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert choices_of(recipe).title == "T"


def test_adding_is_a_job_that_anybody_sees(home: DataHome, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_here(monkeypatch)
    start_adding(home, NAME, str(folder), Choices()).wait()
    assert entry_of(home).available
    assert under_way(home) == []
    (folder / "labels.csv").write_text("nonsense")
    with pytest.raises(DatasetError, match="has no rows"):
        start_adding(home, "broken", str(folder), Choices()).wait()
    ((name, status),) = under_way(home)
    assert (name, status.state) == ("broken", "failed")
    assert "has no rows" in str(status.message)


def test_some_images_of_each_class_are_shown(home: DataHome, folder: Path) -> None:
    grid = thumbnails(folder, look_at(home, NAME, folder, Choices()), of_each=3, side=24)
    assert [len(row) for row in grid] == [3, 3]
    assert {pixels.shape for row in grid for pixels in row} == {(24, 24, 1)}


def test_the_list_of_readers_is_read_once_for_each_state_of_the_folder(
    home: DataHome, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_own(home, NAME, folder, Choices())
    dataset_info(NAME)
    real, read = own_dataset.read_record, []
    monkeypatch.setattr(own_dataset, "read_record", lambda place: read.append(place) or real(place))
    for _ in range(50):
        dataset_info(NAME)
    assert read == []
