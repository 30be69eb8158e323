"""Full batches, shuffled decks, class weights and small memory, against gradient descent written out in numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from medpriv_core.datasets.base import PreparedDataset
from medpriv_core.errors import SettingError
from medpriv_core.privacy.private_training import private_training
from medpriv_core.training.engines import make_stepper
from medpriv_core.training.examples import Batch, Examples
from tests.training.conftest import FEATURES, Run, toy_spec, toy_split

DP = {"method": "dp_sgd", "noise_multiplier": 2.0, "delta": 1e-3}
CLASS_WEIGHTS = (0.5, 3.0)


def record_batches(session: Any) -> list[np.ndarray]:
    """The indices of each step that the session will take."""
    drawn, step = [], session.stepper.step

    def recorded(batch: Batch) -> Any:
        drawn.append(batch.indices)
        return step(batch)

    session.stepper.step = recorded
    return drawn


def gradients(values: np.ndarray, labels: np.ndarray, weights: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Per-sample gradients (n, classes, features + 1) of softmax regression, bias last."""
    values = np.concatenate([values, np.ones((len(values), 1))], 1)
    logits = values @ weights.T
    odds = np.exp(logits - logits.max(1, keepdims=True))
    errors = odds / odds.sum(1, keepdims=True) - np.eye(len(weights))[labels]
    return (scale[labels, None] * errors)[:, :, None] * values[:, None, :]


def head_weights(head: nn.Module) -> np.ndarray:
    return np.concatenate([head.weight.detach().numpy(), head.bias.detach().numpy()[:, None]], 1).astype(float)  # type: ignore[operator]


@pytest.mark.parametrize(("class_weights", "most"), [(None, 0.82), (CLASS_WEIGHTS, 2.0)])
def test_full_batch_training_is_gradient_descent_on_the_weighted_loss(
    class_weights: Any, most: Any, new_run: Callable[..., Run]
) -> None:
    settings = {"learning_rate": 0.02, "momentum": 0.9, "max_grad_norm": most, "class_weights": class_weights}
    session = new_run().train(toy_spec(sampling="full_batch", batch_size=8, epochs=6, **settings))
    values, labels = session.train.values.numpy().astype(float), session.train.labels.numpy()
    weights, velocity, clipped = np.zeros((2, FEATURES + 1)), 0.0, []
    for _ in range(6):
        gradient = gradients(values, labels, weights, np.array(class_weights or (1, 1))).mean(0)
        clipped.append(np.linalg.norm(gradient) > most)
        velocity = 0.9 * velocity + gradient * min(1, most / np.linalg.norm(gradient))
        weights = weights - 0.02 * velocity
    assert any(clipped)
    assert not all(clipped)
    assert np.allclose(head_weights(session.trained), weights, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("class_weights", [None, CLASS_WEIGHTS])
@pytest.mark.parametrize("scheme", ["full_batch", "shuffled"])
def test_a_private_step_clips_each_gradient_then_weighs_it_and_divides_by_the_planned_size(
    scheme: Any, class_weights: Any
) -> None:
    rng = np.random.default_rng(0)
    # Faint and strong ones by turns, so that some gradients are shorter than the clipping norm and some are longer.
    values, labels = rng.normal(size=(30, 6)) * np.tile([0.2, 2], 15)[:, None], rng.integers(0, 2, 30)
    examples = Examples(torch.tensor(values).float(), torch.tensor(labels), lambda batch, _generator: batch)
    head = nn.Linear(6, 2)
    before = head_weights(head)
    settings = {"learning_rate": 1.0, "momentum": 0.0, "max_grad_norm": 1.0, "class_weights": class_weights}
    spec = toy_spec(sampling=scheme, batch_size=8, **DP, **settings)
    stepper = make_stepper(
        head,
        spec,
        noise_multiplier=0.0,
        training=private_training(spec, train_size=30),
        pass_size=13,
        mixed=None,
        device=torch.device("cpu"),
    )
    drawn = np.arange(30) if scheme == "full_batch" else np.arange(8)
    stepper.step(Batch(examples, drawn))
    each = gradients(values[drawn], labels[drawn], before, np.ones(2))
    norms = np.linalg.norm(each.reshape(len(each), -1), axis=1)
    assert norms.min() < 1 < norms.max()
    shares = (np.array(class_weights or (1, 1)) / max(class_weights or (1, 1)))[labels[drawn]]
    expected = (each * (shares / np.maximum(norms, 1))[:, None, None]).sum(0) / len(drawn)
    assert np.allclose(before - head_weights(head), expected, atol=1e-5)


def test_a_full_batch_epoch_is_one_step_on_every_record(new_run: Callable[..., Run]) -> None:
    for settings in ({}, DP):
        run = new_run()
        session, go = run.open(toy_spec(sampling="full_batch", epochs=3, **settings))
        drawn = record_batches(session)
        go()
        assert [batch.tolist() for batch in drawn] == [list(range(40))] * 3
        assert run.directory.read_setup().steps_per_epoch == 1
    assert [row.steps for row in run.directory.read_epochs()] == [1, 2, 3]


def test_a_private_shuffled_epoch_sees_every_record_once_in_an_order_of_its_own(new_run: Callable[..., Run]) -> None:
    session, go = new_run().open(toy_spec(sampling="shuffled", batch_size=16, **DP))
    drawn = record_batches(session)
    go()
    assert [len(batch) for batch in drawn] == [16, 16, 8] * 2
    first, second = np.concatenate(drawn[:3]), np.concatenate(drawn[3:])
    assert sorted(first) == sorted(second) == list(range(40))
    assert first.tolist() != second.tolist()


def test_training_figures_are_of_the_loss_without_weights(new_run: Callable[..., Run]) -> None:
    plain, weighted = (
        new_run().train(toy_spec(sampling="full_batch", epochs=1, class_weights=weights)).rows[0]
        for weights in (None, CLASS_WEIGHTS)
    )
    assert plain.train.loss == weighted.train.loss == pytest.approx(np.log(2), rel=1e-6)


def test_class_weights_of_another_number_are_refused(new_run: Callable[..., Run]) -> None:
    with pytest.raises(SettingError, match=r"class_weights has 3 numbers, but Toy images has 2 classes \(dark, bri"):
        new_run().train(toy_spec(class_weights=(1.0, 2.0, 3.0)))


def test_a_small_memory_makes_more_passes_and_the_same_step(toy: PreparedDataset, new_run: Callable[..., Run]) -> None:
    """96 pixels: 10 images fit into 64 MiB, all 16 into the usual memory."""
    rng = np.random.default_rng(5)
    large = PreparedDataset(toy.info, "large", 96, toy.folder, toy_split(16, rng, 96), toy_split(2, rng, 96))
    weights, passes = [], []
    for memory_mb in (None, 64):
        spec = toy_spec(
            image_size=96, trainable="all", norm="group_norm", sampling="full_batch", epochs=1, memory_mb=memory_mb
        )
        session, go = new_run(clean=large).open(spec)
        count = [0]
        session.trained.conv1.register_forward_pre_hook(lambda *_, count=count: count.__setitem__(0, count[0] + 1))
        go()
        passes.append(count[0] - 1)  # one of them evaluates
        weights.append(torch.cat([parameter.detach().reshape(-1) for parameter in session.trained.parameters()]))
    assert passes == [1, 2]
    assert torch.allclose(weights[0], weights[1], atol=1e-6)
