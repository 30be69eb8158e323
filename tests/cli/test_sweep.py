"""``sweep`` as far as it needs no worker."""

from __future__ import annotations

import pytest

from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.sweeps.cost import plan_sweep
from medpriv_core.sweeps.paper import paper_grid
from tests.cli.conftest import Command, Refusal

PAPER = ("sweep", "paper", "--dataset", "synthetic_chest", "--weights", "none")
GRID = ("sweep", "grid", "--dataset", "synthetic_chest", "--weights", "none")


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    monkeypatch.delenv("MEDPRIV_WEIGHTS", raising=False)


def test_a_dry_run_says_what_the_papers_grid_takes_and_queues_nothing(medpriv: Command, home: DataHome) -> None:
    answer = medpriv(*PAPER, "--seeds", 2, "--dry-run", "--json")
    assert answer.code == 0
    said = answer.json
    expected = plan_sweep(home, paper_grid("synthetic_chest", train_size=640, seeds=2, weights="none"))
    assert (said["id"], said["to_train"], said["reused"]) == (None, 20, 0)
    assert [run["spec"] for run in said["runs"]] == [run.spec.to_dict() for run in expected.runs]
    (together,) = said["dp_sgd_together"]
    assert together["epsilon"] == expected.dp_sgd[0].together.epsilon
    assert (together["networks"], together["sampling"], together["accountant"]) == (6, ["poisson"], "pld")
    assert said["local_dp_together"][0]["epsilon_pixel"] is None  # infinite: one number for the picture
    assert not home.root.exists()
    words = medpriv(*PAPER, "--dry-run", "--draws", "per_pixel").out
    assert "7 runs: 7 to train, 0 there already." in words
    assert "All 3 DP-SGD networks together: ε = " in words
    assert "ε = 1.75 (δ = 0;" in words


def test_a_sweep_is_queued_shown_stopped_resumed_and_forgotten(medpriv: Command, home: DataHome) -> None:
    sweep_id = medpriv(*PAPER, "--draws", "per_pixel", "--json").json["id"]
    runs = service.list_runs(home)
    assert len(runs) == 7
    assert {run.tags for run in runs} == {("Paper · Synthetic chest radiographs · last layer",)}
    shown = medpriv("sweep", "show", sweep_id, "--json").json
    assert (shown["state"], shown["done"], shown["total"]) == ("waiting", 0, 7)
    assert {run["id"] for run in shown["runs"]} == {run.id for run in runs}
    words = medpriv("sweep", "show", sweep_id).out
    assert "queued     seed 0 · Local-DP β 2 per pixel" in words
    assert "0 of 7 runs" in medpriv("sweep", "list").out
    assert "Stopping 7 runs" in medpriv("sweep", "stop", sweep_id).out
    assert medpriv("sweep", "list", "--json").json["sweeps"][0]["state"] == "stopped"
    assert "7 runs are in the queue again" in medpriv("sweep", "resume", sweep_id).out
    assert "Nothing to go on with" in medpriv("sweep", "resume", sweep_id).out
    medpriv("sweep", "delete", sweep_id)
    assert medpriv("sweep", "list").out.startswith("No sweeps yet.")
    assert len(service.list_runs(home)) == 7


def test_any_grid_stands_on_a_preset(medpriv: Command, home: DataHome) -> None:
    answer = medpriv(
        *GRID, "--preset", "sound", "--set", "image-size=32", "--vary", "noise_multiplier=20,40", "--vary",
        "head_bias=true,false", "--title", "Noise and bias", "--json",
    )  # fmt: skip
    specs = [run.spec for run in reversed(service.list_runs(home)) if run.spec]
    assert answer.json["title"] == "Noise and bias"
    assert [(spec.noise_multiplier, spec.head_bias) for spec in specs] == [
        (20, True), (20, False), (40, True), (40, False),
    ]  # fmt: skip
    assert {(spec.image_size, spec.target_epsilon, spec.sampling) for spec in specs} == {(32, None, "full_batch")}


def test_each_run_of_a_grid_has_its_own_recipe_and_the_command_says_so(medpriv: Command, home: DataHome) -> None:
    varied = (*GRID, "--preset", "sound", "--vary", "target_epsilon=1,3,8", "--dry-run")
    runs = medpriv(*varied, "--json").json["runs"]
    assert [(run["spec"]["epochs"], run["spec"]["learning_rate"]) for run in runs] == [(50, 9), (75, 12), (100, 20)]
    said = medpriv(*varied, "--set", "momentum=0.5").out
    assert "Sound DP for target_epsilon 8: epochs 100, learning_rate 20, augmentation_multiplicity 4." in said
    assert "Other than Sound DP in all runs: momentum 0.5 instead of 0.9." in said


def test_combinations_that_cannot_be_are_told(medpriv: Command, home: DataHome) -> None:
    out = medpriv(*GRID, "--vary", "batch_size=32,5000", "--dry-run").out
    assert "1 runs: 1 to train" not in out
    assert "1 run: 1 to train" in out
    assert "Left out: batch_size 5000. batch_size (5000) is larger than the training set" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sweep", "paper", "--dataset", "nowhere"), "There is no dataset 'nowhere'."),
        (("sweep", "paper", "--dataset", "idrid"), "The dataset idrid has not been added yet."),
        ((*PAPER, "--seeds", "0"), "A grid needs at least one seed"),
        ((*PAPER, "--seeds", "1000"), "This grid has 10,000 runs; 500 is the most"),
        ((*PAPER, "--title", "x" * 81), "The title of a sweep must have 1 to 80 characters"),
        ((*PAPER, "--image-size", "5"), "image_size must be between 16 and 1024"),
        ((*GRID, "--vary", "colour=red"), "Unknown setting colour. Known: dataset"),
        ((*GRID, "--vary", "epochs"), "'epochs' gives no value"),
        ((*GRID, "--vary", "epochs=one"), "epochs must be a whole number, but is 'one'"),
        ((*GRID, "--vary", "learning_rate="), "learning_rate must be a number, but is ''"),
        ((*GRID, "--vary", "augment=maybe"), "augment must be true or false"),
        ((*GRID, "--vary", "seed=1", "--vary", "seed=2"), "seed is varied twice"),
        ((*GRID, "--vary", "beta=1,2"), "beta belongs to Local-DP"),
        ((*GRID, "--set", "class_weights=1"), "class_weights cannot be set here"),
        ((*GRID, "--set", "epochs=1,2"), "epochs is set to 2 values for all runs"),
        (("sweep", "show", "nothing"), "There is no sweep nothing."),
        (("sweep", "resume", "nothing"), "There is no sweep nothing."),
    ],
)
def test_wrong_input_is_one_sentence(
    refused: Refusal, home: DataHome, arguments: tuple[str, ...], sentence: str
) -> None:
    assert refused(*arguments).startswith(sentence)
    assert not (home.root / "runs.sqlite3").exists()
