"""Submitting and looking at runs, without starting a worker."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.errors import DatasetError, RunError, SettingError, WeightsError
from medpriv_core.evaluation.metrics import Scores
from medpriv_core.home import DataHome
from medpriv_core.records.epoch import EpochRow, read_row
from medpriv_core.records.setup import Setup
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.estimate import estimate_time
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from tests.weights_files import put_header


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"dataset": "nothing"}, DatasetError, "no dataset 'nothing'"),
        ({"dataset": "chest_xray"}, DatasetError, "has not been added"),
        ({"dataset": "retina_photo"}, SettingError, "single image"),
        ({"dataset": "synthetic_chest", "batch_size": 641}, SettingError, "larger than the training set"),
        ({"dataset": "synthetic_chest", "weights": "/no/such/file.pth"}, Exception, "/no/such/file.pth"),
    ],
)
def test_a_run_that_cannot_work_is_not_queued(
    home: DataHome, settings: dict[str, Any], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        service.submit(home, RunSpec(**settings))
    assert service.list_runs(home) == []


def test_a_run_is_shown_with_what_its_directory_holds(home: DataHome) -> None:
    run_id = service.submit(home, RunSpec(dataset="synthetic_chest", weights="none"))
    RunDirectory(home.runs / run_id).append_epoch(read_row({"epoch": 1, "test_accuracy": 0.5}))
    run = service.load_run(home, run_id)
    assert (run.state, run.name) == ("queued", "Synthetic chest radiographs · no privacy · last layer")
    assert run.epochs == [EpochRow(epoch=1, test=Scores(accuracy=0.5))]


def test_a_run_with_a_damaged_spec_is_listed_with_the_reason(home: DataHome) -> None:
    run_id = service.submit(home, RunSpec(dataset="synthetic_chest", weights="none"))
    (home.runs / run_id / "spec.json").write_text("")
    service.cancel(home, run_id)
    run = service.load_run(home, run_id)
    assert run.spec is None
    assert "spec.json" in (run.message or "")
    assert not run.resumable


def test_a_queued_run_can_be_taken_back_and_queued_again(home: DataHome) -> None:
    run_id = service.submit(home, RunSpec(dataset="synthetic_chest", weights="none"))
    service.cancel(home, run_id)
    assert service.load_run(home, run_id).state == "cancelled"
    service.resume(home, run_id)
    assert service.load_run(home, run_id).state == "queued"


def test_a_run_that_is_queued_again_waits_for_what_it_asked_for_and_not_for_what_it_had(home: DataHome) -> None:
    store, run_id = RunStore(home), service.submit(home, RunSpec(dataset="synthetic_chest", weights="none"))
    assert store.get(run_id).slot == "auto"
    claimed = store.claim_next(lambda _launcher, wanted: {"auto": ("cuda:1",)}[wanted])
    assert (claimed and claimed.slot) == "cuda:1"
    store.end(run_id, "failed", None)
    service.resume(home, run_id)
    assert store.get(run_id).slot == "auto"


def test_reading_the_log_of_an_unknown_run_names_it(home: DataHome) -> None:
    with pytest.raises(RunError, match="There is no run x"):
        service.read_log(home, "../x"[3:])


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "no privacy · last layer"),
        ({"method": "local_dp", "beta": 2}, "Local-DP β 2 · last layer"),
        ({"method": "local_dp", "beta": 2, "noise_draw": "per_image"}, "Local-DP β 2 per image · last layer"),
        ({"method": "dp_sgd", "target_epsilon": 3, "trainable": "all"}, "DP-SGD ε 3 · all layers"),
        ({"method": "dp_sgd", "noise_multiplier": 1.5}, "DP-SGD σ 1.5 · last layer"),
    ],
)
def test_names_tell_runs_apart(settings: dict[str, Any], name: str) -> None:
    spec = RunSpec(dataset="synthetic_chest", **settings)
    assert service.name_run(spec) == f"Synthetic chest radiographs · {name}"


def test_the_estimate_follows_the_longest_like_run(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = RunSpec(dataset="synthetic_chest", weights="none", trainable="all", epochs=10)
    sizes: dict[str, Any] = {"train_size": 640, "test_size": 160}
    assert not estimate_time(home, spec, **sizes).measured
    store = RunStore(home)
    for took_s in (3.0, 500.0, 20.0):
        run_id = service.submit(home, spec)
        RunDirectory(home.runs / run_id).write_setup(Setup.from_dict(sizes))
        monkeypatch.setattr(time, "time", lambda: 1000.0)
        store.claim_next()
        monkeypatch.setattr(time, "time", lambda took_s=took_s: 1000.0 + took_s)
        store.end(run_id, "finished", None)
    estimate = estimate_time(home, spec.changed(epochs=20), **sizes)
    assert estimate.measured
    assert estimate.seconds == pytest.approx(2 * 500, rel=0.05)  # but for what is made once
    assert not estimate_time(home, spec.changed(trainable="head"), **sizes).measured


def test_rows_of_the_table_without_a_folder_do_not_break_the_list(home: DataHome) -> None:
    RunStore(home).add("lost", name="lost", slot="cpu")
    (run,) = service.list_runs(home)
    assert run.spec is None


def test_a_run_keeps_the_weights_that_its_submitter_means(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "weights.pth"
    put_header(file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDPRIV_WEIGHTS", "weights.pth")
    kept = {}
    for choice in ("imagenet", "none", "weights.pth"):
        spec = service.load_run(home, service.submit(home, RunSpec(dataset="synthetic_chest", weights=choice))).spec
        kept[choice] = spec and spec.weights
    assert kept == {"imagenet": str(file), "none": "none", "weights.pth": str(file)}
    monkeypatch.setenv("MEDPRIV_WEIGHTS", "gone.pth")
    with pytest.raises(WeightsError, match="MEDPRIV_WEIGHTS names a weights file that does not exist"):
        service.submit(home, RunSpec(dataset="synthetic_chest"))
    monkeypatch.delenv("MEDPRIV_WEIGHTS")
    run_id = service.submit(home, RunSpec(dataset="synthetic_chest"))
    assert service.load_run(home, run_id).spec == RunSpec(dataset="synthetic_chest")
