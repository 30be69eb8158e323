"""The registry: what is listed, added, opened, gone and forgotten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

from medpriv_core.datasets.medmnist_sets import READ
from medpriv_core.datasets.registry import (
    add_dataset,
    dataset_info,
    dataset_names,
    list_datasets,
    open_dataset,
    remove_dataset,
)
from medpriv_core.errors import DataHomeError, DatasetError
from medpriv_core.home import DataHome
from medpriv_core.progress import Cancelled
from tests.datasets.builders import aptos_files, chest_files, idrid_files, write_folder, write_npz, write_zip

REAL = ["chest_xray", "aptos2019", "idrid", *(one.name for one in READ)]


def entry_of(home: DataHome, name: str) -> Any:
    return next(entry for entry in list_datasets(home) if entry.info.name == name)


def test_a_first_start_lists_the_embedded_and_the_known_datasets(home: DataHome) -> None:
    entries = {entry.info.name: entry for entry in list_datasets(home)}
    assert list(entries) == dataset_names() == ["synthetic_chest", "synthetic_fundus", "retina_photo", *REAL]
    assert [name for name, entry in entries.items() if not entry.available] == REAL
    assert all(entries[name].how_to_add and entries[name].train is None for name in REAL)
    assert entries["synthetic_chest"].info.synthetic
    assert entries["synthetic_chest"].train > 0
    assert not entries["chest_xray"].info.synthetic
    assert not home.root.exists()


def test_names_and_facts_agree(home: DataHome) -> None:
    for name in dataset_names():
        assert dataset_info(name).name == name
    assert dataset_info("aptos2019").ordered
    assert dataset_info("retinamnist").classes == ("No DR", "Mild", "Moderate", "Severe", "Proliferative")


def test_an_added_folder_is_listed_and_opened(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", chest_files(train=3, test=2))
    entry = add_dataset(home, "chest_xray", folder)
    assert entry == entry_of(home, "chest_xray")
    assert (entry.available, entry.location, entry.problem) == (True, str(folder), None)
    assert (entry.train_counts, entry.test_counts) == ((3, 3), (2, 2))
    assert (entry.train, entry.test) == (6, 4)
    assert open_dataset(home, "chest_xray").split("test").image(0).size == (12, 10)


@pytest.mark.parametrize("name", ["aptos2019", "idrid", "pneumoniamnist", "retinamnist", "chest_xray"])
def test_every_kind_can_be_added_by_path(home: DataHome, tmp_path: Path, name: str) -> None:
    if name == "aptos2019":
        path = write_zip(tmp_path / "a.zip", aptos_files({f"i{n}": n % 5 for n in range(25)}))
    elif name == "idrid":
        path = write_zip(tmp_path / "i.zip", idrid_files(), prefix="B. Disease Grading/")
    elif name == "chest_xray":
        path = write_zip(tmp_path / "c.zip", chest_files(), prefix="chest_xray/")
    else:
        path = write_npz(tmp_path / "m.npz", channels=dataset_info(name).channels, classes=2)
    add_dataset(home, name, str(path))
    opened = open_dataset(home, name)
    assert opened.info.name == name
    assert len(opened.split("train").labels) == entry_of(home, name).train


def test_a_relative_path_is_kept_as_an_absolute_one(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "set", chest_files())
    monkeypatch.chdir(tmp_path)
    assert add_dataset(home, "chest_xray", "set").location == str(tmp_path / "set")


def test_files_that_are_not_in_order_are_not_added(home: DataHome, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(DatasetError):
            add_dataset(home, "chest_xray", path)
    assert not entry_of(home, "chest_xray").available


def test_cancelled_adding_adds_nothing(home: DataHome, tmp_path: Path) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        add_dataset(home, "chest_xray", write_folder(tmp_path / "set", chest_files()), progress=stop)
    assert not entry_of(home, "chest_xray").available


def test_a_dataset_that_vanished_is_listed_with_its_problem(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", chest_files())
    add_dataset(home, "chest_xray", folder)
    shutil.rmtree(folder)
    entry = entry_of(home, "chest_xray")
    assert not entry.available
    assert "nothing is there any more" in entry.problem
    with pytest.raises(DatasetError, match="nothing is there any more"):
        open_dataset(home, "chest_xray")


def test_adding_again_replaces_the_place(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "old", chest_files(train=2)))
    add_dataset(home, "chest_xray", write_folder(tmp_path / "new", chest_files(train=4)))
    assert entry_of(home, "chest_xray").location == str(tmp_path / "new")
    assert entry_of(home, "chest_xray").train == 8


def test_removing_forgets_the_place_and_keeps_the_files(home: DataHome, tmp_path: Path) -> None:
    files = chest_files()
    folder = write_folder(tmp_path / "set", files)
    add_dataset(home, "chest_xray", folder)
    remove_dataset(home, "chest_xray")
    assert not entry_of(home, "chest_xray").available
    assert all((folder / name).read_bytes() == content for name, content in files.items())
    with pytest.raises(DatasetError, match="was not added"):
        remove_dataset(home, "chest_xray")


def test_a_changed_folder_has_another_key_at_the_next_start(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", chest_files())
    add_dataset(home, "chest_xray", folder)
    before = open_dataset(home, "chest_xray").content_key()
    assert open_dataset(home, "chest_xray").content_key() == before
    next((folder / "train" / "NORMAL").iterdir()).unlink()
    assert open_dataset(home, "chest_xray").content_key() != before


@pytest.mark.parametrize("action", [open_dataset, remove_dataset, lambda home, name: add_dataset(home, name, "x")])
def test_an_unknown_name_gets_the_list_of_names(home: DataHome, action: Any) -> None:
    with pytest.raises(DatasetError, match=r"no dataset 'chest'.*synthetic_chest.*retinamnist"):
        action(home, "chest")


def test_a_dataset_that_is_not_added_says_how_to_add_it(home: DataHome) -> None:
    with pytest.raises(DatasetError, match=r"has not been added yet.*train/NORMAL"):
        open_dataset(home, "chest_xray")


def test_embedded_datasets_cannot_be_added(home: DataHome, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is built in"):
        add_dataset(home, "retina_photo", tmp_path)


@pytest.mark.parametrize("text", ["{ not json", "[]", '{"chest_xray": {"folder": "x"}}'])
def test_a_damaged_list_is_reported_and_not_overwritten(home: DataHome, tmp_path: Path, text: str) -> None:
    home.root.mkdir(parents=True)
    home.registry.write_text(text)
    for action in (list_datasets, lambda home: add_dataset(home, "chest_xray", write_folder(tmp_path, chest_files()))):
        with pytest.raises(DatasetError, match=r"is damaged. Remove that file"):
            action(home)
    assert home.registry.read_text() == text


def test_a_data_home_that_is_a_file_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way")
    with pytest.raises(DataHomeError, match="MEDPRIV_HOME"):
        add_dataset(DataHome(tmp_path / "home"), "chest_xray", write_folder(tmp_path / "set", chest_files()))


def test_the_registry_is_plain_json(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "set", chest_files()))
    assert json.loads(home.registry.read_text())["chest_xray"]["path"] == str(tmp_path / "set")


def test_the_retina_photograph_is_scikit_images_own(home: DataHome) -> None:
    photo = open_dataset(home, "retina_photo")
    assert not photo.info.trainable
    assert np.array_equal(np.asarray(photo.split("train").image(0)), data.retina())
    assert len(photo.split("train").labels) == 1
    assert len(photo.split("test").labels) == 0
