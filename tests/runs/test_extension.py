"""More epochs for an ended run: the epsilon foretold, and the network that comes of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medpriv_core.datasets.registry import list_datasets
from medpriv_core.errors import RunError, SettingError
from medpriv_core.home import DataHome, data_home
from medpriv_core.presets import preset_settings
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.extension import _recipe_remarks
from medpriv_core.runs.run_parts import START_S
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from medpriv_core.training.worker import run_worker
from tests.small_data import add_small_dataset
from tests.trained_runs import TINY, train_run

PRIVATE = TINY.changed(method="dp_sgd", noise_multiplier=1.5, delta=1e-3)
TRAIN_SIZE = 120


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


@pytest.fixture(scope="module")
def small_home(tmp_path_factory: pytest.TempPathFactory) -> DataHome:
    """A home with a small dataset, whose features all runs here share."""
    folder = tmp_path_factory.mktemp("extension")
    home = data_home(folder / "home")
    add_small_dataset(home, folder)
    return home


@pytest.fixture
def trained(small_home: DataHome) -> Callable[[RunSpec], str]:
    """Gives the id of a finished run of this specification, trained once and then copied."""

    def train(spec: RunSpec) -> str:
        store = RunStore(small_home)
        first = f"first {hash(spec)}"
        if not (small_home.runs / first).exists():
            train_run(small_home, first, spec)
        run_id = f"run {len(store.all())}"
        shutil.copytree(small_home.runs / first, small_home.runs / run_id)
        store.insert([replace(store.get(first), id=run_id)])
        return run_id

    return train


def train_on(home: DataHome, run_id: str) -> None:
    """Be the worker of a run in the queue."""
    store = RunStore(home)
    assert store.claim_next().id == run_id
    assert run_worker(home.runs / run_id, home) == 0
    store.end(run_id, "finished", None)


def weights(home: DataHome, run_id: str) -> dict[str, np.ndarray]:
    saved = torch.load(home.runs / run_id / "checkpoint.pt", weights_only=True)
    return {name: value.numpy() for name, value in saved["trained"].items()}


def test_an_extended_private_run_spends_what_a_long_one_spends_and_says_so_before(
    small_home: DataHome, trained: Callable[[RunSpec], str]
) -> None:
    run_id = trained(PRIVATE)
    short, long = (plan_run(PRIVATE.changed(epochs=epochs), train_size=TRAIN_SIZE) for epochs in (2, 4))
    extension = service.extension(small_home, run_id, epochs=4)
    assert extension.epsilon_before == pytest.approx(short.epsilon)
    assert extension.epsilon_after == pytest.approx(long.epsilon)
    assert (extension.delta, extension.adjacency, extension.sampling) == (1e-3, "add-remove", "poisson")
    assert extension.accountant == long.accountant
    assert extension.seconds is not None
    assert extension.seconds > START_S
    assert extension.remarks == ()

    service.extend(small_home, run_id, epochs=4)
    assert service.load_run(small_home, run_id).state == "queued"
    train_on(small_home, run_id)
    run = service.load_run(small_home, run_id)
    assert [row.epoch for row in run.epochs] == [1, 2, 3, 4]
    assert run.last.epsilon == pytest.approx(long.epsilon)
    assert run.last.steps == 4 * long.mechanism.steps_per_epoch
    (segment,) = torch.load(small_home.runs / run_id / "checkpoint.pt", weights_only=True)["ledger"]
    assert (segment["noise_multiplier"], segment["steps"]) == (1.5, run.last.steps)


def test_a_run_with_a_target_keeps_its_noise_and_goes_beyond_the_target(
    small_home: DataHome, trained: Callable[[RunSpec], str]
) -> None:
    run_id = trained(PRIVATE.changed(noise_multiplier=None, target_epsilon=3.0))
    noise = service.load_run(small_home, run_id).setup.noise_multiplier
    extension = service.extension(small_home, run_id, epochs=6)
    assert extension.epsilon_before is not None
    assert extension.epsilon_after is not None
    assert 2.9 < extension.epsilon_before <= 3.0 < extension.epsilon_after
    assert extension.remarks == ("ε then exceeds the target that this run was given, 3 (δ = 0.001).",)
    service.extend(small_home, run_id, epochs=6)
    spec = service.load_run(small_home, run_id).spec
    assert spec is not None
    assert (spec.epochs, spec.noise_multiplier, spec.target_epsilon) == (6, noise, None)
    train_on(small_home, run_id)
    assert service.load_run(small_home, run_id).last.epsilon == pytest.approx(extension.epsilon_after)


def test_a_run_by_the_recipe_of_another_epsilon_says_that_it_keeps_it() -> None:
    settings = preset_settings("sound", dataset="chest_xray", ordered=False, target_epsilon=1.0)
    spec = RunSpec(dataset="chest_xray", **settings)
    (remark,) = _recipe_remarks(spec, 3.0)
    assert "for ε = 3 that recipe has another learning rate and another class weights" in remark
    assert _recipe_remarks(spec, 1.2) == _recipe_remarks(PRIVATE, 3.0) == ()


def test_an_extended_run_without_privacy_is_the_long_run(
    small_home: DataHome, trained: Callable[[RunSpec], str]
) -> None:
    averaged = TINY.changed(average_last=0.5)
    whole, parts = trained(averaged.changed(epochs=4)), trained(averaged)
    extension = service.extension(small_home, parts, epochs=4)
    assert (extension.epsilon_before, extension.epsilon_after, extension.remarks) == (None, None, ())
    # From 3 epochs the average would leave out the first half; it has already taken in the second of them.
    (remark,) = service.extension(small_home, parts, epochs=3).remarks
    assert "the last 67% of the steps instead of 50%" in remark
    service.extend(small_home, parts, epochs=4)
    train_on(small_home, parts)
    for name, value in weights(small_home, whole).items():
        np.testing.assert_array_equal(weights(small_home, parts)[name], value)
    last = service.load_run(small_home, whole).last  # judged with the averaged weights
    assert service.load_run(small_home, parts).last.test.loss == last.test.loss


def test_what_cannot_go_on_is_refused_in_a_sentence(small_home: DataHome, trained: Callable[[RunSpec], str]) -> None:
    run_id = trained(PRIVATE)
    for epochs in (1, 2):
        with pytest.raises(RunError, match="has 2 epochs already"):
            service.extension(small_home, run_id, epochs=epochs)
    with pytest.raises(SettingError, match="epochs must be between 1 and 1000, but is 1001"):
        service.extend(small_home, run_id, epochs=1001)
    service.extend(small_home, run_id, epochs=3)
    with pytest.raises(RunError, match="is queued; only a run that has ended"):
        service.extend(small_home, run_id, epochs=4)
    service.cancel(small_home, run_id)
    assert service.extension(small_home, run_id, epochs=3).epochs == 3  # taken back, and asked for again

    setup = small_home.runs / run_id / "setup.json"
    recorded = json.loads(setup.read_text())
    del recorded["guarantee"]["earlier_segments"]
    setup.write_text(json.dumps(recorded))
    with pytest.raises(RunError, match="did not record enough"):
        service.extension(small_home, run_id, epochs=3)
    (small_home.runs / run_id / "checkpoint.pt").unlink()
    assert not service.load_run(small_home, run_id).extendable
    with pytest.raises(RunError, match="no checkpoint on this machine"):
        service.extension(small_home, run_id, epochs=3)


def test_a_run_stopped_before_its_first_epoch_is_to_be_resumed(home: DataHome, tmp_path: Path) -> None:
    RunDirectory(home.runs / "r").create(TINY)
    RunStore(home).add("r", name="r", slot="cpu")
    service.cancel(home, "r")
    (home.runs / "r" / "checkpoint.pt").touch()
    assert not service.load_run(home, "r").extendable
    with pytest.raises(RunError, match="ended before its first epoch; resume it instead"):
        service.extension(home, "r", epochs=5)


def test_a_run_that_goes_on_is_called_by_what_it_comes_to_unless_somebody_named_it(
    small_home: DataHome, trained: Callable[[RunSpec], str]
) -> None:
    private = PRIVATE.changed(noise_multiplier=None, target_epsilon=3.0)
    named, unnamed = trained(private), trained(private)
    service.rename(small_home, named, "for Monday")
    service.rename(small_home, unnamed, service.name_run(private))
    assert "ε 3 " in service.load_run(small_home, unnamed).name
    after = service.extension(small_home, unnamed, epochs=9).epsilon_after
    assert after is not None
    assert after > 3
    for run_id in (named, unnamed):
        service.extend(small_home, run_id, epochs=9)
    assert f"DP-SGD ε {format_epsilon(after)} " in service.load_run(small_home, unnamed).name
    assert service.load_run(small_home, named).name == "for Monday"
    for run_id in (named, unnamed):
        service.cancel(small_home, run_id)


def test_of_two_who_extend_a_run_one_comes_too_late(
    small_home: DataHome, trained: Callable[[RunSpec], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = trained(PRIVATE)
    plan = service.plan_extension

    def slowly(*arguments: Any, **keywords: Any) -> Any:
        planned = plan(*arguments, **keywords)
        monkeypatch.setattr(service, "plan_extension", plan)
        service.extend(small_home, run_id, epochs=3)
        return planned

    monkeypatch.setattr(service, "plan_extension", slowly)
    with pytest.raises(RunError, match="changed by someone else just now"):
        service.extend(small_home, run_id, epochs=50)
    spec = service.load_run(small_home, run_id).spec
    assert spec is not None
    assert spec.epochs == 3


def test_images_that_went_are_said_before_the_click(
    trained: Callable[[RunSpec], str], small_home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = trained(PRIVATE)
    assert not any("have changed since" in remark for remark in service.extension(small_home, run_id, epochs=9).remarks)
    entry = next(entry for entry in list_datasets(small_home) if entry.info.name == PRIVATE.dataset)
    monkeypatch.setattr(service, "list_datasets", lambda home: [replace(entry, train_counts=(30, 30))])
    remark = service.extension(small_home, run_id, epochs=9).remarks[-1]
    assert "120 training and 40 test images then, 60 and 40 now" in remark
    assert "put the files back, or start a new run" in remark
