"""The evaluation of one run and of several seeds, drawn from the predictions that runs keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medpriv_core.evaluation.metrics import Answers, measure
from medpriv_core.evaluation.predictions import FILE_NAME, Predictions, write_predictions
from medpriv_core.home import DataHome
from medpriv_core.privacy.facts import planned_facts
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from tests.pages.conftest import PATIENCE_S, texts

SPEC = RunSpec(dataset="synthetic_chest", weights="none", epochs=5, method="local_dp", beta=1.0)
PRIVATE = RunSpec(dataset="synthetic_chest", weights="none", epochs=5, method="dp_sgd", noise_multiplier=4.0)
LABELS = np.arange(60, dtype=np.int64) % 3 // 2  # 40 of class 0, 20 of class 1
TRAIN_SIZE, STEPS = 640, 50
ADD = Callable[..., None]


@pytest.fixture
def add_run(home: DataHome) -> ADD:
    """Adds a finished run that kept its predictions, which follow its seed."""
    st.cache_data.clear()

    def add(run_id: str, spec: RunSpec, *, classes: int = 2, ordered: bool = False, kept: bool = True) -> None:
        random = np.random.default_rng(spec.seed)
        scores: dict[str, Any] = {}
        predictions = []
        for test_set in ("test", "test_noised") if spec.method == "local_dp" else ("test",):
            found = random.dirichlet(np.ones(classes), 60) + 0.6 * np.eye(classes)[LABELS]
            probabilities = (found / found.sum(1, keepdims=True)).astype(np.float32)
            predictions.append(probabilities)
            scores[test_set] = measure(Answers(probabilities, LABELS), ordered=ordered)
        directory = RunDirectory(home.runs / run_id)
        directory.create(spec)
        names = ["Normal", "Pneumonia", "Doubtful"][:classes]
        setup = Setup(classes=tuple(names), train_size=TRAIN_SIZE, majority_rate=2 / 3)
        row = EpochRow(epoch=5, **scores)
        if spec.method == "dp_sgd":
            row = replace(row, epsilon=0.5, delta=spec.delta, steps=STEPS)
            setup = replace(setup, guarantee=planned_facts(spec, train_size=TRAIN_SIZE))
        directory.write_setup(setup)
        directory.append_epoch(row)
        if kept:
            write_predictions(directory.path / FILE_NAME, Predictions(5, LABELS, *predictions))
        store = RunStore(home)
        store.add(run_id, name=f"name of {run_id}", slot="cpu")
        assert store.claim_next()
        store.end(run_id, "finished", None)

    return add


def one_run() -> None:
    from medpriv_core.runs import service
    from pages.parts import cached
    from pages.parts.evaluation_view import draw_evaluation

    (run,) = service.list_runs(cached.home())
    draw_evaluation(cached.home(), run)


def several_runs() -> None:
    from medpriv_core.runs import service
    from pages.parts import cached
    from pages.parts.multiplicity_view import draw_multiplicity, seeds_of

    runs = sorted(service.list_runs(cached.home()), key=lambda run: run.id)
    for group in seeds_of(runs) or [runs]:
        draw_multiplicity(cached.home(), group)


def draw(function: Callable[[], None]) -> AppTest:
    page = AppTest.from_function(function, default_timeout=PATIENCE_S).run()
    assert not page.exception
    return page


def test_two_classes_have_figures_charts_and_a_threshold(add_run: ADD) -> None:
    add_run("r1", SPEC)
    page = draw(one_run)
    assert "Of 60 test images" in texts(page)
    assert "Anyone who called every image “Normal” would be right for 66.7%" in texts(page)
    assert "not covered by any ε" in texts(page)
    assert len(page.get("plotly_chart")) == 3
    figures = page.dataframe[0].value
    assert list(figures["figure"])[:3] == ["Accuracy", "Balanced accuracy", "AUROC"]
    assert "Kappa, quadratic weights" not in list(figures["figure"])
    assert list(page.dataframe[1].value["class"]) == ["Normal", "Pneumonia"]

    said = texts(page)
    page.button(key="threshold_r1_best").click().run()
    assert page.slider(key="threshold_r1").value != 0.5
    assert texts(page) != said
    page.slider(key="threshold_r1").set_value(1.0).run()
    assert "20 images of Pneumonia are missed, 0 of Normal are alarmed" in texts(page)
    assert not page.exception


def test_noised_test_images_are_a_choice(add_run: ADD) -> None:
    add_run("r1", SPEC)
    page = draw(one_run)
    clean = page.dataframe[0].value["value"].tolist()
    page.segmented_control(key="evaluation_set_r1").set_value("test_noised").run()
    assert page.dataframe[0].value["value"].tolist() != clean


def test_grades_have_kappa_and_no_threshold(add_run: ADD) -> None:
    add_run("r1", RunSpec(dataset="synthetic_chest", weights="none"), classes=3, ordered=True)
    page = draw(one_run)
    assert "Kappa, quadratic weights" in list(page.dataframe[0].value["figure"])
    assert "unknown" in list(page.dataframe[0].value["value"])  # AUROC: no image is doubtful
    assert not page.slider
    assert not page.segmented_control


def test_a_run_without_predictions_says_why(add_run: ADD) -> None:
    add_run("r1", SPEC, kept=False)
    assert "no predictions of this run" in draw(one_run).info[0].value


def test_damaged_predictions_are_a_sentence(add_run: ADD, home: DataHome) -> None:
    add_run("r1", SPEC)
    (home.runs / "r1" / FILE_NAME).write_bytes(b"torn")
    assert "damaged" in draw(one_run).error[0].value


def test_seeds_are_compared_and_what_they_cost_together_is_said(add_run: ADD) -> None:
    for seed in range(3):
        words = {"sampling": "poisson", "device": "cpu"} if seed else {}
        add_run(f"r{seed}", PRIVATE.changed(seed=seed, **words))
    page = draw(several_runs)
    assert "the diagnosis depends on the seed: the 3 networks do not all agree" in texts(page)
    assert "answers that all had a part in, learns from each of them: ε = " in texts(page)
    assert len(page.get("plotly_chart")) == 2
    means = page.dataframe[0].value
    assert list(means["figure"]) == ["Accuracy", "Balanced accuracy", "AUROC", "Calibration error"]
    assert not page.error


def test_runs_that_kept_nothing_are_left_out_by_name(add_run: ADD) -> None:
    for seed in range(2):
        add_run(f"r{seed}", SPEC.changed(seed=seed))
    add_run("r2", SPEC.changed(seed=2), kept=False)
    page = draw(several_runs)
    assert "left out: name of r2" in texts(page)
    assert "the 2 networks" in texts(page)
    assert "cost no more than one" in texts(page)


def test_one_seed_is_not_compared(add_run: ADD) -> None:
    add_run("r1", SPEC)
    assert "at least two finished runs" in draw(several_runs).info[0].value


def test_seeds_that_change_nothing_are_one_network(add_run: ADD, home: DataHome) -> None:
    for seed in range(2):
        add_run(f"r{seed}", SPEC.changed(seed=seed))
    same = (home.runs / "r0" / FILE_NAME).read_bytes()
    (home.runs / "r1" / FILE_NAME).write_bytes(same)
    assert "exactly the same predictions" in draw(several_runs).info[0].value


def test_seeds_are_compared_on_the_page_of_runs_when_asked_for(add_run: ADD, open_page: Callable[..., AppTest]) -> None:
    for seed in range(2):
        words = {"sampling": "poisson", "device": "cpu"} if seed else {}
        add_run(f"r{seed}", PRIVATE.changed(seed=seed, **words))
    page = open_page("runs", runs="r0,r1")
    assert "On how many images do they agree?" not in texts(page)
    page.session_state["runs_seeds"] = True
    page.run()
    assert not page.exception
    assert "On how many images do they agree?" in texts(page)
