"""Names, tags and notes: what two people do to them, and where they are kept."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from medpriv_core.errors import DataHomeError, RunError
from medpriv_core.home import DataHome
from medpriv_core.runs import labels, service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec

SPEC = RunSpec(dataset="synthetic_chest", weights="none")


@pytest.fixture
def run_id(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    return service.submit(home, SPEC, name=" First \n try ", tags=["paper", " paper", "β 2", ""])


def test_a_run_is_submitted_under_a_name_with_tags(home: DataHome, run_id: str) -> None:
    (run,) = service.list_runs(home)
    assert (run.name, run.tags, run.notes, run.place) == ("First try", ("paper", "β 2"), "", 1)


def test_labels_are_changed_in_the_table_and_beside_the_run(home: DataHome, run_id: str) -> None:
    service.rename(home, run_id, "Second try")
    service.set_tags(home, run_id, ["chest"])
    service.set_notes(home, run_id, "Two lines,\nkept as they are.", expected="")
    run = service.load_run(home, run_id)
    assert (run.name, run.tags, run.notes) == ("Second try", ("chest",), "Two lines,\nkept as they are.")
    kept = RunDirectory(home.runs / run_id).read_labels()
    assert (kept["name"], kept["tags"], kept["notes"]) == (run.name, ["chest"], run.notes)
    assert kept["created_at"] == run.created_at


@pytest.mark.parametrize(
    ("what", "change", "undone"),
    [
        ("name", lambda home, run: service.rename(home, run, "mine", expected="seen"), "First try"),
        ("tags", lambda home, run: service.set_tags(home, run, ["mine"], expected=["seen"]), ("paper", "β 2")),
        ("notes", lambda home, run: service.set_notes(home, run, "mine", expected="seen"), ""),
    ],
)
def test_whoever_saw_an_older_version_is_told_what_it_is_now(
    home: DataHome, run_id: str, what: str, change: Callable[[DataHome, str], None], undone: object
) -> None:
    with pytest.raises(RunError, match=f"Somebody else changed the {what} of this run meanwhile"):
        change(home, run_id)
    assert getattr(service.load_run(home, run_id), what) == undone


def test_whoever_saw_the_present_version_may_change_it(home: DataHome, run_id: str) -> None:
    service.rename(home, run_id, "mine", expected="First try")
    service.set_tags(home, run_id, [], expected=["paper", "β 2"])
    assert (service.load_run(home, run_id).name, service.load_run(home, run_id).tags) == ("mine", ())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda home, run: service.rename(home, run, " \n"), "A run needs a name"),
        (lambda home, run: service.rename(home, run, "x" * 121), "may have 120 characters, but this one has 121"),
        (lambda home, run: service.set_tags(home, run, ["x" * 81]), "A tag may have 80 characters"),
        (lambda home, run: service.set_tags(home, run, map(str, range(21))), "may have 20 tags, but these are 21"),
        (lambda home, run: service.set_notes(home, run, "x" * 10_001, expected=""), "10,000 characters"),
        (lambda home, run: service.rename(home, "nothing", "x"), "There is no run nothing"),
    ],
)
def test_impossible_labels_are_refused(
    home: DataHome, run_id: str, change: Callable[[DataHome, str], None], sentence: str
) -> None:
    with pytest.raises(RunError, match=sentence):
        change(home, run_id)
    assert service.load_run(home, run_id).name == "First try"


def test_a_full_disk_leaves_the_table_as_the_labels_beside_the_run(
    home: DataHome, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise DataHomeError("The disk is full.")

    monkeypatch.setattr(RunDirectory, "write_labels", full)
    with pytest.raises(DataHomeError):
        service.rename(home, run_id, "new")
    assert RunStore(home).get(run_id).name == "First try"


def test_a_run_without_a_folder_can_be_named(home: DataHome) -> None:
    RunStore(home).add("lost", name="lost", slot="cpu")
    labels.rename(home, "lost", "found")
    assert RunStore(home).get("lost").name == "found"
    assert not os.path.exists(home.runs / "lost")
