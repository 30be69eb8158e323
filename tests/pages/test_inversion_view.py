"""Gradient inversion and the corridor on a page: the finding first, then six panels and their numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from tests.pages.conftest import PATIENCE_S, texts, viewers

Draw = Callable[[], None]


@pytest.fixture
def view(home: DataHome) -> AppTest:
    """The view of an inversion, on a page of its own, in an empty data home."""
    st.cache_data.clear()
    st.cache_resource.clear()

    def page() -> None:
        from pages.parts.risk.inversion_view import draw_inversion

        draw_inversion()

    return AppTest.from_function(page, default_timeout=PATIENCE_S).run()


def test_dp_stops_the_attack_that_succeeds_without_it(view: AppTest) -> None:
    assert not view.exception
    assert view.info[0].value.startswith("Clipping alone hides nothing")
    assert "it does not come back" in view.info[0].value
    (panels,) = viewers(view)
    assert len(panels) == 6
    original, no_dp, clipped, noised = (panel["pixels"] for panel in panels[:4])
    assert np.array_equal(original, no_dp)
    assert np.array_equal(original, clipped)
    assert not np.array_equal(original, noised)
    assert all("PSNR" in panel["lines"][0] for panel in panels[1:])
    assert "bound -" in panels[4]["lines"][0]
    said = texts(view)
    assert "The average of the other images has " in said
    assert "ε = 4.38 (δ = 1e-5; one image added or removed; exact)" in said
    assert "What this does not say" in said


def test_another_noise_is_another_finding(view: AppTest) -> None:
    view.select_slider(key="inversion_noise").set_value(1e-3).run()
    assert not view.exception
    assert "it comes back still" in view.info[0].value
    assert "**An attacker who knows nothing of images can rebuild one.**" in texts(view)
    view.select_slider(key="inversion_noise").set_value(0.0).run()
    assert "no noise here, so there is no ε" in view.info[0].value
    assert "Without noise there is no ε" in texts(view)
    assert "has ε" not in texts(view)


def test_another_image_and_a_dataset_of_one(view: AppTest) -> None:
    before = viewers(view)[0][0]["pixels"]
    view.number_input(key="inversion_image_synthetic_chest").set_value(5).run()
    assert not np.array_equal(before, viewers(view)[0][0]["pixels"])
    view.selectbox(key="inversion_dataset").set_value("retina_photo").run()
    assert not view.exception
    assert "There is no other image" in texts(view)
    (panels,) = viewers(view)
    assert panels[0]["pixels"].shape == (64, 64, 3)


def test_the_table_has_every_panel_and_the_floor(view: AppTest) -> None:
    table = view.dataframe[0].value
    assert list(table["image"])[-1] == "Average of other images"
    assert len(table) == 8
    assert list(table["PSNR"])[:2] == ["exact", "exact"]
    assert (table[""] == "best of the noised").sum() == 1


def test_the_corridor_with_plain_arguments() -> None:
    def page() -> None:
        from pages.parts.risk.corridor_view import draw_corridor

        draw_corridor(1.0, participations=50, shape=(28, 28, 1))

    corridor = AppTest.from_function(page, default_timeout=PATIENCE_S).run()
    assert not corridor.exception
    said = texts(corridor)
    assert "rebuilds nothing that is recognised" in said
    assert "Of 50 steps at noise multiplier 1" in said
    assert "-5.9 dB" in said
    assert "takes ε = 10," in said  # 10,400 whatever the steps: both depend on σ / √K alone
    assert "no privacy guarantee" in said
    table = corridor.dataframe[0].value
    assert (len(table), table["ε"].iloc[0], table[""].iloc[-1]) == (12, "0.1", "this setting")


def test_a_noise_that_is_none_is_told_in_a_sentence() -> None:
    def page() -> None:
        from pages.parts.risk.corridor_view import draw_corridor

        draw_corridor(0.0)

    corridor = AppTest.from_function(page, default_timeout=PATIENCE_S).run()
    assert not corridor.exception
    assert "noise multiplier must be above 0" in corridor.error[0].value
