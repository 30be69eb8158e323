"""``run --preset``: what is not given is the preset's, for this dataset, method and epsilon; what differs is said."""

from __future__ import annotations

import pytest

from medpriv_core.cli import run as run_command
from medpriv_core.home import DataHome
from medpriv_core.presets import PRESETS, preset_settings
from medpriv_core.privacy.plan import plan_run
from medpriv_core.runs import service
from medpriv_core.runs.service import Run
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from medpriv_core.unit import with_unit
from tests.cli.conftest import Command, Refusal

SOUND = ("run", "--dataset", "synthetic_chest", "--weights", "none", "--preset", "sound")


@pytest.fixture(autouse=True)
def stopped_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of a worker: the run has ended without an epoch."""

    def end(home: DataHome, run_id: str) -> Run:
        store = RunStore(home)
        store.claim_next()
        store.end(run_id, "finished", None)
        return service.load_run(home, run_id)

    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    monkeypatch.setattr(run_command, "_watch", end)


def queued(home: DataHome) -> RunSpec:
    spec = service.list_runs(home)[0].spec
    assert spec is not None
    return spec


@pytest.mark.parametrize("epsilon", [1.0, 3.0, 8.0])
def test_sound_dp_is_one_word_and_an_epsilon(medpriv: Command, home: DataHome, epsilon: float) -> None:
    said = medpriv(*SOUND, "--target-epsilon", epsilon).out
    settings = preset_settings("sound", dataset="synthetic_chest", ordered=False, target_epsilon=epsilon)
    assert queued(home) == with_unit(RunSpec(dataset="synthetic_chest", weights="none", **settings), None)
    assert "Preset Sound DP: image_size 224, standardise true, sampling full_batch, momentum 0.9" in said
    assert f"epochs {settings['epochs']}, learning_rate {settings['learning_rate']:g}" in said
    assert "Changed from" not in said


def test_what_is_given_wins_and_is_reported(medpriv: Command, home: DataHome) -> None:
    answer = medpriv(*SOUND, "--epochs", 5, "--no-standardise", "--seed", 3)
    assert "Changed from Sound DP: epochs 5 instead of 75; standardise false instead of true." in answer.out
    spec = queued(home)
    assert (spec.epochs, spec.standardise, spec.seed, spec.learning_rate) == (5, False, 3, 12.0)
    shown = medpriv(*SOUND, "--epochs", 5, "--json").json["preset"]
    assert shown["changes"] == {"epochs": {"value": 5, "preset": 75}}
    assert (shown["name"], shown["settings"]["epochs"]) == ("sound", 75)


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_has_its_word(medpriv: Command, home: DataHome, name: str) -> None:
    assert medpriv("run", "--dataset", "synthetic_chest", "--weights", "none", "--preset", name).code == 0
    settings = preset_settings(name, dataset="synthetic_chest", ordered=False)
    assert queued(home) == with_unit(RunSpec(dataset="synthetic_chest", weights="none", **settings), None)


def test_without_a_preset_a_run_has_the_defaults(medpriv: Command, home: DataHome) -> None:
    assert "Preset" not in medpriv("run", "--dataset", "synthetic_chest", "--weights", "none").out
    assert queued(home) == RunSpec(dataset="synthetic_chest", weights="none")


def test_a_run_can_be_told_to_stop_at_an_epsilon(medpriv: Command, refused: Refusal, home: DataHome) -> None:
    private = ("run", "--dataset", "synthetic_chest", "--weights", "none", "--method", "dp_sgd", "--unit", "image")
    noise = ("--noise-multiplier", 1, "--epochs", 90)
    answer = medpriv(*private, *noise, "--stop-at-epsilon", 4)
    spec = queued(home)
    assert 1 < spec.epochs < 90
    assert plan_run(spec, train_size=640).epsilon <= 4
    assert f"{spec.epochs} of 90 epochs stay within ε = 4; the run stops there." in answer.out
    told = medpriv(*private, *noise, "--stop-at-epsilon", 4, "--json").json["stopped"]
    assert (told["asked_for"], told["epochs"]) == (90, spec.epochs)
    assert "Only DP-SGD spends more" in refused("run", "--dataset", "synthetic_chest", "--stop-at-epsilon", 4)
    assert "No budget is set" in refused(*private, *noise, "--stop-at-epsilon", "budget")
