"""``runs`` and ``run`` as far as they need no worker."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from medpriv_core.home import DataHome
from medpriv_core.printable import brief
from medpriv_core.privacy.facts import planned_facts
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.records.epoch import read_row
from medpriv_core.records.setup import Setup
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spent_record import write_record
from medpriv_core.runs.store import RunState, RunStore
from medpriv_core.spec import RunSpec
from tests.cli.conftest import Command, Refusal
from tests.results.chosen_results import spent_of
from tests.small_data import NAME, add_small_dataset

FIELDS = {"id", "name", "state", "message", "tags", "notes", "spec", "setup", "last", "best", "created_at", "ended_at"}


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker is started: the runs stay as the test leaves them."""
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


@pytest.fixture
def filled(home: DataHome) -> dict[str, str]:
    """A home with a finished DP-SGD run, a failed one and a queued one: state -> id."""
    private = RunSpec(dataset="synthetic_chest", weights="none", method="dp_sgd", noise_multiplier=1.5)
    ids = {"finished": service.submit(home, private)}
    ids["failed"] = service.submit(home, private.changed(method="local_dp", noise_multiplier=None, beta=2))
    directory = RunDirectory(home.runs / ids["finished"])
    for epoch in (1, 2):
        accuracy = None if epoch == 1 else 0.75
        row = {"epoch": epoch, "train_accuracy": accuracy, "test_accuracy": 0.8125, "epsilon": epoch / 2, "delta": 1e-5}
        directory.append_epoch(read_row(row))
    directory.log.write_text("epoch 1 of 2: fine\nfinished.\n")
    store = RunStore(home)
    ends: tuple[tuple[RunState, str | None], ...] = (("finished", None), ("failed", "The worker was killed."))
    for state, message in ends:
        store.claim_next()
        store.end(ids[state], state, message)
    ids["queued"] = service.submit(home, private)
    return ids


def test_an_empty_home_says_how_to_begin(medpriv: Command, home: DataHome) -> None:
    assert medpriv("runs", "list").out == (
        "No runs yet. Start one with: python -m medpriv_core run --dataset synthetic_chest\n"
    )
    assert medpriv("runs", "list", "--json").json == {"runs": []}
    assert not home.root.exists()


def test_the_list_has_every_run_the_newest_first(medpriv: Command, filled: dict[str, str]) -> None:
    answer = medpriv("runs", "list", "--json")
    assert (answer.code, answer.err) == (0, "")
    runs = answer.json["runs"]
    assert {run["id"]: run["state"] for run in runs} == {id_: state for state, id_ in filled.items()}
    assert all(set(run) >= FIELDS for run in runs)
    created = [run["created_at"] for run in runs]
    assert created == sorted(created, reverse=True)


def test_the_plain_list_shows_state_accuracy_and_reason(medpriv: Command, filled: dict[str, str]) -> None:
    out = medpriv("runs", "list").out
    dataset = "Synthetic chest radiographs"
    assert f"{filled['finished']}  finished   epoch    2, test accuracy 0.812  {dataset} · DP-SGD σ 1.5" in out
    assert f"{filled['failed']}  failed     no epoch yet  {dataset} · Local-DP β 2 · last layer\n    The worker" in out


def test_one_run_with_its_settings_and_epochs(medpriv: Command, filled: dict[str, str]) -> None:
    run = medpriv("runs", "show", filled["finished"], "--json").json
    assert set(run) >= FIELDS | {"progress", "epochs"}
    assert (run["spec"]["method"], run["spec"]["noise_multiplier"]) == ("dp_sgd", 1.5)
    assert [(row["epoch"], row["epsilon"]) for row in run["epochs"]] == [(1, 0.5), (2, 1.0)]
    lines = medpriv("runs", "show", filled["finished"]).out.splitlines()
    assert "noise_multiplier 1.5" in lines[1]
    # In the first epoch no training image was drawn, so there is no training accuracy to show.
    assert lines[2:] == [
        "epoch   1  test accuracy 0.812  ε 0.5 (δ 1e-5)",
        "epoch   2  training accuracy 0.750  test accuracy 0.812  ε 1 (δ 1e-5)",
    ]


def test_no_finite_epsilon_is_shown_as_such(medpriv: Command, filled: dict[str, str], home: DataHome) -> None:
    row = {"epoch": 3, "train_accuracy": 1.0, "test_accuracy": 1.0, "epsilon": None, "delta": 1e-5}
    RunDirectory(home.runs / filled["finished"]).append_epoch(read_row(row))
    assert "ε ∞ (δ 1e-5)" in medpriv("runs", "show", filled["finished"]).out


def test_the_log(medpriv: Command, filled: dict[str, str]) -> None:
    assert medpriv("runs", "log", filled["finished"]).out == "epoch 1 of 2: fine\nfinished.\n"
    assert medpriv("runs", "log", filled["queued"]).out == "The worker of this run has printed nothing yet.\n"


def test_stop_and_resume(medpriv: Command, filled: dict[str, str]) -> None:
    def state() -> str:
        return str(medpriv("runs", "show", filled["queued"], "--json").json["state"])

    stopped = medpriv("runs", "stop", filled["queued"])
    assert (stopped.code, state()) == (0, "cancelled")
    assert f"runs resume {filled['queued']}" in stopped.out
    assert medpriv("runs", "resume", filled["queued"]).code == 0
    assert state() == "queued"


def test_names_tags_and_notes(medpriv: Command, filled: dict[str, str]) -> None:
    run_id = filled["finished"]
    assert medpriv("runs", "rename", run_id, "The  good one").out == f"{run_id} is now called The good one.\n"
    assert medpriv("runs", "tag", run_id, "paper", "seed 1").out == f"Tags of {run_id}: paper, seed 1\n"
    assert medpriv("runs", "note", run_id, "Compare with DPSGD_3.").code == 0
    assert medpriv("runs", "show", run_id).out.splitlines()[:3] == [
        f"{run_id}  finished  The good one",
        "Tags: paper, seed 1",
        "    Compare with DPSGD_3.",
    ]
    assert "The good one  [paper, seed 1]" in medpriv("runs", "list").out
    assert medpriv("runs", "tag", run_id).out == f"Tags of {run_id}: none\n"
    assert medpriv("runs", "note", run_id, "").out == f"{run_id} has no notes any more.\n"


def test_delete_restore_and_purge(medpriv: Command, refused: Refusal, filled: dict[str, str], home: DataHome) -> None:
    run_id = filled["finished"]
    assert f"runs restore {run_id}" in medpriv("runs", "delete", run_id).out
    assert run_id not in medpriv("runs", "list").out
    assert run_id in medpriv("runs", "list", "--deleted").out
    assert medpriv("runs", "restore", run_id).code == 0
    assert "has not been removed" in refused("runs", "purge", run_id)
    medpriv("runs", "delete", run_id)
    assert medpriv("runs", "purge", run_id).code == 0
    assert medpriv("runs", "list", "--deleted").out == "No removed runs.\n"
    assert not (home.runs / run_id).exists()
    assert "stop it first" in refused("runs", "delete", filled["queued"])


def test_move_in_the_queue(medpriv: Command, refused: Refusal, filled: dict[str, str], home: DataHome) -> None:
    newest = service.submit(home, RunSpec(dataset="synthetic_chest", weights="none"))
    assert medpriv("runs", "move", newest, "first").out == f"{newest} is number 1 in the queue.\n"
    assert medpriv("runs", "move", newest, "down").out == f"{newest} is number 2 in the queue.\n"
    assert "is finished; only a run that waits" in refused("runs", "move", filled["finished"], "up")
    assert "invalid choice: 'last'" in refused("runs", "move", newest, "last")


def test_extend_says_what_holds_before_it_queues(
    medpriv: Command, refused: Refusal, filled: dict[str, str], home: DataHome
) -> None:
    run_id = filled["finished"]
    assert "no checkpoint on this machine" in refused("runs", "extend", run_id, "--epochs", "4")
    directory = RunDirectory(home.runs / run_id)
    directory.checkpoint.touch()
    spec = directory.read_spec()
    facts = planned_facts(spec, train_size=640).to_dict()
    directory.write_setup(Setup.from_dict({"train_size": 640, "test_size": 160, "guarantee": facts}))
    plans = [plan_run(spec.changed(epochs=epochs), train_size=640) for epochs in (2, 4)]
    directory.append_epoch(
        read_row({"epoch": 2, "epsilon": plans[0].epsilon, "delta": 1e-5, "steps": 20, "elapsed_s": 60.0})
    )
    write_record(directory, spent_of(spec, epochs=2))

    planned = medpriv("runs", "extend", run_id, "--epochs", "4", "--dry-run")
    before, after = (format_epsilon(plan.epsilon) for plan in plans)
    assert planned.out.splitlines() == [
        f"Now ε = {before} holds, and after epoch 4 ε = {after} (δ = 1e-5; one image added or removed; Poisson "
        "subsampling; PLD accountant).",
        "It takes about 68 s.",
    ]
    assert medpriv("runs", "show", run_id, "--json").json["state"] == "finished"
    answer = medpriv("runs", "extend", run_id, "--epochs", "4", "--json").json
    assert answer["epsilon_after"] == pytest.approx(plans[1].epsilon)
    run = medpriv("runs", "show", run_id, "--json").json
    assert (run["state"], run["spec"]["epochs"]) == ("queued", 4)


def test_a_damaged_table_is_made_again(
    medpriv: Command, refused: Refusal, filled: dict[str, str], home: DataHome
) -> None:
    assert "is sound and has every run" in refused("runs", "rebuild")
    for beside in home.root.glob("runs.sqlite3-*"):
        beside.unlink()
    _not_a_database(home.database)
    assert "with python -m medpriv_core runs rebuild" in refused("runs", "list")
    assert "has 3 runs from their folders" in medpriv("runs", "rebuild").out
    assert len(medpriv("runs", "list", "--json").json["runs"]) == 3


def test_a_lost_table_is_said_and_made_again(
    medpriv: Command, refused: Refusal, filled: dict[str, str], home: DataHome
) -> None:
    (home.runs / filled["failed"] / "spec.json").write_text('{"dataset": 1e999}')
    for file in home.root.glob("runs.sqlite3*"):
        file.unlink()
    for arguments in (["list"], ["list", "--json"], ["list", "--deleted"], ["show", filled["finished"]]):
        sentence = refused("runs", *arguments)
        assert f"({home.database}) is missing, but 3 runs lie in the folder beside it" in sentence
        assert "python -m medpriv_core runs rebuild" in sentence
    assert "is missing, but 3 runs" in refused("run", "--dataset", "synthetic_chest", "--weights", "none", "--json")
    answer = medpriv("runs", "rebuild")
    assert answer.code == 0
    assert "has 3 runs from their folders" in answer.out
    assert f"Of run {filled['failed']}: The run at " in answer.err
    assert "not finite" in answer.err
    assert len(medpriv("runs", "list", "--json").json["runs"]) == 3


def test_runs_that_the_table_does_not_know_are_said_below_the_list(
    medpriv: Command, filled: dict[str, str], home: DataHome
) -> None:
    with sqlite3.connect(home.database) as database:
        database.execute("DELETE FROM runs WHERE id = ?", (filled["failed"],))
    database.close()
    for arguments in (["list"], ["list", "--json"]):
        answer = medpriv("runs", *arguments)
        assert answer.code == 2
        assert filled["finished"] in answer.out
        assert answer.err.startswith("medpriv: 1 run is missing in this list, though the folder is there")
        assert "runs rebuild" in answer.err
    assert medpriv("runs", "rebuild").code == 0
    assert medpriv("runs", "list").code == 0


def test_a_run_without_a_test_accuracy_is_listed(medpriv: Command, filled: dict[str, str], home: DataHome) -> None:
    RunDirectory(home.runs / filled["finished"]).append_epoch(read_row({"epoch": 3, "test_accuracy": None}))
    assert "epoch    3, no test accuracy" in medpriv("runs", "list").out


def test_a_damaged_run_is_listed_deleted_and_removed(medpriv: Command, filled: dict[str, str], home: DataHome) -> None:
    run_id = filled["finished"]
    (home.runs / run_id / "spec.json").write_text('{"epochs": ' + "9" * 5000 + "}")
    answer = medpriv("runs", "list")
    assert answer.code == 0
    assert answer.out.count("spec.json (it holds a number with too many digits)") == 1
    assert all(other in answer.out for other in filled.values())
    for command in (["delete"], ["restore"], ["delete"], ["purge"]):
        assert medpriv("runs", *command, run_id).code == 0
    assert run_id not in medpriv("runs", "list").out
    assert not (home.runs / run_id).exists()


def test_a_run_whose_settings_are_damaged_is_shown_with_the_reason(
    medpriv: Command, filled: dict[str, str], home: DataHome
) -> None:
    (home.runs / filled["finished"] / "spec.json").write_text("{")
    answer = medpriv("runs", "show", filled["finished"])
    assert answer.code == 0
    assert "has no readable spec.json" in answer.out
    assert medpriv("runs", "show", filled["finished"], "--json").json["spec"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["show"],
        ["log"],
        ["stop"],
        ["resume"],
        ["extend", "--epochs", "4"],
        ["rename", "x"],
        ["tag", "x"],
        ["note", "x"],
        ["delete"],
        ["restore"],
        ["purge"],
        ["move", "first"],
    ],
    ids=" ".join,
)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])  # nothing is changed
@given(run_id=st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"])))
@example(run_id="../x")
@example(run_id="")
@example(run_id="' OR 1=1 --")
@example(run_id="x" * 5000)
def test_an_unknown_run_is_refused(refused: Refusal, home: DataHome, arguments: list[str], run_id: str) -> None:
    assume(not run_id.startswith("-"))  # an option
    action, *rest = arguments
    said = refused("runs", action, run_id, *rest)
    assert said == brief(f"There is no run {run_id}. The list of runs shows those that exist.")


def test_what_a_state_does_not_allow_is_refused(refused: Refusal, filled: dict[str, str]) -> None:
    assert "has already ended (finished)" in refused("runs", "stop", filled["finished"])
    assert "is finished; only a stopped or failed run" in refused("runs", "resume", filled["finished"])
    assert "is queued; only a stopped or failed run" in refused("runs", "resume", filled["queued"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--dataset", "nothing"], "There is no dataset 'nothing'. Known:"),
        (["--dataset", "../x"], "There is no dataset '../x'. Known:"),
        (["--dataset", ""], "dataset is empty"),
        (["--dataset", "chest_xray"], "has not been added yet"),
        (["--dataset", "retina_photo"], "is a single image to look at"),
        (["--image-size", "0"], "image_size must be between 16 and 1024, but is 0."),
        (["--crop-size", "100"], "crop_size (100) must not be larger than image_size (64)"),
        (["--batch-size", "121"], "batch_size (121) is larger than the training set (120 images). Choose 120 or less."),
        (["--batch-size", "0"], "batch_size must be between"),
        (["--epochs", "0"], "epochs must be between"),
        (["--seed", "-1"], "seed must be between"),
        (["--learning-rate", "nan"], "learning_rate must be between"),
        (["--method", "local_dp"], "Local-DP needs beta"),
        (["--method", "local_dp", "--beta", "0"], "beta must be between 0.001 and 10000, but is 0.0."),
        (["--method", "local_dp", "--beta", "-1"], "beta must be between"),
        (["--method", "local_dp", "--beta", "nan"], "beta must be between"),
        (["--method", "local_dp", "--beta", "1e9"], "beta must be between"),
        (["--beta", "1"], "beta belongs to Local-DP, but method is none; leave it out."),
        (["--method", "dp_sgd"], "DP-SGD needs either noise_multiplier or target_epsilon"),
        (["--method", "dp_sgd", "--noise-multiplier", "1", "--delta", "0.01"], "must be below 1/n"),
        (["--device", "toaster"], "device must be auto, cpu, cuda, cuda:N or mps, but is 'toaster'."),
        (["--weights", "/no/such/file.pth"], "There is no weights file at /no/such/file.pth."),
        (["--weights", "/tmp"], "The weights file /tmp is a folder and not a file."),
    ],
)
def test_a_run_that_cannot_work_is_refused_at_once(
    refused: Refusal, medpriv: Command, home: DataHome, tmp_path: Path, options: list[str], sentence: str
) -> None:
    add_small_dataset(home, tmp_path)
    defaults = [] if "--dataset" in options else ["--dataset", NAME]
    weights = [] if "--weights" in options else ["--weights", "none"]
    assert sentence in refused("run", *defaults, *weights, *options, "--json")
    assert medpriv("runs", "list", "--json").json == {"runs": []}
    assert not home.runs.exists()


def test_a_weights_variable_that_leads_nowhere_is_refused(
    refused: Refusal, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDPRIV_WEIGHTS", "/no/such/file.pth")
    assert "MEDPRIV_WEIGHTS names a weights file that does not exist" in refused("run", "--dataset", "synthetic_chest")


HEADER = 100  # bytes in which SQLite notes how the file is to be opened


def _not_a_database(file: Path) -> None:
    file.write_bytes(b"This is a note and no database. " * 10)


def _another_program(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE runs (y)")
    database.close()


def _tables_gone(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE x (y)")
        database.execute("PRAGMA user_version = 1")
    database.close()


@pytest.mark.parametrize("damage", [_not_a_database, _another_program, _tables_gone])
def test_a_damaged_table_of_runs_is_said_and_left_as_it_is(refused: Refusal, home: DataHome, damage: Any) -> None:
    home.root.mkdir()
    damage(home.database)
    before = home.database.read_bytes()[HEADER:]
    for arguments in (["runs", "list", "--json"], ["runs", "show", "x"], ["runs", "stop", "x"], ["runs", "log", "x"]):
        assert refused(*arguments).startswith(f"medpriv's table of runs ({home.database}) is damaged")
    assert "is damaged" in refused("run", "--dataset", "synthetic_chest", "--weights", "none", "--json")
    assert home.database.read_bytes()[HEADER:] == before
    assert not home.runs.exists() or os.listdir(home.runs) == []


def test_a_table_of_a_newer_version_is_left_alone(refused: Refusal, home: DataHome) -> None:
    home.root.mkdir()
    with sqlite3.connect(home.database) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    assert "written by a newer version of medpriv" in refused("runs", "list")
