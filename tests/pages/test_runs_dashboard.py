"""The runs page with several runs: one chart, one table, and what can be done to them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.figures.keys import RANK
from medpriv_core.home import DataHome
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.statement import dp_sgd_statement
from medpriv_core.records.epoch import read_row
from medpriv_core.runs import service
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import SETTINGS
from pages.parts.messages import OUR_FAULT
from tests.pages.conftest import texts
from tests.pages.recorded_runs import SPEC, TRAIN_SIZE, OpenPage, add_recorded_run, add_run, open_tab, put_in_state

SOUND = SPEC.changed(method="dp_sgd", noise_multiplier=4.0)


def add_ended(home: DataHome, *ids: str, **changes: Any) -> None:
    for run_id in ids:
        add_run(home, run_id, SPEC.changed(**changes))
        put_in_state(home, run_id, "finished")


def chart(page: AppTest) -> dict[str, Any]:
    (element,) = page.get("plotly_chart")
    spec: dict[str, Any] = json.loads(element.proto.spec)
    return spec


def legend(page: AppTest) -> list[str]:
    """The curves that the legend names; what it says of marks comes after them."""
    return [
        trace["name"]
        for trace in chart(page)["data"]
        if trace.get("showlegend") is not False and trace.get("legendrank") != RANK
    ]


def listed(page: AppTest) -> list[str]:
    return list(page.dataframe[-1].value["run"])


def said(page: AppTest) -> str:
    """What the bar at the lower edge says."""
    return page.session_state["runs_said"].text


def test_runs_in_the_address_share_one_chart(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1", "r2", "r3")
    page = open_page("runs", runs="r1,r3")
    assert not page.exception
    assert legend(page) == ["name of r1 (training)", "name of r1", "name of r3 (training)", "name of r3"]
    assert page.selectbox(key="runs_details_of_r1,r3").value == "r1"


def test_runs_of_one_name_are_told_apart(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1", "r2")
    service.rename(home, "r2", "name of r1")
    names = legend(open_page("runs", runs="r1,r2"))
    assert len(set(names)) == 4
    assert all(name.startswith("name of r1 (") for name in names)


def test_settings_tell_runs_of_one_name_apart(open_page: OpenPage, home: DataHome) -> None:
    for seed, rate in ((0, 0.1), (1, 0.1), (1, 0.01)):
        run_id = f"r{seed}{rate}"
        add_ended(home, run_id, seed=seed, learning_rate=rate)
        service.rename(home, run_id, "Pilot")
    page = open_page("runs", runs="r00.1,r10.1,r10.01", images="test")
    assert legend(page) == [
        "Pilot (learning rate 0.1, seed 0)",
        "Pilot (learning rate 0.1, seed 1)",
        "Pilot (learning rate 0.01, seed 1)",
    ]
    assert legend(open_page("runs", runs="r00.1,r10.1", images="test")) == ["Pilot (seed 0)", "Pilot (seed 1)"]


def test_the_address_holds_figure_images_and_axes(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1", "r2")
    page = open_page("runs", runs="r1,r2", figure="loss", images="test", log="xy", smooth="50", hide="r2", marks="off")
    layout = chart(page)["layout"]
    assert (layout["xaxis"]["type"], layout["yaxis"]["type"]) == ("log", "log")
    assert "loss<br>smoothed by 0.5" in layout["yaxis"]["title"]["text"]
    assert legend(page) == ["name of r1", "name of r2"]
    assert {trace["visible"] for trace in chart(page)["data"] if trace["legendgroup"] == "r2 test"} == {"legendonly"}
    page.selectbox(key="runs_figure").set_value("accuracy").run()
    assert "figure" not in page.query_params
    assert page.query_params["log"] == "xy"


def test_nonsense_in_the_address_is_passed_over(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1")
    page = open_page("runs", run="r1", figure="beauty", images="x", smooth="1000", against="moon", highlight="r9")
    assert not page.exception
    assert page.selectbox(key="runs_figure").value == "accuracy"


def test_of_many_runs_only_test_images_are_drawn_at_first(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1", "r2", "r3", "r4")
    assert legend(open_page("runs", runs="r1,r2,r3,r4")) == [f"name of r{number}" for number in range(1, 5)]


def test_noised_test_images_are_offered_where_a_run_looks_at_them(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1")
    add_ended(home, "r2", method="local_dp", beta=1.0)
    plain = open_page("runs", run="r1").button_group(key="runs_images_2_2")
    assert plain.options == ["Training", "Test"]
    both = open_page("runs", runs="r1,r2", images="test_noised").button_group(key="runs_images_3_3")
    assert both.options == ["Training", "Test", "Test, noised images"]
    assert both.value == ["test_noised"]


def test_what_was_not_measured_is_said(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1")
    page = open_page("runs", run="r1", figure="kappa")
    assert "Kappa, quadratic weights was not measured in this run" in page.info[0].value
    page = open_page("runs", run="r1", figure="epsilon")
    assert "no ε that grows" in page.info[0].value


def test_the_list_is_filtered_by_words_state_and_tag(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1", "r2", "r3")
    add_run(home, "r4")
    service.set_tags(home, "r2", ["teaching"])
    service.set_notes(home, "r3", "For the seminar", expected="")
    page = open_page("runs")
    assert listed(page) == ["name of r4", "name of r3", "name of r2", "name of r1"]
    page.text_input(key="runs_search").set_value("SEMINAR").run()
    assert listed(page) == ["name of r3"]
    page.text_input(key="runs_search").set_value("")
    page.multiselect(key="runs_filter_tag").set_value(["teaching"]).run()
    assert listed(page) == ["name of r2"]
    page.multiselect(key="runs_filter_state").set_value(["queued"]).run()
    assert "No run matches these filters." in texts(page)


def test_a_deletion_is_undone(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1", "r2", "r3")
    page = open_page("runs", runs="r1,r2")
    page.button(key="delete_chosen").click().run()
    assert said(page) == "Removed 2 runs."
    assert [run.id for run in service.list_runs(home)] == ["r3"]
    assert not page.warning
    page.button(key="undo").click().run()
    assert said(page) == "2 runs are back."
    assert page.query_params["runs"] == "r1,r2"
    assert len(service.list_runs(home)) == 3


def test_deleted_runs_are_found_again_later(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1", "r2")
    service.delete(home, "r2")
    page = open_page("runs")
    page.session_state["runs_deleted"] = True
    page.run()
    page.multiselect(key="runs_restore").set_value(["r2"]).run()
    page.button(key="restore").click().run()
    assert len(service.list_runs(home)) == 2


def test_a_run_that_was_deleted_elsewhere_is_a_sentence(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1", "r2")
    page = open_page("runs", run="r1")
    service.delete(home, "r1")
    page.run()
    assert not page.exception
    assert not page.error
    assert page.warning[0].value == (
        "The address asks for a run that is not in the list of this machine: removed, or never here."
    )


def test_what_more_epochs_cost_stands_before_the_click(open_page: OpenPage, home: DataHome) -> None:
    directory = add_recorded_run(home, SOUND)
    directory.checkpoint.write_bytes(b"a network")
    plan = plan_run(SOUND, train_size=TRAIN_SIZE)
    page = open_page("runs")
    page.session_state["extend_r1"] = True
    page.run()
    page.number_input(key="extend_epochs_r1").set_value(20).run()
    longer = plan_run(SOUND.changed(epochs=20), train_size=TRAIN_SIZE)
    for when, epsilon in (("Now", plan.epsilon), ("Then", longer.epsilon)):
        assert f"{when}: {dp_sgd_statement(epsilon=epsilon, delta=1e-5)}" in texts(page)
    assert longer.epsilon > plan.epsilon
    page.button(key="extend_now_r1").click().run()
    assert service.load_run(home, "r1").state == "queued"
    assert service.load_run(home, "r1").spec == SOUND.changed(epochs=20)


def test_two_people_who_edit_one_run_lose_nothing(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1")
    page = open_tab(open_page("runs", run="r1"), "Name, tags, notes")
    page.text_area(key="notes_r1_0").set_value("mine")
    service.set_notes(home, "r1", "theirs", expected="")
    page.button(key="save_r1").click().run()
    assert "Somebody else changed the notes" in said(page)
    assert service.load_run(home, "r1").notes == "theirs"
    assert page.text_area(key="notes_r1_0").value == "mine"
    assert any("theirs" in code.value for code in page.code)
    page.button(key="labels_again_r1").click().run()
    assert page.text_area(key="notes_r1_1").value == "theirs"
    page.text_area(key="notes_r1_1").set_value("theirs and mine")
    page.text_input(key="name_r1_1").set_value("A *better* name")
    page.button(key="save_r1").click().run()
    assert service.load_run(home, "r1").notes == "theirs and mine"
    assert "A \\*better\\* name" in texts(page)


def test_waiting_runs_change_places(open_page: OpenPage, home: DataHome) -> None:
    add_run(home, "r1")
    add_run(home, "r2")
    page = open_page("runs", run="r2")
    assert "2 runs wait; next is name of r1" in texts(page)
    service.move(home, "r2", "first")
    page.run()
    assert "2 runs wait; next is name of r2" in texts(page)


def test_a_paused_chart_stays_while_the_run_goes_on(open_page: OpenPage, home: DataHome) -> None:
    directory = add_run(home)
    put_in_state(home, "r1", "running")
    page = open_page("runs")
    page.toggle(key="runs_pause").set_value(True).run()
    before = chart(page)
    directory.append_epoch(read_row({"epoch": 3, "train_accuracy": 0.9, "test_accuracy": 0.9, "elapsed_s": 3.0}))
    page.run()
    assert chart(page) == before
    assert "paused, 1 newer epoch waits" in texts(page)
    page.toggle(key="runs_pause").set_value(False).run()
    assert chart(page)["data"][0]["x"] == [1, 2, 3]


def test_a_copied_run_fills_the_form_which_says_what_differs(open_page: OpenPage, home: DataHome) -> None:
    spec = SOUND.changed(noise_multiplier=1.0, image_size=50, epochs=7, class_weights=(1.0, 2.0), sampling="poisson")
    add_run(home, "r1", spec)
    put_in_state(home, "r1", "finished")
    page = open_page("runs", run="r1")
    page.button(key="duplicate").click().run()
    page.switch_page("train.py").run()
    assert not page.exception
    assert page.number_input(key="train_epochs").value == 7
    assert page.number_input(key="train_noise_multiplier").value == 1.0
    assert page.number_input(key="train_class_weight_1").value == 2.0
    assert page.selectbox(key="train_sampling").value == "auto"  # which under DP-SGD is the same
    assert "Copied from *name of r1*; changed: Image size (pixels): 64 instead of 50." in texts(page)
    page.number_input(key="train_epochs").set_value(9).run()
    assert "Epochs: 9 instead of 7" in texts(page)


def test_a_damaged_table_of_runs_is_made_again(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1")
    home.database.write_bytes(b"no database" * 1000)
    page = open_page("runs")
    assert "is damaged" in page.error[0].value
    page.button(key="rebuild").click().run()
    assert not page.exception
    assert [run.id for run in service.list_runs(home)] == ["r1"]
    assert len(page.get("plotly_chart")) == 1


@pytest.mark.parametrize("title", ["Numbers", "Evaluation", "Settings", "Export", "Log"])
def test_every_tab_opens(open_page: OpenPage, home: DataHome, title: str) -> None:
    add_ended(home, "r1")
    page = open_tab(open_page("runs", run="r1"), title)
    assert not page.exception
    assert not page.error


def test_the_table_of_settings_says_what_happened_and_leaves_out_what_had_no_effect(
    open_page: OpenPage, home: DataHome
) -> None:
    add_ended(home, "r1")
    page = open_tab(open_page("runs", run="r1"), "Settings")
    (table,) = (each.value for each in page.dataframe if "setting" in each.value)
    said = dict(zip(table["setting"], table["value"], strict=True))
    assert said["Dataset"] == "synthetic_chest"
    assert said[SETTINGS["sampling"].label] == SETTINGS["sampling"].choices["shuffled"].form
    assert not {SETTINGS[name].label for name in ("noise_draw", "delta", "engine", "microbatch_size")} & set(said)


def test_a_running_run_that_is_not_on_the_chart_can_be_put_there(open_page: OpenPage, home: DataHome) -> None:
    add_ended(home, "r1")
    add_run(home, "r2")
    RunStore(home).claim_next()
    page = open_page("runs", run="r1")
    page.button(key="show_r2").click().run()
    assert page.query_params["run"] == "r2"
    assert page.get("progress")[0].proto.text == "Starting the worker…"


def test_a_fault_of_ours_in_a_button_is_a_sentence(
    open_page: OpenPage, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    add_run(home)
    monkeypatch.setattr(service, "cancel", fail)
    page = open_page("runs")
    page.button(key="stop").click().run()
    assert not page.exception
    assert said(page) == OUR_FAULT
