"""Slides of the explore page: all in one go, made aside, kept, and without anything of an own file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from pptx import Presentation
from streamlit.testing.v1 import AppTest

from medpriv_core.errors import SettingError
from pages.parts.explore import slides as slides_view
from tests.pages.conftest import texts
from tests.pages.own_pictures import own_png

OpenPage = Callable[..., AppTest]
SMALL = {"dataset": "synthetic_chest", "size": "64"}


def made_slides(page: AppTest, kind: str) -> bytes:
    """Press the button of a file and wait until it is made."""
    key = f"slides_{kind}" if kind in ("PowerPoint", "PDF") else f"slide_{kind}"
    page.button(key=f"{key}_make").click().run()
    page.session_state[key].wait()
    page.run()
    assert not page.exception
    assert not page.error
    content: bytes = page.session_state[key].content
    return content


def test_all_slides_are_made_in_one_go_each_with_its_finding(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page("explore", **SMALL, beta="3", question="take")
    slides = Presentation(io.BytesIO(made_slides(page, "PowerPoint"))).slides
    titles = [slide.shapes.title.text_frame.text for slide in slides]

    assert titles[0].startswith("At β = 3 the eye sees nothing; a computer still brings")
    assert "a computer finds the patient in " in titles[5]
    assert len(titles) == 7
    amounts = [shape.text_frame.text for shape in slides[1].shapes if shape.has_text_frame]
    shown = [text.partition("\n")[0] for text in amounts if "β = " in text.partition("\n")[0]][1:]
    assert [text.partition("β = ")[2] for text in shown if "ε" not in text] == ["1", "2", "3", "4"]
    for slide in slides:
        assert "Privacy: " in slide.notes_slide.notes_text_frame.text
    # What is made once is not computed again for the other file.
    monkeypatch.setattr(slides_view, "first_look", None)
    monkeypatch.setattr(slides_view, "success_soon", None)
    assert made_slides(page, "PDF").startswith(b"%PDF")
    assert [button.label for button in page.get("download_button")][:2] == [
        "All 7 slides, PowerPoint",
        "All 7 slides, PDF",
    ]


def test_other_noise_needs_other_slides(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, beta="2", question="take")
    first = made_slides(page, "SVG").decode()
    page.select_slider(key="beta").set_value(4).run()
    assert "slide_SVG" not in page.session_state
    second = made_slides(page, "SVG").decode()
    assert "At β = 2 " in first
    assert "At β = 4 " in second


def test_slides_of_an_own_picture_know_no_file_and_ask_for_consent(open_page: OpenPage) -> None:
    page = open_page("explore", beta="2", question="take")
    page.segmented_control(key="source").set_value("My own image").run()
    page.file_uploader(key="upload").upload("Doe^Jane.png", own_png(), "application/octet-stream").run()
    page.session_state["noise_seed"] = 987654321
    page.run()
    assert "agreed to it" in texts(page)
    content = made_slides(page, "PowerPoint")
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        everything = b"".join(package.read(name) for name in package.namelist())
    assert b"Doe" not in everything
    assert b"with the patient&#x27;s consent" in everything or b"with the patient's consent" in everything
    assert b"987654321" not in everything


def test_a_slide_that_cannot_be_made_says_why_and_can_be_tried_again(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page("explore", **SMALL, question="take")

    def refuse(*_: object, **__: object) -> bytes:
        raise SettingError("There is no room.")

    monkeypatch.setattr(slides_view, "to_png", refuse)
    page.button(key="slide_PNG_make").click().run()
    page.session_state["slide_PNG"].wait()
    page.run()
    assert page.error[0].value == "There is no room."
    assert page.button(key="slide_PNG_make").label == "PNG"
