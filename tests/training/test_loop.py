from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medpriv_core.datasets.base import PreparedDataset, PreparedSplit
from medpriv_core.errors import DatasetError, RunError, SettingError, WeightsError
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.steps import Steps
from medpriv_core.progress import Cancelled
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs.spent_record import checkpoint_digest, read_record, write_record
from medpriv_core.training import loop, sampling
from medpriv_core.training.augmentation import network_input
from tests.training.conftest import FEATURES, Run, StopAfter, small_network, toy_spec

CLOCKS = {"images_per_s", "elapsed_s", "finished_at"}
FIGURES = ("accuracy", "loss", "balanced_accuracy", "auroc", "calibration_error", "class_recall", "class_precision")
DP = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3}


def without_clocks(rows: list[EpochRow]) -> list[EpochRow]:
    return [replace(row, **dict.fromkeys(CLOCKS)) for row in rows]


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    other = second.state_dict()
    return all(torch.equal(value, other[name]) for name, value in first.state_dict().items())


@pytest.mark.parametrize("trainable", ["head", "all"])
@pytest.mark.parametrize("method", ["none", "local_dp", "dp_sgd"])
def test_each_method_trains_two_epochs_and_writes_their_rows(
    method: Any, trainable: Any, new_run: Callable[..., Run], noised_toy: PreparedDataset
) -> None:
    settings = {"local_dp": {"method": "local_dp", "beta": 1.0}, "dp_sgd": DP}.get(method, {})
    run = new_run(noised_toy if method == "local_dp" else None)
    run.train(toy_spec(trainable=trainable, batch_size=16, **settings))
    rows = run.directory.read_epochs()
    expected = {"epoch", "train_accuracy", "train_loss"} | CLOCKS
    for split in ["test", "test_noised"] if method == "local_dp" else ["test"]:
        expected |= {f"{split}_{figure}" for figure in FIGURES}
    if method == "dp_sgd":
        expected |= {"epsilon", "delta", "steps"}
    assert [row.epoch for row in rows] == [1, 2]
    assert all(set(row.to_dict()) == expected for row in rows)
    assert all(0 <= row.test.accuracy <= 1 and row.test.loss >= 0 for row in rows)
    assert rows[0].elapsed_s < rows[1].elapsed_s


def test_it_learns(published_width: None, new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.train(toy_spec(epochs=8))
    rows = run.directory.read_epochs()
    assert rows[-1].test.accuracy == rows[-1].train.accuracy == 1
    assert rows[-1].train.loss < rows[0].train.loss


def test_local_dp_learns_from_the_noised_images_and_tests_on_both(
    new_run: Callable[..., Run], noised_toy: PreparedDataset
) -> None:
    run = new_run(noised_toy)
    session = run.train(toy_spec(method="local_dp", beta=1.0, trainable="all", epochs=1))
    assert np.array_equal(session.train.values, noised_toy.train.images)
    assert np.array_equal(session.tests["test_noised"].values, noised_toy.test.images)
    assert not np.array_equal(session.tests["test"].values, noised_toy.test.images)


def test_the_head_learns_from_the_backbones_features_of_the_unchanged_images(
    new_run: Callable[..., Run], toy: PreparedDataset
) -> None:
    session = new_run().train(toy_spec(epochs=1))
    network = small_network(classes=2, norm="frozen_batch_norm", state_dict=None, seed=0)
    with torch.no_grad():
        features = network.features(network_input(torch.from_numpy(toy.train.images), size=32))
    assert torch.allclose(session.train.values, features, rtol=1e-3, atol=1e-3)


def test_the_last_rows_figures_are_those_of_the_network_on_the_test_images(new_run: Callable[..., Run]) -> None:
    session = new_run().train(toy_spec())
    row = session.rows[-1]
    examples = session.tests["test"]
    with torch.no_grad():
        probabilities = session.trained(examples.values).double().softmax(1)
    own = probabilities[torch.arange(len(examples)), examples.labels]
    assert row.test.accuracy == (probabilities.argmax(1) == examples.labels).double().mean().item()
    assert row.test.loss == pytest.approx(-own.log().mean().item(), rel=1e-4)


def test_setup_records_what_was_fixed_at_the_start(new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.train(toy_spec(**DP, epochs=1))
    setup = run.directory.read_setup()
    facts = {
        "train_size": 40,
        "test_size": 12,
        "classes": ["dark", "bright"],
        "train_class_counts": [20, 20],
        "test_class_counts": [6, 6],
        "majority_rate": 0.5,
        "sample_rate": 0.2,
        "steps_per_epoch": 5,
        "noise_multiplier": 1.0,
        "parameters": 2 * FEATURES + 2,
        "device": "cpu",
        "precision": "float32",
        "image_size": 32,
        "torch_version": torch.__version__,
    }
    recorded = setup.to_dict()
    assert {name: recorded[name] for name in facts} == facts
    assert setup.resumed_from_epoch is None
    assert "random" in setup.weights


def test_progress_tells_the_epoch_and_ends_within_its_total(new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.train(toy_spec(epochs=3))
    progress = run.directory.read_progress()
    assert progress["phase"] == "Epoch 3 of 3"
    assert progress["total"] == 15
    assert progress["done"] <= 15


@pytest.mark.parametrize(
    ("settings", "questions"),
    [
        ({}, 4),  # within the first epoch
        ({}, 6),  # in its evaluation
        ({}, 11),  # within the second epoch
        ({"augment": True, "crop_size": 24}, 12),
        ({"trainable": "all", "augment": True, "crop_size": 24}, 10),
    ],
)
def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    settings: Any, questions: Any, new_run: Callable[..., Run]
) -> None:
    spec = toy_spec(batch_size=16, **settings)
    whole, parts = new_run(), new_run()
    expected = whole.train(spec)
    with pytest.raises(Cancelled):
        parts.train(spec, should_stop=StopAfter(questions))
    assert parts.directory.checkpoint.exists()
    resumed = parts.train(spec)
    assert parts.directory.read_setup().resumed_from_epoch is not None
    assert same_weights(resumed.trained, expected.trained)
    assert without_clocks(parts.directory.read_epochs()) == without_clocks(whole.directory.read_epochs())


def test_a_stop_in_mid_epoch_keeps_its_steps(new_run: Callable[..., Run]) -> None:
    run = new_run()
    spec = toy_spec(epochs=3)
    run.train(spec.changed(epochs=1))
    with pytest.raises(Cancelled):
        run.train(spec, should_stop=StopAfter(6))
    saved = torch.load(run.directory.checkpoint, weights_only=True)
    assert saved["position"]["epochs_done"] == 1
    assert 0 < saved["position"]["step"] < 5
    assert len(run.directory.read_epochs()) == 1


def test_a_resumed_private_run_has_the_epsilon_of_all_its_steps(new_run: Callable[..., Run]) -> None:
    spec = toy_spec(epochs=3, **DP)
    run = new_run()
    with pytest.raises(Cancelled):
        run.train(spec, should_stop=StopAfter(20))
    taken = torch.load(run.directory.checkpoint, weights_only=True)["ledger"]
    assert 0 < taken[0]["steps"] < 15
    session = run.train(spec)
    spent = [composed_epsilon([Steps(1.0, 0.2, steps)], delta=1e-3) for steps in (5, 10, 15)]
    rows = run.directory.read_epochs()
    assert [row.steps for row in rows] == [5, 10, 15]
    assert [row.epsilon for row in rows] == spent
    assert loop.reached(session).epsilon == spent[-1]
    assert session.ledger.segments == (Steps(1.0, 0.2, 15),)


def test_a_target_epsilon_is_reached_and_not_exceeded_also_when_resumed(new_run: Callable[..., Run]) -> None:
    spec = toy_spec(epochs=4, method="dp_sgd", target_epsilon=3.0, delta=1e-3)
    run = new_run()
    with pytest.raises(Cancelled):
        run.train(spec, should_stop=StopAfter(20))
    planned = run.directory.read_setup().noise_multiplier
    run.train(spec)
    assert run.directory.read_setup().noise_multiplier == planned
    assert 2.9 < run.directory.read_epochs()[-1].epsilon <= 3.0
    with pytest.raises(SettingError, match=r"more than this run's target of 3"):
        run.train(spec.changed(epochs=5))


def test_private_noise_and_sampling_do_not_follow_the_seed(new_run: Callable[..., Run]) -> None:
    first, second = (new_run().train(toy_spec(epochs=1, **DP)) for _ in range(2))
    assert not same_weights(first.trained, second.trained)
    ordinary, again = (new_run().train(toy_spec(epochs=1)) for _ in range(2))
    assert same_weights(ordinary.trained, again.trained)


def test_an_epoch_of_empty_batches_has_no_training_figures_but_an_epsilon(
    new_run: Callable[..., Run], toy: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    _, go = run.open(toy_spec(epochs=1, **DP))
    # Only now: a sampler that draws nobody would not pass the self-test.
    monkeypatch.setattr(sampling, "poisson_batch", lambda n, sample_rate, rng: np.array([], dtype=np.int64))
    go()
    (row,) = run.directory.read_epochs()
    assert row.train.accuracy is None
    assert row.steps == 5


def test_a_row_lost_between_checkpoint_and_metrics_is_written_on_resume(new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.train(toy_spec())
    before = run.directory.read_epochs()
    metrics = run.directory.path / "metrics.jsonl"
    metrics.write_text(json.dumps(before[0].to_dict()) + "\n")
    run.train(toy_spec())
    assert run.directory.read_epochs() == before


def test_a_run_can_be_extended(new_run: Callable[..., Run]) -> None:
    whole, parts = new_run(), new_run()
    expected = whole.train(toy_spec(epochs=3))
    parts.train(toy_spec(epochs=1))
    assert same_weights(parts.train(toy_spec(epochs=3)).trained, expected.trained)


def test_divergence_fails_with_advice_and_writes_no_row(new_run: Callable[..., Run]) -> None:
    run = new_run()
    with pytest.raises(RunError, match="Lower the learning rate"):
        run.train(toy_spec(learning_rate=100.0, weight_decay=1.0, epochs=20))
    assert all(math.isfinite(row.train.loss) for row in run.directory.read_epochs())


def test_a_damaged_checkpoint_is_refused(new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.train(toy_spec(epochs=1))
    run.directory.checkpoint.write_bytes(run.directory.checkpoint.read_bytes()[:500])
    with pytest.raises(RunError, match=r"checkpoint .* is damaged"):
        run.train(toy_spec())


def test_a_checkpoint_goes_on_only_with_its_own_settings_images_and_weights(
    new_run: Callable[..., Run], toy: PreparedDataset
) -> None:
    run = new_run()
    run.train(toy_spec(epochs=1))
    with pytest.raises(SettingError, match="another learning_rate"):
        run.train(toy_spec(learning_rate=0.5))
    other = new_run(clean=PreparedDataset(toy.info, "other-key", 32, toy.folder, toy.train, toy.test))
    other.directory.path.mkdir()
    other.directory.checkpoint.write_bytes(run.directory.checkpoint.read_bytes())
    with pytest.raises(RunError, match="images of Toy images have changed"):
        other.train(toy_spec())
    saved = torch.load(run.directory.checkpoint, weights_only=True)
    torch.save(saved | {"backbone": "of another file"}, run.directory.checkpoint)
    record = read_record(run.directory)
    assert record is not None
    write_record(run.directory, replace(record, checkpoint=checkpoint_digest(run.directory)))
    with pytest.raises(RunError, match="pretrained weights are not those"):
        run.train(toy_spec())


def test_impossible_settings_are_refused_before_anything_is_computed(
    new_run: Callable[..., Run], toy: PreparedDataset, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match="larger than the training set"):
        new_run().train(toy_spec(batch_size=41))
    with pytest.raises(SettingError, match="must be below 1/n"):
        new_run().train(toy_spec(**DP | {"delta": 0.05}))
    with pytest.raises(SettingError, match="precision"):
        new_run().train(toy_spec(precision="mixed"))
    with pytest.raises(SettingError, match="clipping norm"):
        new_run().train(toy_spec(**DP, engine="opacus", precision="mixed"))
    with pytest.raises(WeightsError, match="no weights file"):
        new_run().train(toy_spec(weights=str(tmp_path / "gone.pth")))
    nothing = PreparedSplit(toy.test.images[:0], toy.test.labels[:0])
    untested = PreparedDataset(toy.info, "key", 32, toy.folder, toy.train, nothing)
    with pytest.raises(DatasetError, match="no test images"):
        new_run(clean=untested).train(toy_spec())
