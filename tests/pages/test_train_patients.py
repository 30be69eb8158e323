"""The train page: whom a run protects, patients or images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.datasets.registry import add_dataset
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from tests.datasets.builders import image_bytes, write_zip
from tests.pages.conftest import texts
from tests.pages.test_train import choose_no_weights, green_lights, spoken

OpenPage = Callable[..., AppTest]


def test_more_images_of_a_patient_are_protected_less(open_page: OpenPage) -> None:
    page = open_page("train")
    page.button(key="preset_sound").click().run()
    assert "all 3 images" not in texts(page)
    page.number_input(key="train_several_images").set_value(3).run()
    (patient,) = [text for text in spoken(page) if "all 3 images of a patient replaced by empty ones" in text]
    # The group bound e^k-fold: at least the single image's epsilon, and less than any sum of three would make it.
    assert 3 < float(patient.split("ε = ")[1].split(" ")[0]) < 20
    page.number_input(key="train_delta").set_value(1e-12).run()
    assert not page.exception


def test_patients_are_protected_where_they_are_known(
    open_page: OpenPage, home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    whose = ("person1_virus_1", "person1_virus_2", "person1_virus_3", "person2_virus_1", "person3_bacteria_1")
    files = {
        f"{split}/{folder}/{name}.jpeg": image_bytes(100 * place + number, file_format="JPEG")
        for split in ("train", "test")
        for place, folder in enumerate(("NORMAL", "PNEUMONIA"))
        for number, name in enumerate(whose)
    }
    add_dataset(home, "chest_xray", write_zip(tmp_path / "chest.zip", files))
    page = open_page("train")
    page.selectbox(key="train_dataset").set_value("chest_xray").run()
    page.segmented_control(key="train_method").set_value("dp_sgd").run()
    choose_no_weights(page)
    page.number_input(key="train_batch_size").set_value(2)
    page.number_input(key="train_delta").set_value(1e-2).run()
    assert page.selectbox(key="train_unit").value == "auto"
    assert "3 patients; the one with the most has 6 images." in texts(page)
    assert "one patient with all images and labels added or removed" in texts(page)
    assert "Patients are drawn, not images (3; the one with the most has 6)" in texts(green_lights(page))
    assert "for the patient with 6 images, it would be ε = " in texts(page)
    page.number_input(key="train_images_drawn").set_value(4).run()
    page.button(key="launch").click().run()
    page = open_page("train")
    page.selectbox(key="train_dataset").set_value("chest_xray").run()
    page.segmented_control(key="train_method").set_value("dp_sgd").run()
    choose_no_weights(page)
    page.number_input(key="train_batch_size").set_value(2)
    page.number_input(key="train_delta").set_value(1e-2)
    page.selectbox(key="train_unit").set_value("image").run()
    assert "one image added or removed" in texts(page)
    assert "one patient has 6 of the training images, and for that patient ε = " in texts(page)
    page.button(key="launch").click().run()
    specs = [run.spec for run in service.list_runs(home)]
    assert [(spec.unit, spec.images_drawn) for spec in specs if spec] == [("image", 1), ("patient", 4)]
