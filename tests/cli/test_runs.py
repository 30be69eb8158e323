"""``runs`` and ``run`` as far as they need no worker."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from tests.cli.conftest import Command, Refusal
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
        directory.append_epoch(row)
    directory.log.write_text("epoch 1 of 2: fine\nfinished.\n")
    store = RunStore(home)
    for state, message in (("finished", None), ("failed", "The worker was killed.")):
        store.claim_next()
        store.end(ids[state], state, message)
    ids["queued"] = service.submit(home, private)
    return ids


def test_an_empty_home_says_how_to_begin(medpriv: Command, home: DataHome):
    assert medpriv("runs", "list").out == (
        "No runs yet. Start one with: python -m medpriv_core run --dataset synthetic_chest\n"
    )
    assert medpriv("runs", "list", "--json").json == {"runs": []}
    assert not home.root.exists()


def test_the_list_has_every_run_the_newest_first(medpriv: Command, filled: dict[str, str]):
    answer = medpriv("runs", "list", "--json")
    assert (answer.code, answer.err) == (0, "")
    runs = answer.json["runs"]
    assert {run["id"]: run["state"] for run in runs} == {id_: state for state, id_ in filled.items()}
    assert all(set(run) >= FIELDS for run in runs)
    created = [run["created_at"] for run in runs]
    assert created == sorted(created, reverse=True)


def test_the_plain_list_shows_state_accuracy_and_reason(medpriv: Command, filled: dict[str, str]):
    out = medpriv("runs", "list").out
    dataset = "Synthetic chest radiographs"
    assert f"{filled['finished']}  finished   epoch    2, test accuracy 0.812  {dataset} · DP-SGD σ 1.5" in out
    assert f"{filled['failed']}  failed     no epoch yet  {dataset} · Local-DP β 2 · last layer\n    The worker" in out


def test_one_run_with_its_settings_and_epochs(medpriv: Command, filled: dict[str, str]):
    run = medpriv("runs", "show", filled["finished"], "--json").json
    assert set(run) >= FIELDS | {"progress", "epochs"}
    assert (run["spec"]["method"], run["spec"]["noise_multiplier"]) == ("dp_sgd", 1.5)
    assert [(row["epoch"], row["epsilon"]) for row in run["epochs"]] == [(1, 0.5), (2, 1.0)]
    lines = medpriv("runs", "show", filled["finished"]).out.splitlines()
    assert "noise_multiplier 1.5" in lines[1]
    # In the first epoch no training image was drawn, so there is no training accuracy to show.
    assert lines[2:] == [
        "epoch   1  test accuracy 0.812  ε 0.5 (δ 1e-5)",
        "epoch   2  train accuracy 0.750  test accuracy 0.812  ε 1 (δ 1e-5)",
    ]


def test_no_finite_epsilon_is_shown_as_such(medpriv: Command, filled: dict[str, str], home: DataHome):
    row = {"epoch": 3, "train_accuracy": 1.0, "test_accuracy": 1.0, "epsilon": None, "delta": 1e-5}
    RunDirectory(home.runs / filled["finished"]).append_epoch(row)
    assert "ε ∞ (δ 1e-5)" in medpriv("runs", "show", filled["finished"]).out


def test_the_log(medpriv: Command, filled: dict[str, str]):
    assert medpriv("runs", "log", filled["finished"]).out == "epoch 1 of 2: fine\nfinished.\n"
    assert medpriv("runs", "log", filled["queued"]).out == "The worker of this run has printed nothing yet.\n"


def test_stop_and_resume(medpriv: Command, filled: dict[str, str]):
    def state() -> str:
        return str(medpriv("runs", "show", filled["queued"], "--json").json["state"])

    stopped = medpriv("runs", "stop", filled["queued"])
    assert (stopped.code, state()) == (0, "cancelled")
    assert f"runs resume {filled['queued']}" in stopped.out
    assert medpriv("runs", "resume", filled["queued"]).code == 0
    assert state() == "queued"


def test_a_run_whose_settings_are_damaged_is_shown_with_the_reason(
    medpriv: Command, filled: dict[str, str], home: DataHome
):
    (home.runs / filled["finished"] / "spec.json").write_text("{")
    answer = medpriv("runs", "show", filled["finished"])
    assert answer.code == 0
    assert "has no readable spec.json" in answer.out
    assert medpriv("runs", "show", filled["finished"], "--json").json["spec"] is None


@pytest.mark.parametrize("action", ["show", "log", "stop", "resume"])
@pytest.mark.parametrize("run_id", ["nothing", "../x", "", "' OR 1=1 --", "x" * 5000])
def test_an_unknown_run_is_refused(refused: Refusal, home: DataHome, action: str, run_id: str):
    said = refused("runs", action, run_id)
    assert said == f"There is no run {run_id}. The list of runs shows those that exist."


def test_what_a_state_does_not_allow_is_refused(refused: Refusal, filled: dict[str, str]):
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
        (["--dataset", "retina_photo"], "is a single picture to look at"),
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
        (["--weights", "/tmp"], "There is no weights file at /tmp."),
    ],
)
def test_a_run_that_cannot_work_is_refused_at_once(
    refused: Refusal, medpriv: Command, home: DataHome, tmp_path: Path, options: list[str], sentence: str
):
    add_small_dataset(home, tmp_path)
    defaults = [] if "--dataset" in options else ["--dataset", NAME]
    weights = [] if "--weights" in options else ["--weights", "none"]
    assert sentence in refused("run", *defaults, *weights, *options, "--json")
    assert medpriv("runs", "list", "--json").json == {"runs": []}
    assert not home.runs.exists()


def test_a_weights_variable_that_leads_nowhere_is_refused(
    refused: Refusal, home: DataHome, monkeypatch: pytest.MonkeyPatch
):
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
def test_a_damaged_table_of_runs_is_said_and_left_as_it_is(refused: Refusal, home: DataHome, damage):
    home.root.mkdir()
    damage(home.database)
    before = home.database.read_bytes()[HEADER:]
    for arguments in (["runs", "list", "--json"], ["runs", "show", "x"], ["runs", "stop", "x"], ["runs", "log", "x"]):
        assert refused(*arguments).startswith(f"medpriv's table of runs ({home.database}) is damaged")
    assert "is damaged" in refused("run", "--dataset", "synthetic_chest", "--weights", "none", "--json")
    assert home.database.read_bytes()[HEADER:] == before
    assert not home.runs.exists() or os.listdir(home.runs) == []


def test_a_table_of_a_newer_version_is_left_alone(refused: Refusal, home: DataHome):
    home.root.mkdir()
    with sqlite3.connect(home.database) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    assert "written by a newer version of medpriv" in refused("runs", "list")
