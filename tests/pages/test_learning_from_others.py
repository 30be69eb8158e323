"""Undoing the noise with what was learned from other patients, on the explore page."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pptx import Presentation
from streamlit.testing.v1 import AppTest

from medpriv_core.attacks.undo import Attempt, undo
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome
from medpriv_core.jobs.job import Job
from medpriv_core.priors import learning
from medpriv_core.priors.learning import learn_from, prior_job, prior_place, start_learning
from tests.jobs.here import work_here
from tests.pages.conftest import texts, viewers
from tests.pages.own_pictures import own_png
from tests.pages.test_slides import made_slides

OpenPage = Callable[..., AppTest]
SMALL = {"dataset": "synthetic_chest", "size": "64", "beta": "2"}


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing hundreds takes seconds, and one patient in forty teaches as much here."""
    monkeypatch.setattr(learning, "MOST_IMAGES", {1: 80, 3: 80})


def undoing(open_page: OpenPage, **query: str) -> AppTest:
    page = open_page("explore", **query)
    page.toggle(key="undoing").set_value(True).run()
    assert not page.exception
    return page


def attempts(page: AppTest) -> list[str]:
    """Titles in the table of all numbers, which is the last one."""
    return list(page.dataframe[-1].value["attempt"])


def test_a_button_learns_from_other_patients_and_then_it_is_one_more_attempt(
    open_page: OpenPage, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_here(monkeypatch)
    page = undoing(open_page, **SMALL)
    assert len(attempts(page)) == 14
    assert "What is individual" not in texts(page)

    page.button(key="learn").click().run()
    prior_job(home, "synthetic_chest", 64).wait(within_s=60)
    page.run()

    assert not page.exception
    assert not page.error
    assert "Learned from 80 other drawn images of this dataset." in texts(page)
    assert attempts(page)[-1] == "Learned from other patients (64 × 64)"
    assert viewers(page)[1][2]["lines"][0] == "Learned from other patients (64 × 64)"
    assert "**What is individual, at 64 × 64 pixels.**" in texts(page)
    floor, best, learned = page.dataframe[0].value.to_dict("records")
    own = "correlation of what is individual"
    assert floor["image"] == "average image of others"
    assert (floor[own], best["image"][:12]) == (0, "best filter:")
    assert learned[own] > best[own]
    assert 1 <= learned["place among 100"] <= floor["place among 100"]


def test_what_is_learned_while_the_attempts_are_made_is_not_taken_for_tried(
    open_page: OpenPage, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page("explore", **SMALL)

    def undo_slowly(*given: Any) -> Iterator[Attempt]:
        learn_from(home, lambda *_: None, name="synthetic_chest", side=64)
        return undo(*given)

    monkeypatch.setattr("pages.parts.explore.undo_view.undo", undo_slowly)
    page.toggle(key="undoing").set_value(True).run()
    assert len(attempts(page)) == 14
    monkeypatch.setattr("pages.parts.explore.undo_view.undo", undo)
    page.run()

    assert attempts(page)[-1] == "Learned from other patients (64 × 64)"


def test_what_was_learned_is_there_for_other_pages_and_on_the_slide(open_page: OpenPage, home: DataHome) -> None:
    before = open_page("explore", **SMALL, question="take")
    without = Presentation(io.BytesIO(made_slides(before, "PowerPoint"))).slides[4]
    learn_from(home, lambda *_: None, name="synthetic_chest", side=64)
    before.run()
    learned = Presentation(io.BytesIO(made_slides(before, "PowerPoint"))).slides[4]

    assert "Learned from" not in without.notes_slide.notes_text_frame.text
    assert "Learned from 80 other drawn images of this dataset." in learned.notes_slide.notes_text_frame.text
    assert any("of what is individual: 0." in one.text_frame.text for one in learned.shapes if one.has_text_frame)


def test_the_image_is_never_learned_from(open_page: OpenPage, home: DataHome) -> None:
    learn_from(home, lambda *_: None, name="synthetic_chest", side=64)
    seen = {}
    for number in ("1", "2"):  # of two patients, who are of the two halves
        page = undoing(open_page, **SMALL, image=number)
        seen[number] = page.session_state["undone"][0][-1]
    assert {key[-1] for key in seen.values()} == {0, 1}


def test_a_failure_says_why_and_it_can_be_tried_again(
    open_page: OpenPage, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_here(monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(learning, "FEWEST", 1000)
        job = start_learning(home, "synthetic_chest", 64)
        with pytest.raises(DatasetError, match="too few"):
            job.wait(within_s=60)

    page = open_page("explore", **SMALL)
    page.toggle(key="undoing").set_value(True).run()

    assert "too few images" in page.error[0].value
    assert not page.button(key="learn").disabled


def test_while_it_is_learned_it_can_be_stopped(
    open_page: OpenPage, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[Job] = []
    monkeypatch.setattr("medpriv_core.jobs.job.start_process", lambda *_, **__: None)
    monkeypatch.setattr(Job, "stop", lambda self: stopped.append(self))
    page = undoing(open_page, **SMALL)
    page.button(key="learn").click().run()

    assert page.button(key="learn").disabled
    page.button(key="stop_learning").click().run()
    assert len(stopped) == 1


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"mechanism": "laplace_per_image"}, "One number is added to the whole image"),
        ({"mechanism": "dp_pix", "block": "8"}, "Other images tell something from 16 × 16"),
    ],
)
def test_where_it_is_of_no_use_the_page_says_so(open_page: OpenPage, query: dict[str, str], said: str) -> None:
    page = undoing(open_page, **SMALL | query)

    assert said in texts(page)
    assert not [button for button in page.button if button.key == "learn"]


def test_an_own_image_is_undone_with_the_images_of_a_dataset_of_its_colours(
    open_page: OpenPage, home: DataHome
) -> None:
    page = open_page("explore", beta="2")
    page.segmented_control(key="source").set_value("My own image").run()
    page.file_uploader(key="upload").upload("Doe^Jane.png", own_png(), "application/octet-stream").run()
    page.toggle(key="undoing").set_value(True).run()
    lender = page.session_state["undone"][0][0]
    assert lender[0] == "own"
    assert not page.exception
    assert page.button(key="learn").label == "Learn from other patients"
    side = min(64, *page.session_state["undone"][1][0].picture.shape[:2])
    for name in ("synthetic_chest", "synthetic_fundus"):
        learn_from(home, lambda *_: None, name=name, side=side)
    assert prior_place(home, "synthetic_chest", side).stamp

    page.run()

    assert not page.exception
    assert "Learned from 80 training images of " in texts(page)
    assert attempts(page)[-1].startswith("Learned from other patients")
