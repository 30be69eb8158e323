"""The runs page in every state of a run."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from medpriv_core.mechanisms.additive import LaplacePerPixel
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.records.epoch import EpochRow, read_row
from medpriv_core.records.outcome import Outcome
from medpriv_core.records.setup import Setup
from medpriv_core.runs import service
from medpriv_core.runs.spent_record import write_record
from medpriv_core.runs.store import RunState, RunStore
from tests.pages.conftest import texts
from tests.pages.recorded_runs import (
    SPEC,
    TRAIN_SIZE,
    OpenPage,
    add_recorded_run,
    add_run,
    open_tab,
    put_in_state,
)
from tests.results.chosen_results import spent_of

SOUND = SPEC.changed(method="dp_sgd", noise_multiplier=4.0)
AUTHORS = SOUND.changed(engine="microbatch", microbatch_size=4, sampling="shuffled", norm="batch_norm", trainable="all")


def keys(page: AppTest) -> set[str | None]:
    return {button.key for button in page.button}


def test_no_runs_says_how_to_start_one(open_page: OpenPage) -> None:
    page = open_page("runs")
    assert not page.exception
    assert "No runs yet" in page.info[0].value


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        ("queued", {"stop"}),
        ("running", {"stop_r1"}),
        ("finished", {"replay", "delete"}),
        ("failed", {"replay", "resume", "delete"}),
        ("cancelled", {"replay", "resume", "delete"}),
    ],
)
def test_each_state_shows_its_curve_and_what_can_be_done(
    open_page: OpenPage, home: DataHome, state: RunState, buttons: set[str]
) -> None:
    add_run(home)
    put_in_state(home, "r1", state, "Lower [batch_size]." if state == "failed" else None)
    page = open_page("runs", run="r1")
    assert not page.exception
    assert keys(page) == {"duplicate", *buttons}
    assert len(page.get("plotly_chart")) == 1
    assert "name of r1" in texts(page)
    assert [error.value for error in page.error] == (["Lower **Batch size**."] if state == "failed" else [])


def test_progress_says_the_phase_and_the_time_left(open_page: OpenPage, home: DataHome) -> None:
    directory = add_run(home)
    put_in_state(home, "r1", "running")
    directory.write_progress(phase="Epoch 3 of 5", done=30, total=60, seconds_left=90.0)
    page = open_page("runs")
    bar = page.get("progress")[0].proto
    assert bar.value == 50
    assert bar.text == "Epoch 3 of 5 · 100 images a second · 2 min left"


def test_the_list_is_read_once_for_a_page(open_page: OpenPage, home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    add_run(home)
    put_in_state(home, "r1", "running")
    asked, real = [], service.list_lines
    monkeypatch.setattr(service, "list_lines", lambda *args, **options: asked.append(1) or real(*args, **options))
    page = open_page("runs")
    assert "name of r1" in texts(page)
    assert len(asked) == 1


def test_runs_on_synthetic_images_are_labelled(open_page: OpenPage, home: DataHome) -> None:
    add_run(home)
    put_in_state(home, "r1", "finished")
    assert open_page("runs").header[0].value.endswith(":orange-badge[synthetic]")


def test_the_table_has_the_numbers_of_the_curve(open_page: OpenPage, home: DataHome) -> None:
    add_run(home)
    page = open_tab(open_page("runs"), "Numbers")
    epochs = page.dataframe[0].value
    assert list(epochs["epoch"]) == [2, 1]
    assert list(epochs["test accuracy"]) == [80.0, 80.0]


def test_a_sound_run_shows_its_epsilon_and_its_lights(open_page: OpenPage, home: DataHome) -> None:
    add_recorded_run(home, SOUND)
    page = open_page("runs")
    epsilon = format_epsilon(plan_run(SOUND, train_size=TRAIN_SIZE).epsilon)
    said = texts(page)
    assert f"Spent: ε = {epsilon} (δ = 1e-5; one image added or removed; Poisson subsampling; PLD accountant)" in said
    assert "of 100 images that were in the training set, while wrongly naming 1 of 100 that were not." in said
    assert "ε does not cover them" in said
    assert "14 hold" in said
    assert "2 need your attention" in said  # the generator, and that nobody recorded whose images they are
    assert "fails" not in said
    (folded,) = [expander for expander in page.expander if "conditions that hold" in expander.label]
    assert any("**Accounting.** The ledger covers exactly the 50 steps" in text.value for text in folded.markdown)


def test_a_run_stopped_in_mid_epoch_says_what_its_weights_have_spent(open_page: OpenPage, home: DataHome) -> None:
    directory = add_recorded_run(home, SOUND)
    noise = plan_run(SOUND, train_size=TRAIN_SIZE).noise_multiplier
    spent = spent_of(SOUND.changed(noise_multiplier=noise, target_epsilon=None), epochs=SOUND.epochs, step=3)
    write_record(directory, spent)
    page = open_page("runs")
    said = texts(page)
    assert f"Spent: ε = {format_epsilon(spent.epsilon)} (δ = 1e-5" in said
    place = f"It was stopped in epoch {SOUND.epochs + 1}, after {spent.steps} steps; figures are of the end of epoch"
    assert place in said
    assert "fails" not in said
    (line,) = page.dataframe[-1].value.to_dict("records")
    assert line["ε"] == float(format_epsilon(spent.epsilon))
    assert place in line["ε in full"]


def test_the_lights_of_an_imported_run_are_its_senders_word(open_page: OpenPage, home: DataHome) -> None:
    directory = add_recorded_run(home, SOUND)
    directory.import_mark.write_text("{}")
    said = texts(open_page("runs"))
    assert "16 need your attention" in said
    assert "So says its sender, and nobody here can check it: The ledger covers exactly the 50 steps" in said


def test_the_authors_run_shows_that_no_epsilon_holds(open_page: OpenPage, home: DataHome) -> None:
    add_recorded_run(home, AUTHORS)
    page = open_page("runs")
    assert "Spent: ε = ∞ (" in page.error[0].value
    assert "No ε holds for this run" in page.error[0].value
    said = texts(page)
    assert "3 fail" in said
    for name in ("Sampling", "Clipping", "Images kept apart"):
        assert f":red-badge[:material/cancel: fails] **{name}.**" in said


def test_what_an_older_run_did_not_record_is_amber(open_page: OpenPage, home: DataHome) -> None:
    add_run(home, spec=SPEC.changed(method="dp_sgd", target_epsilon=5.0))
    said = texts(open_page("runs"))
    assert "Spent so far: ε = 2 (δ = 1e-5; one image added or removed; Poisson subsampling; PLD accountant)" in said
    assert "attention] **Sampling.** This run did not record how its batches were drawn" in said
    assert "ε does not cover them" in said


def test_a_run_that_recorded_next_to_nothing_claims_nothing(open_page: OpenPage, home: DataHome) -> None:
    directory = add_run(home, spec=SPEC.changed(method="dp_sgd", target_epsilon=5.0))
    directory.write_setup(Setup.from_dict({}))
    page = open_page("runs")
    assert "did not record enough to say which ε holds" in page.warning[0].value
    assert "Spent" not in texts(page)


def test_the_steps_of_an_epoch_that_was_stopped_count_too(open_page: OpenPage, home: DataHome) -> None:
    directory = add_run(home, spec=SPEC.changed(method="dp_sgd", target_epsilon=5.0))
    put_in_state(home, "r1", "cancelled")
    directory.write_outcome(Outcome("cancelled", last=EpochRow(epoch=2, epsilon=2.5, delta=1e-5, steps=27)))
    assert "Spent: ε = 2.5 (" in texts(open_page("runs"))


def test_many_epochs_make_no_endless_table(open_page: OpenPage, home: DataHome) -> None:
    directory = add_run(home, spec=SPEC.changed(epochs=999, sampling="full_batch"), epochs=0)
    directory.append_epochs(map(read_row, [{"epoch": epoch, "test_accuracy": 0.8} for epoch in range(1, 1000)]))
    page = open_tab(open_page("runs"), "Numbers")
    epochs = list(page.dataframe[0].value["epoch"])
    assert (epochs[0], epochs[1], epochs[-1], len(epochs)) == (999, 990, 10, 100)
    assert "One epoch in 10," in texts(page)
    chart = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert chart["layout"]["xaxis"]["title"]["text"] == "epoch (one step)"
    assert chart["data"][0]["x"][-1] == 999
    assert len(chart["data"][0]["x"]) <= 401


def test_tables_give_epsilon_with_its_delta_and_never_below_what_holds(open_page: OpenPage, home: DataHome) -> None:
    directory = add_run(home, spec=SPEC.changed(method="dp_sgd", target_epsilon=5.0))
    directory.append_epoch(read_row({"epoch": 3, "test_accuracy": 0.8, "epsilon": 2.99912, "delta": 1e-5, "steps": 30}))
    page = open_tab(open_page("runs"), "Numbers")
    assert page.dataframe[0].value["ε so far"][0] == "3 (δ = 1e-5)"
    row = page.dataframe[1].value.iloc[0]
    assert row["ε"] == 3
    assert row["ε in full"] == "ε = 3 (δ = 1e-5; one image added or removed; Poisson subsampling; PLD accountant)"


def test_local_dp_has_the_epsilon_of_a_training_picture_in_the_table(open_page: OpenPage, home: DataHome) -> None:
    add_run(home, spec=SPEC.changed(method="local_dp", beta=2.0, image_size=64))
    row = open_page("runs").dataframe[0].value.iloc[0]
    held = LaplacePerPixel(2.0).guarantee((64, 64, 1), delta=1e-5).epsilon_image
    assert row["ε"] == float(format_epsilon(held).replace(",", ""))
    assert row["ε in full"].endswith("each training image")


def test_an_infinite_epsilon_is_said(open_page: OpenPage, home: DataHome) -> None:
    directory = add_run(home, spec=SPEC.changed(method="dp_sgd", noise_multiplier=0.3))
    row = {"epoch": 3, "train_accuracy": None, "test_accuracy": 0.8, "epsilon": None, "delta": 1e-5, "steps": 30}
    directory.append_epoch(read_row(row))
    said = texts(open_page("runs"))
    assert "ε = ∞ (δ = 1e-5" in said
    assert "Nothing is promised" in said


def test_stop_and_resume_do_what_they_say(open_page: OpenPage, home: DataHome) -> None:
    add_run(home, epochs=0)
    page = open_page("runs", run="r1")
    page.button(key="stop").click().run()
    assert RunStore(home).get("r1").state == "cancelled"
    page.button(key="resume").click().run()
    assert RunStore(home).get("r1").state == "queued"


def test_the_address_names_the_run(open_page: OpenPage, home: DataHome) -> None:
    add_run(home, "r1")
    add_run(home, "r2")
    assert "name of r1" in texts(open_page("runs", run="r1"))
    assert "name of r2" in texts(open_page("runs"))
    page = open_page("runs", run="gone")
    assert "The address asks for a run that is not in the list" in page.warning[0].value


def test_a_damaged_run_is_shown_with_its_reason(open_page: OpenPage, home: DataHome) -> None:
    add_run(home)
    (home.runs / "r1" / "spec.json").write_text("{")
    page = open_page("runs")
    assert not page.exception
    assert "spec.json" in page.error[0].value
    assert "not measured" not in texts(page)


def test_a_damaged_table_of_runs_is_explained(open_page: OpenPage, home: DataHome) -> None:
    home.root.mkdir()
    home.database.write_bytes(b"no database" * 1000)
    page = open_page("runs")
    assert not page.exception
    assert any("is damaged" in error.value for error in page.error)
