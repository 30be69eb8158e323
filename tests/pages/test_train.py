"""The train page: presets, bounds, what is said before launch, and launching."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from medpriv_core.presets import PRESETS
from medpriv_core.runs import service
from medpriv_core.spec import RunSpec
from tests.pages.conftest import texts

OpenPage = Callable[..., AppTest]


def choose_no_weights(page: AppTest) -> AppTest:
    return page.selectbox(key="train_weights").set_value("none").run()


def test_it_opens_on_a_run_that_can_be_launched(open_page: OpenPage):
    page = open_page("train")
    assert not page.exception
    assert not page.error
    assert not page.button(key="launch").disabled
    # No weights on this machine: the first run must not need the network, and the page says what it starts from.
    assert page.selectbox(key="train_weights").value == "none"
    assert "expect much lower accuracy" in texts(page)
    assert "Choose ImageNet to have them downloaded" in texts(page)
    assert "**Time:** about" in texts(page)


def test_presets_use_the_weights_that_are_there(open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = open_page("train")
    page.button(key="preset_private").click().run()
    assert page.selectbox(key="train_weights").value == "imagenet"
    assert "will be downloaded" in texts(page)
    (tmp_path / "weights.pth").write_bytes(b"")
    monkeypatch.setenv("MEDPRIV_WEIGHTS", str(tmp_path / "weights.pth"))
    page.button(key="preset_quick").click().run()
    assert page.selectbox(key="train_weights").value == "imagenet"


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_fills_the_form_and_its_run_has_its_settings(open_page: OpenPage, home: DataHome, name: str):
    page = open_page("train")
    page.button(key=f"preset_{name}").click().run()
    assert not page.exception
    choose_no_weights(page)
    assert not page.error
    page.button(key="launch").click().run()
    (run,) = service.list_runs(home)
    assert run.spec == RunSpec(dataset="synthetic_chest", weights="none", **PRESETS[name].settings)


def test_dp_sgd_says_its_epsilon_with_all_it_depends_on(open_page: OpenPage):
    page = open_page("train")
    page.button(key="preset_private").click().run()
    said = texts(page)
    assert "ε = 3 (δ = 1e-5; one image added or removed; Poisson sampling; PLD accountant)" in said
    assert "right at most" in said
    page.segmented_control(key="train_privacy_by").set_value("noise_multiplier").run()
    page.number_input(key="train_noise_multiplier").set_value(10.0).run()
    assert "ε = 3 (" not in texts(page)


def test_local_dp_says_the_epsilon_of_the_picture(open_page: OpenPage):
    page = open_page("train")
    page.segmented_control(key="train_method").set_value("local_dp").run()
    # 64 x 64 grey values at beta 1: 1726.2 at delta 1e-5, see the tests of the accountant.
    assert "Each picture: ε = 1,727 (δ = 1e-5; for any two pictures" in texts(page)
    page.segmented_control(key="train_noise_draw").set_value("per_image").run()
    assert "Each picture: ε = ∞" in texts(page)


def test_a_batch_larger_than_the_dataset_cannot_be_launched_and_says_why(open_page: OpenPage):
    page = open_page("train")
    page.number_input(key="train_batch_size").set_value(641).run()
    assert page.button(key="launch").disabled
    assert "larger than the training set (640 images)" in page.error[0].value


def test_delta_of_one_over_n_cannot_be_launched(open_page: OpenPage):
    page = open_page("train")
    page.button(key="preset_private").click().run()
    page.number_input(key="train_delta").set_value(0.01).run()
    assert page.button(key="launch").disabled
    assert "must be below 1/n" in page.error[0].value


def test_a_missing_weights_file_is_refused_and_nothing_is_queued(open_page: OpenPage, home: DataHome):
    page = open_page("train")
    page.selectbox(key="train_weights").set_value("path").run()
    page.text_input(key="train_weights_path").set_value("/no/such/file.pth").run()
    page.button(key="launch").click().run()
    assert "no weights file at /no/such/file.pth" in page.error[0].value
    assert service.list_runs(home) == []


def test_a_data_home_that_cannot_be_written_is_explained(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEDPRIV_HOME", str(tmp_path / "file"))
    page = open_page("train")
    assert not page.exception
    assert any("is not a folder" in error.value for error in page.error)
