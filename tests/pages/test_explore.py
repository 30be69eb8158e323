"""The explore page, as a first visitor and with every control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.exports.explore_settings import OWN_PICTURE, ExploreSettings
from medpriv_core.home import DataHome
from medpriv_core.mechanisms.additive import Gaussian
from medpriv_core.mechanisms.dp_pix import DpPix
from medpriv_core.uploads.opening import open_upload
from pages.parts import cached
from pages.parts.explore import own_picture
from tests.pages.conftest import texts, viewers
from tests.pages.own_pictures import add_grey_pictures, own_png

OpenPage = Callable[..., AppTest]
SMALL = {"dataset": "synthetic_chest", "size": "64"}


def upload(page: AppTest, name: str, data: bytes) -> None:
    """Choose a picture of one's own."""
    page.segmented_control(key="source").set_value("My own image").run()
    page.file_uploader(key="upload").upload(name, data, "application/octet-stream").run()


def said_under(panel: dict[str, Any]) -> str:
    return "\n".join(panel["lines"])


def test_a_first_visitor_sees_a_real_photograph_and_what_becomes_of_it_without_choosing(open_page: OpenPage) -> None:
    page = open_page("explore")
    assert not page.exception
    ((original, *noised),) = viewers(page)
    assert original["title"] == "Original"
    assert original["pixels"].shape == (256, 256, 3)
    assert [panel["title"] for panel in noised] == ["yours, β = 0.5", "Undone by a computer"]
    assert ":green-badge[real]" in texts(page)
    # 256 x 256 x 3 values at beta 0.5 and delta 1e-5.
    assert "**225,638**" in said_under(noised[0])
    assert "any two images" in noised[0]["note"]
    assert "Spectrum filter" in said_under(noised[1])


def answers(page: AppTest) -> dict[str, str]:
    """The word under each question about your noised picture."""
    found = {}
    for element in page.markdown:
        question, _, rest = element.value.partition("  \n")
        if question.endswith("?") and ":small[" in rest:
            found[question] = rest.split("**")[1]
    return found


def test_four_questions_are_answered_at_once(open_page: OpenPage) -> None:
    assert answers(open_page("explore", **SMALL, beta="0.05")) == {
        "Seen by eye?": "visible",
        "Undone by a computer?": "yes",
        "Patient found among 100?": "100 of 100 times",
        "Promised by ε?": "nothing",
    }


def test_the_amount_of_noise_changes_the_answers_and_the_address(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL)
    page.select_slider(key="beta").set_value(1000).run()
    assert page.query_params["beta"] == "1000"
    said = answers(page)
    assert (said["Seen by eye?"], said["Promised by ε?"]) == ("hidden", "a strong limit")
    assert int(said["Patient found among 100?"].split()[0]) < 10


def test_the_papers_amounts_stand_beside_yours(open_page: OpenPage) -> None:
    ((_, *noised),) = viewers(open_page("explore", compare="Amounts of noise"))
    assert [panel["title"] for panel in noised] == ["β = 1", "β = 2", "β = 4", "yours, β = 0.5"]
    assert "**73,8" in said_under(noised[0])
    for panel in noised:
        assert "δ = 1e-5" in said_under(panel)
        assert "any two images" in panel["note"]


def test_a_link_shows_the_same_picture(open_page: OpenPage) -> None:
    page = open_page(
        "explore",
        **SMALL,
        show="Pneumonia",
        image="7",
        beta="8",
        mechanism="laplace_per_image",
        compare="Kinds of noise",
    )
    assert not page.exception
    assert page.number_input(key="image_synthetic_chest_Pneumonia").value == 7
    assert ":orange-badge[synthetic]" in texts(page)
    assert "at least 88% of all images" in texts(page)
    (panels,) = viewers(page)
    assert "No finite ε" in said_under(panels[-1])
    assert panels[-1]["title"].startswith("yours: Laplace per image")
    assert len(panels) == 6


@pytest.mark.parametrize(
    "query",
    [
        {"dataset": "no_such_thing"},
        {"beta": "nan"},
        {"image": "-5"},
        {"image": "99999999999"},
        {"size": "0", "mechanism": "<script>"},
        {"dataset": "synthetic_chest", "show": "Gout", "image": "x"},
        {"by": "ε of the image", "epsilon": "-1", "compare": "nothing", "question": "Why?"},
    ],
)
def test_a_link_with_nonsense_falls_back_to_what_exists(open_page: OpenPage, query: dict[str, str]) -> None:
    page = open_page("explore", **query)
    assert not page.exception
    assert not page.error
    assert len(viewers(page)[0]) == 3


def test_smaller_pictures_have_a_smaller_epsilon(open_page: OpenPage) -> None:
    page = open_page("explore", dataset="synthetic_chest", size="64", question="Formula and numbers")
    numbers = page.table[0].value.set_index("what")["value"]
    assert numbers["noised values"].startswith(f"{64 * 64:,} ")
    assert numbers["ε of the image, with certainty"] == f"{2 * 64 * 64:,} (δ = 0; for any two images)"


def test_the_noise_follows_from_the_epsilon_of_the_whole_picture(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, by="ε of the image", epsilon="8")
    assert not page.exception
    # Science's table: beta 38.25 at 64 x 64 and epsilon 8.
    ((_, yours, _),) = viewers(page)
    assert yours["title"].startswith("yours, β = 38.2")
    assert "ε of the image: **8**" in said_under(yours)


def test_what_no_amount_of_noise_can_do_is_said(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, by="ε of the image", mechanism="laplace_per_image")
    assert not page.exception
    assert any("no finite epsilon" in error.value for error in page.error)


def test_figure_2_has_both_draws(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, compare="Figure 2 of the paper")
    ((original, *noised),) = viewers(page)
    every_pixel, one_number = noised[:3], noised[4:]
    assert noised[3]["title"] == "Original"
    assert len(one_number) == 3
    for panel in one_number:
        # A shift: wherever it was not cut off, differences are those of the original.
        kept = (panel["pixels"] > 0) & (panel["pixels"] < 255)
        shifts = panel["pixels"][kept].astype(int) - original["pixels"][kept]
        assert not shifts.size or np.ptp(shifts) <= 1
    for panel in every_pixel:
        kept = (panel["pixels"] > 0) & (panel["pixels"] < 255)
        assert np.ptp(panel["pixels"][kept].astype(int) - original["pixels"][kept]) > 100


def test_drawing_again_changes_the_noise_and_not_the_numbers(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL)
    (before,) = viewers(page)
    page.button(key="redraw").click().run()
    (after,) = viewers(page)
    np.testing.assert_array_equal(before[0]["pixels"], after[0]["pixels"])
    for old, new in zip(before[1:], after[1:], strict=True):
        assert not np.array_equal(old["pixels"], new["pixels"])
    assert before[1]["lines"][:2] == after[1]["lines"][:2]


def test_an_unreadable_image_is_explained_on_the_page(open_page: OpenPage, home: DataHome, tmp_path: Path) -> None:
    folder = add_grey_pictures(home, tmp_path)
    (folder / "train" / "NORMAL" / "a.png").write_text("this is no image")
    page = open_page("explore", dataset="chest_xray", show="Normal")
    assert not page.exception
    assert any("cannot be read" in error.value for error in page.error)


def test_a_picture_of_one_colour_is_no_trouble(open_page: OpenPage, home: DataHome, tmp_path: Path) -> None:
    add_grey_pictures(home, tmp_path)
    page = open_page("explore", dataset="chest_xray")
    page.toggle(key="undoing").set_value(True).run()
    assert not page.exception
    assert not page.error
    assert "one colour only" in texts(page)
    assert answers(page)["Seen by eye?"] == "nothing to see"


def test_undoing_shows_the_best_attempts_beside_the_original(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, beta="0.5")
    page.toggle(key="undoing").set_value(True).run()
    assert not page.exception
    assert "The noise can be undone" in texts(page)
    _, undone = viewers(page)
    assert [panel["title"] for panel in undone] == [
        "Original",
        "Noised",
        "Best with hindsight",
        "Best that an attacker could choose",
    ]
    original, noised, best, _ = (panel["pixels"].ravel().astype(float) for panel in undone)
    assert np.corrcoef(original, best)[0, 1] > np.corrcoef(original, noised)[0, 1] + 0.2


def test_the_patient_is_found_among_others(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, beta="1", question="Can the patient be found?")
    assert not page.exception
    assert "leads back to the right one of 100 in 100 of 100 trials" in texts(page)
    assert "comes first of 100" in texts(page)


def test_a_picture_of_ones_own_is_looked_for_among_those_of_a_dataset(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, beta="1", question="Can the patient be found?")
    upload(page, "scan.png", own_png())
    assert not page.exception
    assert page.selectbox(key="gallery_of").value == "synthetic_chest"
    # Noise on noise is unlike any radiograph, so the right one comes first.
    assert "it comes first of 100" in texts(page)
    assert "the image above and 99 training images of" in texts(page)
    assert "squashed to its 60 × 40 pixels" in texts(page)
    assert ":orange-badge[synthetic]" in texts(page)


def test_a_dataset_of_one_picture_borrows_the_gallery_of_another(open_page: OpenPage) -> None:
    page = open_page("explore", size="64", question="Can the patient be found?")
    assert not page.exception
    assert "squashed to its 64 × 64 pixels" in texts(page)


def test_several_copies_cost_more_and_show_more(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, beta="2", question="Several copies")
    page.select_slider(key="copies").set_value(64).run()
    assert not page.exception
    assert "64 copies together have ε = " in texts(page)
    _, (original, one, average) = viewers(page)
    flat = [panel["pixels"].ravel().astype(float) for panel in (original, one, average)]
    assert np.corrcoef(flat[0], flat[2])[0, 1] > np.corrcoef(flat[0], flat[1])[0, 1] + 0.2


def test_what_is_taken_away_says_what_it_is(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, question="Export")
    assert not page.exception
    assert "*demonstration*" in texts(page)
    names = [button.proto.label for button in page.get("download_button")]
    assert names == ["The noised image", "Settings (JSON)"]
    made = [button.label for button in page.button if (button.key or "").endswith("_make")]
    assert made == ["All 7 slides, PowerPoint", "All 7 slides, PDF", "PNG", "SVG"]


def load(page: AppTest, text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    page.file_uploader(key="settings_file").upload("settings.json", data, "application/json").run()


def test_saved_settings_are_shown_again(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, question="Export")
    settings = ExploreSettings(
        dataset="synthetic_chest",
        size=100,
        noise=DpPix(38.25, block=5),
        class_name="Pneumonia",
        image=3,
        seed=7,
    )
    load(page, settings.to_json())
    assert not page.exception
    assert not page.error
    (original, yours, *_), *_ = viewers(page)
    assert original["pixels"].shape[:2] == (100, 100)
    assert yours["title"] == "yours, β = 38.25"
    assert page.selectbox(key="show_synthetic_chest").value == "Pneumonia"
    assert page.number_input(key="image_synthetic_chest_Pneumonia").value == 3
    assert page.selectbox(key="block").value == 5
    assert "shows these settings" in page.success[0].value
    assert page.query_params["beta"] == "38.25"
    # They may be changed like any others.
    page.select_slider(key="beta").set_value(2).run()
    (_, yours, *_), *_ = viewers(page)
    assert yours["title"] == "yours, β = 2"
    assert not page.success


def test_settings_of_an_own_picture_ask_for_the_picture(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, question="Export")
    load(page, ExploreSettings(dataset=OWN_PICTURE, size=30, noise=Gaussian(2)).to_json())
    assert "Choose an image" in texts(page)
    page.file_uploader(key="upload").upload("scan.png", own_png(), "image/png").run()
    (original, yours, *_), *_ = viewers(page)
    assert original["pixels"].shape == (20, 30)
    assert yours["title"] == "yours, β = 2"
    assert page.selectbox(key="mechanism").value == "gaussian"
    assert yours["lines"][0].startswith("ε of one pixel")
    assert "(δ = 1e-5)" in yours["lines"][0]


def test_settings_that_cannot_be_shown_are_explained(open_page: OpenPage) -> None:
    page = open_page("explore", **SMALL, question="Export")
    good = ExploreSettings(dataset="synthetic_chest", size=64, noise=Gaussian(2), image=1)
    for text, said in (
        (b"\xff\xd8\xff\xe0", "does not hold settings"),
        (" " * 30_000, "far too long"),
        (good.to_json()[:40], "does not hold settings"),
        ('{"mechanism": "magic"}', "mechanism must be one of"),
        (replace(good, dataset="moon").to_json(), "dataset “moon”, which is not here"),
        (replace(good, class_name="Gout").to_json(), "no class 'Gout'"),
        (replace(good, image=99_999).to_json(), "image 99,999, but"),
        (replace(good, size=1024).to_json(), "never enlarged"),
        (replace(good, delta=1e-6).to_json(), "δ = 1e-6"),
        (replace(good, copies=3).to_json(), "copies must be one of"),
    ):
        load(page, text)
        assert not page.exception
        assert said in page.error[0].value
        assert page.query_params["mechanism"] == "laplace_per_pixel"


def test_own_pictures_are_asked_for_before_anything_is_drawn(open_page: OpenPage) -> None:
    page = open_page("explore")
    page.segmented_control(key="source").set_value("My own image").run()
    assert not page.exception
    assert "Choose an image" in texts(page)
    assert not viewers(page)
    upload(page, "scan.png", own_png())
    assert not page.exception
    ((original, *_),) = viewers(page)
    assert original["pixels"].shape == (40, 60)
    assert "scan" not in texts(page)


def test_an_upload_that_is_no_picture_is_explained(open_page: OpenPage) -> None:
    page = open_page("explore")
    upload(page, "note.txt", b"Dear colleague")
    assert not page.exception
    assert page.error
    assert not viewers(page)


def test_what_several_visitors_look_at_is_drawn_once_and_ones_own_picture_for_its_owner(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[int, ...]] = []
    draw = cached.noised_panel

    def counted(picture: np.ndarray, *how: Any, **more: Any) -> Any:
        drawn.append(picture.shape)
        return draw(picture, *how, **more)

    monkeypatch.setattr(cached, "noised_panel", counted)
    first = viewers(open_page("explore", **SMALL))
    assert len(drawn) == 1
    second = viewers(open_page("explore", **SMALL))
    assert len(drawn) == 1
    for one, other in zip(first[0], second[0], strict=True):
        assert np.array_equal(one["pixels"], other["pixels"])
    for _ in range(2):
        upload(open_page("explore", **SMALL), "scan.png", own_png())
    assert drawn[1:] == [(40, 60, 1)] * 2


def test_the_bytes_of_a_file_are_dropped_when_it_was_read_and_it_is_read_once(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []

    def noted(name: str, data: bytes, *, visitor: str) -> Any:
        read.append(data)
        return open_upload(name, data, visitor=visitor)

    monkeypatch.setattr(own_picture, "open_upload", noted)
    page = open_page("explore", **SMALL)
    for data, words in ((own_png(), "is not removed"), (b"Dear colleague", "This is a text")):
        upload(page, "scan.png", data)
        page.run()
        assert read.pop() == data
        assert read == []
        assert words in texts(page)
        if any(button.key == "remove_own" for button in page.button):
            assert not page.get("file_uploader")  # which would show the file's name
            page.button(key="remove_own").click().run()
            assert "Choose an image" in texts(page)
