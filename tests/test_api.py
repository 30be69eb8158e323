"""The public interface, as scripts and notebooks use it: by the names of ``medpriv_core`` alone."""

from __future__ import annotations

import math
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import medpriv_core as medpriv
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from tests.exports.runs import LOCAL, PLAIN, PRIVATE, RUN_ID, put_run
from tests.results.stored import store_run


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def test_datasets_are_listed_and_read(home: DataHome) -> None:
    entry = next(one for one in medpriv.list_datasets() if one.info.name == "synthetic_chest")
    split = medpriv.load_dataset("synthetic_chest").split("test")

    assert (entry.available, entry.test) == (True, len(split.labels))
    assert np.asarray(split.image(0)).shape == (128, 128)
    with pytest.raises(medpriv.MedprivError, match="There is no dataset 'none'"):
        medpriv.load_dataset("none")
    with pytest.raises(medpriv.MedprivError, match="built in"):
        medpriv.add_dataset("synthetic_chest", "anywhere")


@pytest.mark.parametrize("shape", [(16, 20), (16, 20, 1), (16, 20, 3)])
def test_a_picture_is_noised_in_its_own_shape_and_by_its_own_amount(shape: tuple[int, ...]) -> None:
    noise, grey = medpriv.picture_noise("gaussian", beta=0.05), np.full(shape, 128, np.uint8)

    noised = medpriv.noise_picture(grey, noise, seed=1)

    assert (noised.dtype, noised.shape) == (np.uint8, shape)
    assert noised.std() / 255 == pytest.approx(0.05, rel=0.15)
    assert np.array_equal(noised, medpriv.noise_picture(grey, noise, seed=1))
    assert not np.array_equal(noised, medpriv.noise_picture(grey, noise))


@pytest.mark.parametrize("picture", [np.zeros((8, 8)), np.zeros(8, np.uint8), np.zeros((8, 8, 4), np.uint8)])
def test_what_is_no_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(medpriv.MedprivError, match="give uint8 of shape"):
        medpriv.noise_picture(picture, medpriv.picture_noise("gaussian", beta=1.0))


def test_an_empty_picture_and_a_negative_seed_are_refused_too() -> None:
    noise = medpriv.picture_noise("gaussian", beta=1.0)
    with pytest.raises(medpriv.MedprivError, match="There is no pixel"):
        medpriv.noise_picture(np.zeros((0, 0), np.uint8), noise)
    with pytest.raises(medpriv.MedprivError, match="must not be negative"):
        medpriv.noise_picture(np.zeros((8, 8), np.uint8), noise, seed=-1)


def test_noise_for_a_release_takes_no_seed() -> None:
    noise = medpriv.picture_noise("discrete_laplace", beta=1.0)

    with pytest.raises(medpriv.MedprivError, match="takes no seed"):
        medpriv.noise_picture(np.zeros((8, 8), np.uint8), noise, seed=0)


def test_noise_for_an_epsilon_has_that_epsilon() -> None:
    setting: dict[str, Any] = {"train_size": 1000, "batch_size": 100, "epochs": 5}

    planned = medpriv.plan_dp_sgd(**setting, target_epsilon=2.0)

    assert planned.epsilon == pytest.approx(2.0, abs=0.01)
    assert planned.epsilon <= 2.0
    assert planned.delta == 1e-5
    spec = medpriv.RunSpec(dataset="x", method="dp_sgd", target_epsilon=2.0, batch_size=100, epochs=5)
    assert medpriv.plan_run(spec, train_size=1000).noise_multiplier == planned.noise_multiplier


def test_a_run_is_queued_found_waited_for_and_stopped(home: DataHome) -> None:
    spec = medpriv.RunSpec(dataset="synthetic_chest", weights="none", epochs=1)
    run_id = medpriv.submit_run(spec, name="mine", tags=["pilot"])

    assert [(run.id, run.name, run.state) for run in medpriv.list_runs()] == [(run_id, "mine", "queued")]
    with pytest.raises(TimeoutError, match="still queued after 0 seconds"):
        medpriv.wait_for_run(run_id, timeout_s=0)
    medpriv.stop_run(run_id)
    assert medpriv.wait_for_run(run_id, timeout_s=0).state == "cancelled"
    assert medpriv.epoch_table(run_id) == []
    with pytest.raises(medpriv.MedprivError, match="already ended"):
        medpriv.stop_run(run_id)
    with pytest.raises(medpriv.MedprivError, match="There is no run"):
        medpriv.load_run("nothing")


def test_the_home_may_be_any_folder(home: DataHome, tmp_path: Path) -> None:
    put_run(DataHome(tmp_path / "other"), PLAIN)

    assert medpriv.list_runs() == []
    assert [run.id for run in medpriv.list_runs(home=tmp_path / "other")] == [RUN_ID]
    assert medpriv.load_run(RUN_ID, home=str(tmp_path / "other")).state == "finished"


def test_of_a_private_run_the_table_leaves_out_what_its_epsilon_does_not_cover(home: DataHome) -> None:
    put_run(home, PRIVATE)

    shown, whole = medpriv.epoch_table(RUN_ID), medpriv.epoch_table(RUN_ID, with_training_figures=True)

    assert [row["epoch"] for row in shown] == [1, 2]
    assert "test_accuracy" in shown[0]
    assert math.isfinite(shown[-1]["epsilon"])
    assert "train_accuracy" in whole[0]
    assert "train_accuracy" not in shown[0]


def test_an_epsilon_that_does_not_hold_is_infinite_in_the_table(home: DataHome) -> None:
    directory = put_run(home, PRIVATE)
    directory.append_epochs([replace(row, epsilon=math.inf) for row in directory.read_epochs()])

    assert {row["epsilon"] for row in medpriv.epoch_table(RUN_ID)} == {math.inf}


def test_the_guarantee_of_a_run_says_all_that_its_epsilon_depends_on(home: DataHome) -> None:
    put_run(home, PRIVATE)

    held = medpriv.run_guarantee(medpriv.load_run(RUN_ID))

    assert (held.established, held.unit) == (True, "one training image")
    assert held.epsilon == medpriv.epoch_table(RUN_ID)[-1]["epsilon"]
    assert "Poisson subsampling" in held.statement
    assert "δ = 1e-5" in held.statement


def test_runs_are_compared_with_their_epsilon(home: DataHome) -> None:
    for name, spec in (("plain", PLAIN), ("local", LOCAL), ("private", PRIVATE)):
        store_run(home, name, spec, (0.6, 0.8))
    store_run(home, "waits", PLAIN, state="queued")

    lines = medpriv.compare_runs(["plain", "private"])

    assert [line["method"] for line in lines] == ["none", "dp_sgd"]
    assert all(line["test_accuracy"] == 0.8 and line["test_accuracy_low"] < 0.8 for line in lines)
    assert lines[1]["epsilon_unit"] == "one training image"
    with pytest.raises(medpriv.MedprivError, match="Run waits is queued; only finished runs are compared"):
        medpriv.compare_runs(["plain", "waits"])


def test_a_run_is_written_as_a_zip(home: DataHome, tmp_path: Path) -> None:
    put_run(home, PLAIN)

    path = medpriv.export_run(RUN_ID, tmp_path / "run.zip")

    assert any(name.endswith("spec.json") for name in zipfile.ZipFile(path).namelist())
    with pytest.raises(medpriv.MedprivError, match="cannot be written"):
        medpriv.export_run(RUN_ID, tmp_path / "missing" / "run.zip")
