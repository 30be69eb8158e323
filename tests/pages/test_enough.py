"""How much noise is enough, and what leads on from where nothing can be shown yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from streamlit.testing.v1 import AppTest

from medpriv_core.attacks import trials
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from pages.parts.explore import gallery_choice
from tests.pages.conftest import texts
from tests.pages.own_pictures import own_png
from tests.pages.test_explore import SMALL, upload

OpenPage = Callable[..., AppTest]


def test_without_a_trained_network_a_button_trains_one_and_says_so_until_it_is_done(
    open_page: OpenPage, home: DataHome
) -> None:
    page = open_page("explore", **SMALL, question="And the diagnosis?")
    assert not page.exception
    assert "No network has been trained" in texts(page)
    page.button(key="train_for_synthetic_chest").click().run()
    (run,) = service.list_runs(home)
    assert (run.spec.dataset, run.spec.method) == ("synthetic_chest", "none")
    assert "is being trained" in texts(page)
    assert page.button(key="watch_synthetic_chest")


def test_a_single_picture_leads_to_a_dataset_that_can_be_trained_on(open_page: OpenPage) -> None:
    page = open_page("explore", question="diagnosis", size="64")
    assert "no network can be trained on it" in texts(page)
    page.button(key="show_built_in").click().run()
    assert page.selectbox(key="dataset").value == "synthetic_chest"
    assert page.button(key="train_for_synthetic_chest")


def test_how_much_noise_is_enough_is_answered_with_what_is_left_of_the_diagnosis(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, beta="3")
    page.button(key="to_enough").click().run()
    assert not page.exception
    assert page.query_params["question"] == "enough"
    table = page.table[0].value
    assert list(table["β"])[:2] == ["no noise", "0.25"]
    assert "**3, yours**" in list(table["β"])
    assert table["Patient found"].iloc[1].endswith("100 of 100 times")
    assert "hidden" in table["Seen by eye"].iloc[-1]
    # Only figures that were measured: the reference runs have β = 1, 2 and 4.
    chest = dict(zip(table["β"], table["Chest X-rays, pneumonia: AUROC"], strict=True))
    assert chest["no noise"] == "**0.970**"
    assert chest["1"] == "**0.691**"
    assert chest["2"].endswith("nothing left")
    assert chest["8"] == chest["**3, yours**"] == "–"
    said = texts(page)
    assert "This image is hidden from the eye from β = " in said
    assert "**No amount of noise that was measured for both hides the patient" in said
    assert "not measured" in said


def test_of_noise_that_no_reference_run_has_nothing_is_told_of_the_diagnosis(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, mechanism="gaussian", question="enough")
    assert "was not measured for this kind of noise" in texts(page)
    assert not [column for column in page.table[0].value.columns if "AUROC" in column]


def test_an_own_picture_is_tried_at_every_amount_and_kept_in_this_visit_alone(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_choice, "TRIALS", 5)
    before = len(trials._known)
    page = open_page("explore", **SMALL)
    upload(page, "a.png", own_png())
    page.button(key="to_enough").click().run()
    assert not page.exception
    assert "This image is hidden from the eye" in texts(page)
    assert len(page.session_state["enough_found"]) == 9
    assert not [key for key in list(trials._known)[before:] if key[0] == "own"]  # type: ignore[index]


def test_for_a_release_a_button_chooses_exact_noise(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, question="take")
    page.button(key="choose_exact").click().run()
    assert not page.exception
    assert page.selectbox(key="mechanism").value == "discrete_laplace"
    assert "*release*" in texts(page)


def test_frame_and_window_of_an_own_dicom_come_after_the_noise(open_page: OpenPage) -> None:
    page = open_page("explore")
    upload(page, "a.dcm", Path(get_testdata_file("CT_small.dcm", download=False)).read_bytes())
    (opener,) = [one for one in page.get("popover") if "Window" in one.proto.popover.label]
    assert {slider.label for slider in opener.slider} == {"Centre (HU)", "Width (HU)"}
