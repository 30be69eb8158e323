"""The explore page, as a first visitor and with every control."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from medpriv_core.datasets.registry import add_dataset
from medpriv_core.home import DataHome
from tests.pages.conftest import texts

OpenPage = Callable[..., AppTest]


def pictures(page: AppTest) -> list:
    return page.get("image")


def test_a_first_visitor_sees_a_real_photograph_and_its_row_without_choosing(open_page: OpenPage):
    page = open_page("explore")
    assert not page.exception
    assert len(pictures(page)) == 5
    said = texts(page)
    assert ":green-badge[real]" in said
    for beta in ("β = 1", "β = 2", "β = 4", "yours, β = 0.5"):
        assert f"**{beta}**" in said
    # 224 x 224 x 3 values at beta 1: pure epsilon, and the composed one at delta 1e-5.
    assert "150,528 (δ = 0)" in said
    assert "**56," in said


def test_the_amount_of_noise_changes_the_sentence_and_the_address(open_page: OpenPage):
    page = open_page("explore")
    page.select_slider(key="beta").set_value(1000).run()
    assert "At β = 1000" in page.info[0].value
    assert page.query_params["beta"] == "1000"
    assert "protection in the usual sense" in page.info[0].value


def test_a_link_shows_the_same_picture(open_page: OpenPage):
    page = open_page(
        "explore", dataset="synthetic_chest", show="Pneumonia", image="7", beta="8", draw="per_image", size="56"
    )
    assert not page.exception
    assert page.selectbox(key="dataset").value == "synthetic_chest"
    assert page.number_input(key="image_synthetic_chest_Pneumonia").value == 7
    said = texts(page)
    assert "· Pneumonia" in said
    assert ":orange-badge[synthetic]" in said
    assert "yours, β = 8" in said
    assert "No finite ε" in said
    assert "at least 88% of all pictures" in said


@pytest.mark.parametrize(
    "query",
    [
        {"dataset": "no_such_thing"},
        {"beta": "nan"},
        {"image": "-5"},
        {"image": "99999999999"},
        {"size": "0", "draw": "<script>"},
        {"dataset": "synthetic_chest", "show": "Gout", "image": "x"},
    ],
)
def test_a_link_with_nonsense_falls_back_to_what_exists(open_page: OpenPage, query: dict[str, str]):
    page = open_page("explore", **query)
    assert not page.exception
    assert not page.error
    assert len(pictures(page)) == 5


def test_smaller_pictures_have_a_smaller_epsilon(open_page: OpenPage):
    page = open_page("explore", dataset="synthetic_chest", size="56")
    assert f"{56 * 56:,} (δ = 0)" in texts(page)


def test_drawing_again_changes_the_noise_and_not_the_numbers(open_page: OpenPage):
    page = open_page("explore", dataset="synthetic_chest", size="56")
    before = [picture.proto.imgs[0].url for picture in pictures(page)]
    page.button(key="redraw").click().run()
    after = [picture.proto.imgs[0].url for picture in pictures(page)]
    assert before[0] == after[0]
    assert all(old != new for old, new in zip(before[1:], after[1:], strict=True))


def test_an_unreadable_image_is_explained_on_the_page(open_page: OpenPage, home: DataHome, tmp_path: Path):
    folder = tmp_path / "chest"
    for split in ("train", "test"):
        for label in ("NORMAL", "PNEUMONIA"):
            (folder / split / label).mkdir(parents=True)
            Image.new("L", (32, 32), 99).save(folder / split / label / "a.png")
    add_dataset(home, "chest_xray", folder)
    (folder / "train" / "NORMAL" / "a.png").write_text("this is no picture")
    page = open_page("explore", dataset="chest_xray", show="Normal")
    assert not page.exception
    assert any("cannot be read" in error.value for error in page.error)
