"""The datasets page: what is here, and adding a folder or file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.datasets.fetching import start_fetch
from medpriv_core.datasets.registry import add_dataset, content_of, list_datasets
from medpriv_core.home import DataHome
from medpriv_core.jobs import job as job_module
from medpriv_core.jobs.folder import Ending
from medpriv_core.runs import service
from medpriv_core.shown_text import for_markdown
from tests.datasets.builders import chest_files, idrid_files, image_bytes, write_folder, write_npz, write_zip
from tests.exports.runs import PRIVATE, RUN_ID, put_run
from tests.pages.conftest import texts
from tests.small_data import NAME, add_small_dataset

OpenPage = Callable[..., AppTest]


def test_every_dataset_is_listed_with_its_origin(open_page: OpenPage, home: DataHome) -> None:
    page = open_page("datasets")
    assert not page.exception
    said = texts(page)
    others = page.selectbox(key="further").options
    for entry in list_datasets(home):
        assert entry.info.title in said or entry.info.title in others
        assert (":orange-badge[synthetic]" if entry.info.synthetic else ":green-badge[real]") in said


def test_a_file_is_added_by_its_path_and_forgotten_again(open_page: OpenPage, home: DataHome, tmp_path: Path) -> None:
    add_small_dataset(home, tmp_path)
    home.registry.unlink()
    page = open_page("datasets")
    page.text_input(key=f"path_{NAME}").set_value(str(tmp_path / "pneumoniamnist.npz")).run()
    page.button(key=f"add_{NAME}").click().run()
    assert not page.error
    assert "Training: 60 Normal, 60 Pneumonia" in texts(page)
    page.button(key=f"forget_{NAME}").click().run()
    assert "60 Normal" not in texts(page)
    assert (tmp_path / "pneumoniamnist.npz").is_file()


def test_any_set_of_medmnist_is_chosen_and_added(open_page: OpenPage, home: DataHome, tmp_path: Path) -> None:
    path = write_npz(tmp_path / "bloodmnist.npz", channels=3, classes=8)
    page = open_page("datasets")
    others = page.selectbox(key="further")
    assert len(others.options) == 9 + 14  # findings of ChestMNIST
    others.select("bloodmnist").run()
    page.text_input(key="path_bloodmnist").set_value(str(path)).run()
    page.button(key="add_bloodmnist").click().run()
    assert not page.error
    assert "3 Basophil, 3 Eosinophil" in texts(page)
    assert "bloodmnist" not in [str(one) for one in page.selectbox(key="further").options]
    assert len(page.selectbox(key="further").options) == 8 + 14  # findings of ChestMNIST


def test_a_fetch_that_began_before_the_page_was_opened_is_shown(
    open_page: OpenPage, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "start_process", lambda *command, **more: None)
    start_fetch(home, "bloodmnist", 64)
    job = start_fetch(home, "pneumoniamnist", 128)
    page = open_page("datasets")
    assert len(page.selectbox(key="further").options) == 8 + 14  # findings of ChestMNIST
    for name, size in (("bloodmnist", 64), ("pneumoniamnist", 128)):
        assert page.segmented_control(key=f"size_{name}").value == size
        assert page.button(key=f"stop_{name}")
    job.end(Ending("failed", 1, "There is no network."), {})
    page = open_page("datasets")
    assert page.segmented_control(key="size_pneumoniamnist").value == 128
    assert "There is no network." in [one.value for one in page.error]


def test_idrid_is_offered_and_added_from_its_published_zip(open_page: OpenPage, tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "B. Disease Grading.zip", idrid_files(published=True), prefix="B. Disease Grading/")
    page = open_page("datasets")
    assert "CC BY 4.0" in next(caption.value for caption in page.caption if "Porwal" in caption.value)
    page.text_input(key="path_idrid").set_value(str(archive)).run()
    page.button(key="add_idrid").click().run()
    assert not page.error
    assert "Test: 1 No DR, 1 Mild, 1 Moderate, 1 Severe, 1 Proliferative" in texts(page)


def test_a_wrong_path_is_explained(open_page: OpenPage) -> None:
    page = open_page("datasets")
    page.text_input(key="path_chest_xray").set_value("/no/such/folder").run()
    page.button(key="add_chest_xray").click().run()
    assert "no folder or file at /no/such/folder" in page.error[0].value


def test_a_dataset_that_vanished_says_what_to_do(open_page: OpenPage, home: DataHome, tmp_path: Path) -> None:
    add_small_dataset(home, tmp_path)
    (tmp_path / "pneumoniamnist.npz").unlink()
    assert "nothing is there any more" in open_page("datasets").error[0].value


def test_what_was_spent_on_images_is_shown_also_when_its_run_is_purged(open_page: OpenPage, home: DataHome) -> None:
    put_run(home, PRIVATE, content=content_of(home, "synthetic_chest"))
    shown = next(text.value for text in open_page("datasets").caption if "trained here on these images" in text.value)
    assert shown.startswith("The one DP-SGD network trained here on these images so far")
    assert "(δ = 1e-5; one image added or removed; Poisson subsampling; PLD accountant)" in shown
    assert "Networks trained without privacy are not counted" in shown
    service.delete(home, RUN_ID)
    service.purge(home, RUN_ID)
    assert shown in [text.value for text in open_page("datasets").caption]


def test_adding_shows_what_was_left_out_with_names_and_later_without(
    open_page: OpenPage, home: DataHome, tmp_path: Path
) -> None:
    extra = {"holdout/![x](http:a).jpeg": image_bytes(50, file_format="JPEG")}
    folder = write_folder(tmp_path / "set", chest_files() | extra)
    page = open_page("datasets")
    page.text_input(key="path_chest_xray").set_value(f' "{folder}" ').run()
    page.button(key="add_chest_xray").click().run()
    assert not page.error
    said = texts(page)
    assert "1 left out" in said
    assert f"holdout/{for_markdown('![x](http:a)')}.jpeg" in said  # shown as it is, and nothing is fetched
    assert "![x]" not in said
    later = texts(open_page("datasets"))
    assert "1 left out" in later
    assert "holdout/" not in later


def test_files_that_went_are_said_and_counted_anew_on_a_click(
    open_page: OpenPage, home: DataHome, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "set", chest_files(train=8))
    add_dataset(home, "chest_xray", folder)
    for file in sorted((folder / "train").rglob("*-[0-3].jpeg")):
        file.unlink()
    page = open_page("datasets")
    assert "8 training and 4 test images are there now, 16 and 4 were then" in page.warning[0].value
    assert "Training: 4 Normal, 4 Pneumonia" in texts(page)
    page.button(key="again_chest_xray").click().run()
    assert not page.warning
    train = open_page("train")
    assert not train.warning


def test_a_folder_whose_name_is_no_utf8_is_shown_and_forgotten(
    open_page: OpenPage, home: DataHome, tmp_path: Path
) -> None:
    place = write_folder(tmp_path / os.fsdecode(b"Bj\xf8rn"), chest_files())
    add_dataset(home, "chest_xray", place)
    page = open_page("datasets")
    assert not page.exception
    assert "Bj\ufffdrn" in texts(page)
    "".join(texts(page)).encode("utf-8")
    page.button(key="forget_chest_xray").click().run()
    assert not page.error


def test_a_budget_is_set_and_what_would_exceed_it_cannot_be_launched(open_page: OpenPage, home: DataHome) -> None:
    put_run(home, PRIVATE)
    page = open_page("datasets")
    page.session_state["budget_synthetic_chest"] = True
    page.run()
    assert "No budget is set for these images." in texts(page)
    assert page.dataframe[0].value["protects"].tolist() == ["one image"]
    assert "Given away together" not in texts(page)
    page.button(key="given_button_synthetic_chest").click().run()
    assert "Given away together: " in texts(page)
    page.button(key="given_button_synthetic_chest").click().run()
    assert "Given away together" not in texts(page)
    page.number_input(key="budget_epsilon_synthetic_chest").set_value(0.5)
    page.button(key="budget_set_synthetic_chest").click().run()
    assert "Budget of these images: ε = 0.5 (δ = 1e-5; one patient with all images" in texts(page)
    train = open_page("train")
    train.segmented_control(key="train_method").set_value("dp_sgd").run()
    assert "more than their budget allows" in train.error[0].value
    assert train.button(key="launch").disabled
    train.segmented_control(key="train_method").set_value("none").run()
    assert not train.button(key="launch").disabled
