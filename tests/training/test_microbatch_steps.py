"""The step of the published notebooks against the same written out by hand, and what it does not bound."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.privacy.private_training import private_training
from medpriv_core.training.examples import Batch, Examples
from medpriv_core.training.microbatch_steps import MicrobatchStepper
from medpriv_core.training.private_steps import PrivateStepper
from tests.training.conftest import Run, small_network, toy_spec

CPU = torch.device("cpu")


def examples_of(values: Tensor, labels: Tensor) -> Examples:
    return Examples(values, labels, lambda batch, _generator: batch)


@pytest.fixture
def points() -> Examples:
    random = torch.Generator().manual_seed(0)
    return examples_of(torch.randn(30, 6, generator=random), torch.randint(0, 3, (30,), generator=random))


def with_batch_norm() -> nn.Module:
    layers = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.normal_(generator=random)
    return layers


def flat(module: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().reshape(-1) for parameter in module.parameters()])


def spec_of(**settings: Any) -> Any:
    defaults: dict[str, Any] = {"learning_rate": 1.0, "momentum": 0.0, "max_grad_norm": 1.0, "microbatch_size": 4}
    defaults["sampling"] = "shuffled"
    return toy_spec(method="dp_sgd", noise_multiplier=1.0, delta=1e-3, engine="microbatch", **(defaults | settings))


def take_step(
    trained: nn.Module, examples: Examples, indices: Any, *, noise_multiplier: float = 0.0, **settings: Any
) -> None:
    spec = spec_of(**settings)
    stepper = MicrobatchStepper(
        trained, spec, training=private_training(spec, train_size=8), noise_multiplier=noise_multiplier, device=CPU
    )
    stepper.step(Batch(examples, np.asarray(indices, dtype=np.int64)))


@pytest.mark.parametrize("class_weights", [None, (0.5, 1.0, 2.0)])
def test_each_microbatch_is_clipped_by_itself_and_the_sum_divided_by_their_number(
    points: Examples, class_weights: Any
) -> None:
    trained = with_batch_norm()
    reference, before = copy.deepcopy(trained), flat(trained)
    total, norms = torch.zeros_like(before), []
    for chosen in ([5, 0, 9, 22], [3, 8, 1, 2], [7, 11]):
        inputs, labels = points.batch(np.array(chosen))
        weights = torch.tensor(class_weights or (1.0, 1.0, 1.0))[labels]
        loss = (F.cross_entropy(reference(inputs), labels, reduction="none") * weights).mean()
        gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, list(reference.parameters()))])
        norms.append(gradient.norm().item())
        total += gradient * min(1.0, 3.0 / norms[-1])
    assert min(norms) < 3.0 < max(norms)
    take_step(
        trained,
        points,
        [5, 0, 9, 22, 3, 8, 1, 2, 7, 11],
        max_grad_norm=3.0,
        class_weights=class_weights,
    )
    assert torch.allclose(before - flat(trained), total / 3, rtol=1e-4, atol=1e-6)
    for (name, value), expected in zip(trained.named_buffers(), reference.buffers(), strict=True):
        assert torch.allclose(value, expected), name


def test_the_statistics_of_patients_get_into_the_network_without_noise(points: Examples) -> None:
    trained = with_batch_norm()
    untouched = copy.deepcopy(trained)
    take_step(trained, points, range(8), noise_multiplier=5.0)
    moved = trained[1].running_mean - untouched[1].running_mean  # type: ignore[index]
    with torch.no_grad():
        first, second = (untouched[0](points.values[part]).mean(0) for part in (slice(4), slice(4, 8)))  # type: ignore[index]
    assert torch.allclose(moved, 0.1 * (0.9 * first + second), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("sampling", ["shuffled", "poisson"])
def test_with_one_image_a_microbatch_and_nothing_mixed_it_is_the_sound_step_up_to_the_divisor(
    points: Examples, sampling: Any
) -> None:
    trained = nn.Linear(6, 3)
    sound = copy.deepcopy(trained)
    before = flat(trained)
    take_step(trained, points, range(11), microbatch_size=1, max_grad_norm=0.7, sampling=sampling)
    spec = toy_spec(
        method="dp_sgd", noise_multiplier=1.0, delta=1e-3, learning_rate=1.0, momentum=0.0, max_grad_norm=0.7
    )
    stepper = PrivateStepper(
        sound,
        spec,
        training=private_training(spec, train_size=8),
        noise_multiplier=0.0,
        pass_size=100,
        mixed=None,
        device=CPU,
    )
    stepper.step(Batch(points, np.arange(11)))
    divisor = 11 if sampling == "shuffled" else 8
    assert torch.allclose((before - flat(trained)) * divisor, (before - flat(sound)) * 8, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("sampling", "drawn", "divisor"), [("shuffled", range(10), 3), ("poisson", range(10), 2), ("poisson", [], 2)]
)
def test_noise_is_added_once_and_divided_by_the_number_of_microbatches(sampling: Any, drawn: Any, divisor: Any) -> None:
    trained = nn.Linear(400, 50)
    before = trained.weight.detach().clone()
    examples = examples_of(torch.zeros(10, 400), torch.zeros(10, dtype=torch.int64))
    take_step(trained, examples, drawn, noise_multiplier=2.0, max_grad_norm=0.5, sampling=sampling)
    # All inputs are zero, so the weights' gradient is nothing but noise.
    assert (before - trained.weight.detach()).std().item() == pytest.approx(2 * 0.5 / divisor, rel=0.04)


def test_a_poisson_batch_is_dealt_by_lot_so_that_nobody_moves_the_others() -> None:
    sizes = []
    examples = Examples(torch.zeros(400, 6), torch.zeros(400, dtype=torch.int64), lambda batch, _: count(batch))

    def count(batch: Tensor) -> Tensor:
        sizes.append(len(batch))
        return batch

    for _ in range(20):
        take_step(nn.Linear(6, 3), examples, range(400), sampling="poisson")
    # 8 expected images in microbatches of 4: always 2 of them, each with about half of all.
    assert len(sizes) == 40
    assert sum(sizes) == 20 * 400
    assert len(set(sizes)) > 5
    assert all(abs(size - 200) < 6 * 10 for size in sizes)


def test_one_image_can_move_the_sum_by_twice_the_clipping_norm() -> None:
    """Why the noise is worth half: without its last image, the microbatch's gradient turns around."""
    values = torch.tensor([[1.0], [1.0], [1.0], [100.0]])
    examples = examples_of(values, torch.tensor([0, 0, 0, 1]))
    moved = []
    for drawn in (range(4), range(3)):
        trained = nn.Linear(1, 2, bias=False)
        nn.init.zeros_(trained.weight)
        take_step(trained, examples, drawn, max_grad_norm=0.01)
        moved.append(trained.weight.detach().clone())
    assert (moved[0] - moved[1]).norm().item() == pytest.approx(0.02, rel=1e-3)


def test_a_step_that_is_stopped_changes_no_parameter(points: Examples) -> None:
    trained = with_batch_norm()
    before = flat(trained)
    asked = []

    def check() -> None:
        asked.append(True)
        if len(asked) == 2:
            raise KeyboardInterrupt

    training = private_training(spec_of(), train_size=8)
    stepper = MicrobatchStepper(trained, spec_of(), training=training, noise_multiplier=1.0, device=CPU)
    with pytest.raises(KeyboardInterrupt):
        stepper.step(Batch(points, np.arange(12), check=check))
    assert torch.equal(flat(trained), before)


def test_the_whole_network_of_the_paper_trains_this_way_and_goes_on_from_its_checkpoint(
    new_run: Callable[..., Run],
) -> None:
    settings = {"trainable": "all", "norm": "batch_norm", "sampling": "shuffled", "learning_rate": 1e-3}
    spec = spec_of(epochs=1, **settings)
    fresh = small_network(classes=2, norm="batch_norm", state_dict=None, seed=0)
    run = new_run()
    session = run.train(spec)
    assert isinstance(session.stepper, MicrobatchStepper)
    assert session.trained.training
    # 40 images in 5 batches of 8, each in 2 microbatches.
    assert int(session.trained.bn1.num_batches_tracked) == 10  # type: ignore[arg-type]
    assert not torch.allclose(session.trained.bn1.running_var, fresh.bn1.running_var)  # type: ignore[arg-type]
    assert np.isfinite(session.rows[-1].test.loss)
    again = run.train(spec.changed(epochs=2))
    assert int(again.trained.bn1.num_batches_tracked) == 20  # type: ignore[arg-type]
    assert [row.epoch for row in again.rows] == [1, 2]


def test_ordinary_training_with_batch_norm_learns_statistics_and_evaluation_leaves_them_alone(
    new_run: Callable[..., Run],
) -> None:
    session = new_run().train(toy_spec(epochs=1, trainable="all", norm="batch_norm", learning_rate=1e-3))
    # 5 batches of 8; the tests after the epoch do not count.
    assert int(session.trained.layer3[0].bn1.num_batches_tracked) == 5  # type: ignore[index]
    assert session.rows[-1].test.accuracy >= 0
