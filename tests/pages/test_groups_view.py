"""By group on the runs page: tables, dots, and a sentence where nothing is known."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medpriv_core.evaluation.predictions import FILE_NAME
from medpriv_core.home import DataHome
from medpriv_core.spec import RunSpec
from tests.pages.conftest import PATIENCE_S, texts
from tests.results.grouped import PLAIN, PRIVATE, add_grouped, add_run


def newest_run() -> None:
    from medpriv_core.runs import service
    from pages.parts import cached
    from pages.parts.groups_view import draw_groups

    draw_groups(cached.home(), service.list_runs(cached.home())[0])


def draw() -> AppTest:
    page = AppTest.from_function(newest_run, default_timeout=PATIENCE_S).run()
    assert not page.exception
    return page


@pytest.fixture(autouse=True)
def grouped(home: DataHome, tmp_path: Path) -> None:
    st.cache_data.clear()
    add_grouped(home, tmp_path / "set")


def test_a_private_run_is_held_against_the_same_one_without_privacy(home: DataHome) -> None:
    add_run(home, "private", PRIVATE, better=0.2)
    page = draw()
    assert "is shown once the same run without privacy has finished" in texts(page)
    assert [len(frame.value) for frame in page.dataframe] == [2]
    add_run(home, "plain", PLAIN, better=0.9)
    add_run(home, "private2", PRIVATE, better=0.3)
    page = draw()
    assert "This network less name of plain, which is the same without privacy" in texts(page)
    figures, costs = (frame.value for frame in page.dataframe[:2])
    assert list(figures["group"]) == list(costs["group"]) == ["ct", "xr"]
    assert {"accuracy", "AUROC", "accuracy parity", "statistical parity"} <= set(figures)
    assert len(page.get("plotly_chart")) == 2
    assert "2 groups are left out" in texts(page)
    assert "old" not in texts(page)


def test_without_predictions_it_says_so(home: DataHome) -> None:
    add_run(home, "plain", PLAIN)
    (home.runs / "plain" / FILE_NAME).unlink()
    page = draw()
    assert "kept no predictions, so nothing can be told by group" in page.info[0].value
    assert not page.error
    assert not page.dataframe


def test_of_five_classes_each_has_its_loss_and_rarer_ones_are_looked_for(home: DataHome) -> None:
    grades = RunSpec(dataset="synthetic_fundus", weights="none", epochs=3)
    add_run(home, "grades", grades, better=0.9)
    add_run(home, "quiet", grades.changed(method="dp_sgd", noise_multiplier=4.0), better=0.2)
    page = draw()
    said = texts(page)
    assert "**By class** (AUROC against all others; beside name of grades)" in said
    assert "Pearson's r = " in said
    assert page.table[0].value["training images"].tolist()[0] == "288"
    assert not any("training images" in frame.value.columns for frame in page.dataframe)  # these can be downloaded
