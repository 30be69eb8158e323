"""The runs page in every state of a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunState, RunStore
from medpriv_core.spec import RunSpec
from tests.pages.conftest import texts

OpenPage = Callable[..., AppTest]
SPEC = RunSpec(dataset="synthetic_chest", weights="none", epochs=5)


def add_run(home: DataHome, run_id: str = "r1", spec: RunSpec = SPEC, epochs: int = 2) -> RunDirectory:
    directory = RunDirectory(home.runs / run_id)
    directory.create(spec)
    directory.write_setup({"majority_rate": 0.6, "device": "cpu", "weights": "No pretrained weights."})
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "train_accuracy": 0.7, "test_accuracy": 0.8, "train_loss": 0.5, "test_loss": 0.6}
        row |= {"images_per_s": 100.0, "elapsed_s": 1.0 * epoch}
        if spec.method == "dp_sgd":
            row |= {"epsilon": 1.0 * epoch, "delta": 1e-5}
        directory.append_epoch(row)
    RunStore(home).add(run_id, name=f"name of {run_id}", slot="cpu")
    return directory


def put_in_state(home: DataHome, run_id: str, state: RunState, message: str | None = None) -> None:
    store = RunStore(home)
    if state != "queued":
        store.claim_next()
    if state not in ("queued", "running"):
        store.end(run_id, state, message)


def keys(page: AppTest) -> set[str | None]:
    return {button.key for button in page.button}


def test_no_runs_says_how_to_start_one(open_page: OpenPage):
    page = open_page("runs")
    assert not page.exception
    assert "No runs yet" in page.info[0].value


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        ("queued", {"stop"}),
        ("running", {"stop"}),
        ("finished", set()),
        ("failed", {"resume"}),
        ("cancelled", {"resume"}),
    ],
)
def test_each_state_shows_its_curve_and_what_can_be_done(
    open_page: OpenPage, home: DataHome, state: RunState, buttons: set[str]
):
    add_run(home)
    put_in_state(home, "r1", state, "It broke." if state == "failed" else None)
    page = open_page("runs", run="r1")
    assert not page.exception
    assert keys(page) == buttons
    assert len(page.get("plotly_chart")) == 1
    assert "name of r1" in texts(page)
    assert [error.value for error in page.error] == (["It broke."] if state == "failed" else [])


def test_progress_says_the_phase_and_the_time_left(open_page: OpenPage, home: DataHome):
    directory = add_run(home)
    put_in_state(home, "r1", "running")
    directory.write_progress(phase="Epoch 3 of 5", done=30, total=60, seconds_left=90.0)
    page = open_page("runs")
    bar = page.get("progress")[0].proto
    assert bar.value == 50
    assert bar.text == "Epoch 3 of 5 · 2 min left"


def test_the_table_has_the_numbers_of_the_curve(open_page: OpenPage, home: DataHome):
    add_run(home)
    page = open_page("runs")
    epochs = page.dataframe[0].value
    assert list(epochs["epoch"]) == [2, 1]
    assert list(epochs["test accuracy"]) == [0.8, 0.8]


def test_dp_sgd_shows_what_is_spent_with_all_it_depends_on(open_page: OpenPage, home: DataHome):
    add_run(home, spec=SPEC.changed(method="dp_sgd", target_epsilon=5.0))
    said = texts(open_page("runs"))
    assert "ε = 2 (δ = 1e-5; one image added or removed; Poisson sampling; PLD accountant)" in said
    assert "ε does not cover them" in said


def test_tables_give_epsilon_with_its_delta_and_never_below_what_holds(open_page: OpenPage, home: DataHome):
    directory = add_run(home, spec=SPEC.changed(method="dp_sgd", target_epsilon=5.0))
    directory.append_epoch({"epoch": 3, "test_accuracy": 0.8, "epsilon": 2.99912, "delta": 1e-5})
    page = open_page("runs")
    assert page.dataframe[0].value["ε so far"][0] == "3 (δ = 1e-5)"
    assert page.dataframe[1].value["ε spent"][0] == "3 (δ = 1e-5)"


def test_an_infinite_epsilon_is_said(open_page: OpenPage, home: DataHome):
    directory = add_run(home, spec=SPEC.changed(method="dp_sgd", noise_multiplier=0.3))
    directory.append_epoch({"epoch": 3, "train_accuracy": None, "test_accuracy": 0.8, "epsilon": None, "delta": 1e-5})
    said = texts(open_page("runs"))
    assert "ε = ∞ (δ = 1e-5" in said
    assert "next to nothing" in said


def test_stop_and_resume_do_what_they_say(open_page: OpenPage, home: DataHome):
    add_run(home)
    page = open_page("runs", run="r1")
    page.button(key="stop").click().run()
    assert RunStore(home).get("r1").state == "cancelled"
    page.button(key="resume").click().run()
    assert RunStore(home).get("r1").state == "queued"


def test_the_address_names_the_run(open_page: OpenPage, home: DataHome):
    add_run(home, "r1")
    add_run(home, "r2")
    assert "name of r1" in texts(open_page("runs", run="r1"))
    assert "name of r2" in texts(open_page("runs"))
    page = open_page("runs", run="gone")
    assert "There is no run gone" in page.warning[0].value


def test_a_damaged_run_is_shown_with_its_reason(open_page: OpenPage, home: DataHome):
    add_run(home)
    (home.runs / "r1" / "spec.json").write_text("{")
    page = open_page("runs")
    assert not page.exception
    assert "spec.json" in page.error[0].value


def test_a_damaged_table_of_runs_is_explained(open_page: OpenPage, home: DataHome):
    home.root.mkdir()
    home.database.write_bytes(b"no database" * 1000)
    page = open_page("runs")
    assert not page.exception
    assert any("is damaged" in error.value for error in page.error)
