"""The compare page from the first start on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.errors import SettingError
from medpriv_core.home import DataHome
from medpriv_core.progress import format_duration
from medpriv_core.results import authors, reference
from medpriv_core.results.reference import ReferenceRun, write_reference
from medpriv_core.runs import service
from medpriv_core.runs.estimate import estimate_time
from tests.pages.conftest import texts
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE, rows_of, setup_of
from tests.results.stored import store_run

OpenPage = Callable[..., AppTest]
RUNS = [
    ReferenceRun(str(number), "n", spec, setup_of(spec), rows_of(spec, (0.6, 0.8 - 0.1 * number), 0.9))
    for number, spec in enumerate((PLAIN, LOCAL))
]
ABOUT = {
    "command": "the command",
    "date": "2026-11-22",
    "machine": "two cores",
    "weights": "a file",
    "versions": {"torch": "2"},
}


@pytest.fixture(autouse=True)
def reference_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped set changes with time; each test has its own."""
    monkeypatch.setattr(reference.read_references, "__defaults__", (tmp_path / "references",))
    return tmp_path / "references"


def labels_on(page: AppTest) -> list[str]:
    return [str(label) for label in page.dataframe[0].value["runs on screen"]]


def chart(page: AppTest) -> dict:  # type: ignore[type-arg]
    (element,) = page.get("plotly_chart")
    return dict(json.loads(element.proto.spec))


def test_the_first_start_shows_the_authors_curves_and_claims_no_more(open_page: OpenPage) -> None:
    page = open_page("compare")

    assert not page.exception
    assert not page.error
    # No privacy, three of Local-DP and three of DP-SGD, on test and training images, and what hollow markers are.
    assert len(chart(page)["data"]) == 15
    said = texts(page)
    assert "in the authors' logs" in said
    assert "ε not established" in said
    assert "Your own runs appear here as they finish." in said
    assert "Colour order" in said


def test_own_runs_stand_in_front_and_are_spoken_of(home: DataHome, open_page: OpenPage) -> None:
    store_run(home, "a", PLAIN, (0.6, 0.9))
    store_run(home, "b", LOCAL, (0.6, 0.7))

    page = open_page("compare")

    assert not page.error
    assert "in your runs (the last layer, 64 pixels): Local-DP at β = 2, Laplace noise per pixel" in page.info[0].value
    assert "costs 20.0 points of accuracy" in page.info[0].value
    assert labels_on(page) == ["No privacy", "Local-DP β = 2"]
    assert "drawn by a program" in texts(page)


def test_what_several_private_networks_on_screen_cost_together_is_said(home: DataHome, open_page: OpenPage) -> None:
    store_run(home, "a", PRIVATE)
    assert "taken together" not in texts(open_page("compare", dataset="synthetic_chest"))
    store_run(home, "b", PRIVATE.changed(noise_multiplier=8.0))

    assert (
        "Anyone who gets all 2 DP-SGD networks, or answers that all had a part in, learns from each of them: ε = "
        in texts(open_page("compare", dataset="synthetic_chest"))
    )
    assert "taken together" not in texts(open_page("compare", runs="a"))


@pytest.mark.parametrize("view", ["Figure 3", "Figure 4"])
def test_that_training_accuracy_of_private_runs_is_left_out_is_said(
    home: DataHome, open_page: OpenPage, view: str
) -> None:
    store_run(home, "a", PLAIN, (0.6, 0.9))
    assert "is left out" not in texts(open_page("compare", view=view, sources="mine"))
    store_run(home, "b", PRIVATE, (0.6, 0.7))

    said = texts(open_page("compare", view=view, sources="mine"))

    assert "The training accuracy of DP-SGD runs is left out" in said


def test_runs_that_are_not_finished_or_deleted_are_not_compared(home: DataHome, open_page: OpenPage) -> None:
    store_run(home, "a", PLAIN)
    store_run(home, "b", LOCAL)
    store_run(home, "c", LOCAL.changed(beta=4.0), state="cancelled")
    service.delete(home, "b")

    assert labels_on(open_page("compare", dataset="synthetic_chest")) == ["No privacy"]


def test_the_address_names_the_runs_to_compare(home: DataHome, open_page: OpenPage) -> None:
    for run_id, spec in (("a", PLAIN), ("b", LOCAL), ("c", LOCAL.changed(beta=4.0))):
        store_run(home, run_id, spec)

    page = open_page("compare", runs="a,c,gone")

    assert labels_on(page) == ["No privacy", "Local-DP β = 4"]
    assert "only 2 chosen ones are shown. 1 of those in the address is not" in texts(page)

    page.button(key="compare_all").click().run()
    assert labels_on(page) == ["No privacy", "Local-DP β = 2", "Local-DP β = 4"]


def test_tags_narrow_down_own_runs(home: DataHome, open_page: OpenPage) -> None:
    store_run(home, "a", PLAIN, tags=["pilot"])
    store_run(home, "b", LOCAL)

    page = open_page("compare", tags="pilot", dataset="synthetic_chest")

    assert labels_on(page) == ["No privacy"]


def test_of_very_many_settings_the_newest_are_shown(
    home: DataHome, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medpriv_core.results.selection.MOST_OWN_GROUPS", 2)
    for number in range(4):
        store_run(home, f"r{number}", LOCAL.changed(beta=1.0 + number))

    page = open_page("compare", sources="mine")

    assert labels_on(page) == ["Local-DP β = 3", "Local-DP β = 4"]
    assert "the newest settings are shown and 2 older ones not" in texts(page)


def test_figure_4_calls_the_best_epoch_what_it_is(home: DataHome, open_page: OpenPage) -> None:
    store_run(home, "a", PLAIN, (0.9, 0.8))
    page = open_page("compare", view="Figure 4", sources="mine")
    assert page.dataframe[0].value["test accuracy"][0] == pytest.approx(80)
    assert not page.warning

    page.radio(key="figure4_protocol").set_value("best_on_test").run()

    assert page.dataframe[0].value["test accuracy"][0] == pytest.approx(90)
    assert "chosen on the test images" in page.warning[0].value
    assert "95% interval" not in " ".join(page.dataframe[0].value.columns)


def test_last_layer_and_all_layers_stand_side_by_side_only_on_demand(
    home: DataHome, reference_folder: Path, open_page: OpenPage
) -> None:
    deep = [
        ReferenceRun(f"deep{run.id}", run.name, spec, run.setup, run.epochs)
        for run in RUNS
        for spec in (run.spec.changed(trainable="all", image_size=32),)
    ]
    write_reference(reference_folder / "synthetic_chest.json.gz", [*RUNS, *deep], about=ABOUT)

    page = open_page("compare", dataset="synthetic_chest", view="Figure 4", sources="reference")
    assert labels_on(page) == ["No privacy", "Local-DP β = 2"]
    assert "in the reference set (the last layer, 64 pixels): " in page.info[0].value

    (learned,) = (choice for choice in page.button_group if choice.label == "What learned")
    assert learned.options == ["Last layer, 64 pixels", "All layers, 32 pixels", "Both"]
    learned.set_value("together").run()
    assert labels_on(page) == [
        "No privacy, last layer, 64 pixels",
        "No privacy, all layers, 32 pixels",
        "Local-DP β = 2, last layer, 64 pixels",
        "Local-DP β = 2, all layers, 32 pixels",
    ]

    store_run(home, "a", PLAIN.changed(trainable="all"))
    page = open_page("compare", dataset="synthetic_chest")
    assert labels_on(page) == ["No privacy (reference)", "No privacy", "Local-DP β = 2 (reference)"]
    assert page.dataframe[0].value["differs from others in"].tolist() == [""] * 3


def test_the_frontier_measures_by_auroc_where_it_is_known(home: DataHome, open_page: OpenPage) -> None:
    store_run(home, "a", PLAIN, auroc=0.95)
    store_run(home, "b", PRIVATE, auroc=0.90)

    page = open_page("compare", view="Frontier")

    assert page.radio(key="frontier_measure_test_accuracy_test_balanced_accuracy_test_auroc").value == "test_auroc"
    assert "costs 0.050 of AUROC" in page.info[0].value  # as the axis has it
    assert "costs 5.0 points of accuracy" not in page.info[0].value
    assert "Poisson subsampling" in texts(page)


def test_the_frontier_of_the_authors_has_accuracy_alone(open_page: OpenPage) -> None:
    page = open_page("compare", view="Frontier")

    assert page.radio(key="frontier_measure_test_accuracy").value == "test_accuracy"
    assert not page.error


def test_choosing_no_runs_leaves_the_authors_on_screen(open_page: OpenPage) -> None:
    page = open_page("compare", sources="nobody")

    assert not page.error
    assert "Nothing is chosen" in texts(page)


def test_a_reference_set_is_shown_with_how_it_was_made(reference_folder: Path, open_page: OpenPage) -> None:
    write_reference(reference_folder / "synthetic_chest.json.gz", RUNS, about=ABOUT)

    page = open_page("compare", dataset="synthetic_chest")

    assert "in the reference set" in page.info[0].value
    assert any(code.value == "the command" for code in page.code)


def test_damaged_files_are_named_and_the_rest_is_shown(
    home: DataHome, reference_folder: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference_folder.mkdir()
    (reference_folder / "idrid.json.gz").write_bytes(b"broken")
    write_reference(reference_folder / "synthetic_chest.json.gz", RUNS, about=ABOUT)

    page = open_page("compare", dataset="synthetic_chest")

    assert ["idrid.json.gz is damaged" in error.value for error in page.error] == [True]
    assert "in the reference set" in page.info[0].value

    monkeypatch.setattr(authors, "FILE", reference_folder / "gone.csv")
    page = open_page("compare")

    assert ["is damaged" in error.value for error in page.error] == [True, True]
    assert labels_on(page) == ["No privacy", "Local-DP β = 2"]

    (reference_folder / "synthetic_chest.json.gz").unlink()
    page = open_page("compare")

    assert not page.exception
    assert "No run is left to compare" in page.info[0].value


def test_every_view_opens_with_own_runs_of_every_method(home: DataHome, open_page: OpenPage) -> None:
    for number, spec in enumerate((PLAIN, LOCAL, LOCAL.changed(noise_draw="per_image"), PRIVATE)):
        store_run(home, f"r{number}", spec)

    for view in ("Figure 3", "Figure 4", "Frontier"):
        page = open_page("compare", view=view)
        assert not page.error
        assert len(page.get("plotly_chart")) == 1, "only the open view is computed"


def test_a_private_run_without_counterpart_offers_to_train_it(home: DataHome, open_page: OpenPage) -> None:
    store_run(home, "a", PRIVATE.changed(epochs=3, learning_rate=0.2), (0.6, 0.7, 0.8))

    page = open_page("compare")  # opens on what can be compared, the authors' runs
    assert "on Synthetic chest radiographs has no counterpart without privacy." in texts(page)
    button = page.button(key="train_counterpart_0")
    sizes: dict[str, Any] = {"train_size": 640, "test_size": 160}
    wanted = PLAIN.changed(epochs=3, learning_rate=0.2)
    assert button.label == f"Train it, about {format_duration(estimate_time(home, wanted, **sizes).seconds)}"

    page = button.click().run()

    (made,) = [run for run in service.list_runs(home) if run.state == "queued"]
    assert made.spec == wanted
    assert not [button for button in page.button if button.key == "train_counterpart_0"]
    assert not page.error


def test_with_its_counterpart_nothing_is_offered(home: DataHome, open_page: OpenPage) -> None:
    store_run(home, "a", PRIVATE)
    store_run(home, "b", PLAIN)

    page = open_page("compare")

    assert "counterpart" not in texts(page)
    assert "costs" in page.info[0].value


def test_a_counterpart_that_cannot_be_trained_is_a_sentence(
    home: DataHome, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_run(home, "a", PRIVATE)
    page = open_page("compare")

    def refuse(*_: object) -> None:
        raise SettingError("The disk is [epochs=3].")

    monkeypatch.setattr(service, "submit", refuse)
    page = page.button(key="train_counterpart_0").click().run()

    assert [error.value for error in page.error] == ["The disk is *3*."]
    assert page.button(key="train_counterpart_0")
