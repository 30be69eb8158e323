"""The runs page says of a run that ended without an error that its training came to nothing, and of odd weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from medpriv_core.home import DataHome
from medpriv_core.records.epoch import read_row
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.health import OTHER_WEIGHTS, run_health
from medpriv_core.spec import RunSpec
from tests.pages.conftest import texts
from tests.pages.recorded_runs import SPEC, OpenPage, add_run, put_in_state

SOUND = {"test_auroc": 0.95, "test_balanced_accuracy": 0.9, "test_class_recall": [0.9, 0.9], "test_loss": 0.3}
BLOWN_UP: dict[str, Any] = {"train_loss": 4050.0, "test_loss": 90.0, "test_auroc": 0.51}
DOUBT = "These do not look like weights that were trained on photographs (conv1.weight is all zero)."


def add(home: DataHome, *, spec: RunSpec = SPEC, doubt: str | None = None, **last: Any) -> None:
    directory: RunDirectory = add_run(home, "r1", spec, epochs=1)
    setup: dict[str, Any] = {
        "test_class_counts": (60, 100),
        "weights": f"From a file. {doubt or ''}",
        "weights_doubt": doubt,
    }
    directory.write_setup(replace(directory.read_setup(), **setup))
    directory.append_epoch(
        read_row({"epoch": 2, "train_accuracy": 0.5, "test_accuracy": 0.8, "train_loss": 0.2} | SOUND | last)
    )
    put_in_state(home, "r1", "finished")


def test_a_training_that_blew_up_says_so_in_the_words_of_the_form(open_page: OpenPage, home: DataHome) -> None:
    add(home, **BLOWN_UP)
    page = open_page("runs", run="r1")
    (error,) = page.error
    assert "The training blew up: the training loss is 4,050, where guessing has 0.69." in error.value
    assert "Try a **Learning rate** of 0.001 (a tenth)" in error.value
    assert ":red-badge[blew up]" in texts(page)
    (table,) = [frame.value for frame in page.dataframe if "state" in frame.value]
    assert list(table["state"]) == ["finished, blew up"]


def test_a_run_that_still_trains_says_it_only_after_a_fifth_of_its_epochs(home: DataHome) -> None:
    add_run(home, "r1", SPEC.changed(epochs=20), epochs=1)
    directory = RunDirectory(home.runs / "r1")
    directory.write_setup(replace(directory.read_setup(), test_class_counts=(60, 100)))
    put_in_state(home, "r1", "running")
    found = []
    for epoch in (2, 3, 4, 5):
        directory.append_epoch(
            read_row({"epoch": epoch, "train_accuracy": 0.5, "test_accuracy": 0.8} | SOUND | BLOWN_UP)
        )
        found.append(run_health(service.load_run(home, "r1")))
    assert [finding and finding.kind for finding in found] == [None, None, "blown_up", "blown_up"]
    directory.append_epoch(
        read_row({"epoch": 6, "train_accuracy": 0.5, "test_accuracy": 0.8} | SOUND | {"test_loss": 2.0})
    )
    assert run_health(service.load_run(home, "r1")) is None


def test_a_sound_run_is_left_in_peace(open_page: OpenPage, home: DataHome) -> None:
    add(home)
    page = open_page("runs", run="r1")
    assert not page.error
    assert not page.warning
    (table,) = [frame.value for frame in page.dataframe if "state" in frame.value]
    assert list(table["state"]) == ["finished"]
    assert "test kappa" not in table


def test_graded_runs_have_their_kappa_in_the_table(open_page: OpenPage, home: DataHome) -> None:
    add(home, spec=SPEC.changed(dataset="synthetic_fundus"), test_kappa=0.61)
    page = open_page("runs", run="r1")
    (table,) = [frame.value for frame in page.dataframe if "state" in frame.value]
    assert list(table["test kappa"]) == [0.61]


def test_weights_that_do_not_look_trained_are_said(open_page: OpenPage, home: DataHome) -> None:
    add(home, doubt=DOUBT)
    page = open_page("runs", run="r1")
    assert "weight is all zero" in page.warning[0].value


def test_odd_weights_are_named_as_the_reason_why_nothing_was_learned(home: DataHome) -> None:
    add(home, doubt=DOUBT, test_class_recall=[0.0, 1.0])
    finding = run_health(service.load_run(home, "r1"))
    assert finding is not None
    assert (finding.kind, finding.advice) == ("one_class", OTHER_WEIGHTS)
