"""DP-SGD's step against a one-by-one loop of plain autograd, and against the statistics of its noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.errors import MedprivError
from medpriv_core.privacy.private_training import private_training
from medpriv_core.training.engines import make_stepper
from medpriv_core.training.examples import Batch, Examples
from medpriv_core.training.steps import OrdinaryStepper, Stepper
from tests.training.conftest import small_network, toy_spec


def examples_of(values: Tensor, labels: Tensor) -> Examples:
    return Examples(values, labels, lambda batch, _generator: batch)


@pytest.fixture
def points() -> Examples:
    random = torch.Generator().manual_seed(0)
    return examples_of(torch.randn(30, 6, generator=random), torch.randint(0, 3, (30,), generator=random))


def linear() -> nn.Linear:
    layer = nn.Linear(6, 3)
    nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(1))
    nn.init.zeros_(layer.bias)
    return layer


def flat(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().reshape(-1) for p in module.parameters() if p.requires_grad])


def take_step(stepper: Any, examples: Examples, indices: Any) -> None:
    stepper.step(Batch(examples, np.asarray(indices, dtype=np.int64)))


@pytest.fixture(params=["one_pass", "opacus"])
def private(request: pytest.FixtureRequest) -> Callable[..., Stepper]:
    """Makes the private stepper of each engine."""

    def make(trained: nn.Module, *, noise_multiplier: float, pass_size: int = 1000, **settings: Any) -> Stepper:
        spec = toy_spec(
            method="dp_sgd",
            noise_multiplier=1.0,
            delta=1e-3,
            learning_rate=1.0,
            momentum=0.0,
            engine=request.param,
            **settings,
        )
        return make_stepper(
            trained,
            spec,
            noise_multiplier=noise_multiplier,
            training=private_training(spec, train_size=30),
            pass_size=pass_size,
            mixed=None,
            device=torch.device("cpu"),
        )

    return make


def clipped_sum_one_by_one(
    trained: nn.Module, examples: Examples, indices: Any, clip: float
) -> tuple[Tensor, list[float]]:
    """The reference: each example alone through plain autograd."""
    total, norms = torch.zeros_like(flat(trained)), []
    for index in indices:
        inputs, labels = examples.batch(np.array([index]))
        grads = torch.autograd.grad(
            F.cross_entropy(trained(inputs), labels), [p for p in trained.parameters() if p.requires_grad]
        )
        gradient = torch.cat([g.reshape(-1) for g in grads])
        norms.append(gradient.norm().item())
        total += gradient * min(1.0, clip / norms[-1])
    return total, norms


@pytest.mark.parametrize("pass_size", [1000, 4])
def test_without_noise_the_step_is_the_sum_of_clipped_gradients_over_the_expected_batch_size(
    private: Callable[..., Stepper], points: Examples, pass_size: Any
) -> None:
    trained = linear()
    indices = range(11)
    clipped, norms = clipped_sum_one_by_one(trained, points, indices, clip=1.5)
    assert min(norms) < 1.5 < max(norms)
    before = flat(trained)
    take_step(private(trained, noise_multiplier=0.0, pass_size=pass_size, max_grad_norm=1.5), points, indices)
    # 11 were drawn, 8 expected: it divides by 8.
    assert torch.allclose(before - flat(trained), clipped / 8, atol=1e-6)


def test_the_whole_network_steps_as_one_by_one_autograd_does(private: Callable[..., Stepper]) -> None:
    trained = small_network(classes=2, norm="frozen_batch_norm", state_dict=None, seed=0)
    nn.init.normal_(trained.fc.weight, std=0.05, generator=torch.Generator().manual_seed(2))
    examples = examples_of(
        torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(3)), torch.tensor([0, 1, 1])
    )
    clipped, _ = clipped_sum_one_by_one(trained, examples, range(3), clip=0.5)
    before = flat(trained)
    take_step(private(trained, noise_multiplier=0.0, pass_size=2, max_grad_norm=0.5), examples, range(3))
    assert (before - flat(trained) - clipped / 8).norm() < 1e-3 * clipped.norm() / 8


def test_a_step_moves_no_further_than_the_clipping_norm_allows(
    private: Callable[..., Stepper], points: Examples
) -> None:
    trained = linear()
    before = flat(trained)
    take_step(private(trained, noise_multiplier=0.0, max_grad_norm=1e-3), points, range(20))
    assert (before - flat(trained)).norm() <= 20 * 1e-3 / 8 * 1.001


@pytest.mark.parametrize("drawn", [[], [0, 1, 2]])
def test_the_noise_has_standard_deviation_sigma_c_over_b_even_for_an_empty_batch(
    private: Callable[..., Stepper], drawn: Any
) -> None:
    trained = nn.Linear(400, 50)
    examples = examples_of(torch.zeros(3, 400), torch.tensor([0, 1, 2]))
    before = trained.weight.detach().clone()
    take_step(private(trained, noise_multiplier=2.0, max_grad_norm=0.5), examples, drawn)
    # All inputs are zero, so the weights' gradient is nothing but noise: 2 * 0.5 / 8.
    noise = before - trained.weight.detach()
    assert noise.std().item() == pytest.approx(0.125, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize("pass_size", [1000, 3])
def test_noise_is_added_once_a_step_however_many_passes_it_takes(
    private: Callable[..., Stepper], pass_size: Any
) -> None:
    trained = nn.Linear(400, 50)
    examples = examples_of(torch.zeros(12, 400), torch.zeros(12, dtype=torch.int64))
    before = trained.weight.detach().clone()
    take_step(private(trained, noise_multiplier=2.0, pass_size=pass_size, max_grad_norm=0.5), examples, range(12))
    assert (before - trained.weight.detach()).std().item() == pytest.approx(0.125, rel=0.02)


def test_an_empty_batch_works_on_the_whole_network(private: Callable[..., Stepper]) -> None:
    trained = small_network(classes=2, norm="group_norm", state_dict=None, seed=0)
    before = trained.conv1.weight.detach().clone()  # type: ignore[operator]
    examples = examples_of(torch.zeros(1, 3, 32, 32), torch.tensor([0]))
    stepper = private(trained, noise_multiplier=1.0)
    for drawn in ([], [0], []):
        take_step(stepper, examples, drawn)
    assert (before - trained.conv1.weight).std().item() == pytest.approx(3**0.5 / 8, rel=0.1)  # type: ignore[operator]


def test_a_step_that_is_stopped_between_passes_changes_nothing(
    private: Callable[..., Stepper], points: Examples
) -> None:
    trained = linear()
    before = flat(trained)
    passes = 0

    def check() -> None:
        nonlocal passes
        passes += 1
        if passes == 3:
            raise KeyboardInterrupt

    stepper = private(trained, noise_multiplier=1.0, pass_size=4)
    with pytest.raises(KeyboardInterrupt):
        stepper.step(Batch(points, np.arange(12), check=check))
    assert torch.equal(flat(trained), before)


def test_batch_norm_is_refused(private: Callable[..., Stepper]) -> None:
    from opacus.validators.errors import UnsupportedModuleError

    network = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3))
    with pytest.raises((MedprivError, UnsupportedModuleError), match="BatchNorm"):
        private(network, noise_multiplier=1.0)


def test_a_mean_convention_on_a_summed_loss_would_blow_up_the_norms(points: Examples) -> None:
    """Why the stepper says "sum" to Opacus: with "mean", every norm is too large by the batch size."""
    from opacus import GradSampleModule

    norms = {}
    for reduction in ("sum", "mean"):
        module = GradSampleModule(linear(), loss_reduction=reduction)
        inputs, labels = points.batch(np.arange(10))
        F.cross_entropy(module(inputs.requires_grad_()), labels, reduction="sum").backward()
        samples = torch.cat([p.grad_sample.flatten(1) for p in module.parameters()], 1)
        norms[reduction] = samples.norm(dim=1)
    assert torch.allclose(norms["mean"], 10 * norms["sum"], rtol=1e-4)


@pytest.mark.parametrize("pass_size", [1000, 4])
def test_an_ordinary_step_is_sgd_with_momentum_on_the_batch_mean_clipped_as_a_whole(
    points: Examples, pass_size: Any
) -> None:
    spec = toy_spec(learning_rate=0.1, momentum=0.9, weight_decay=0.01, max_grad_norm=1.0)
    trained, reference = linear(), linear()
    stepper = OrdinaryStepper(trained, spec, pass_size=pass_size, mixed=None)
    velocity = torch.zeros_like(flat(reference))
    weights = flat(reference)
    clipped = []
    for indices in (np.arange(10), np.arange(10, 25), np.arange(30)):
        inputs, labels = points.batch(indices)
        nn.utils.vector_to_parameters(weights, reference.parameters())
        grads = torch.autograd.grad(F.cross_entropy(reference(inputs), labels), list(reference.parameters()))
        gradient = torch.cat([g.reshape(-1) for g in grads])
        clipped.append(gradient.norm() > 1)
        gradient = gradient * min(1.0, 1 / gradient.norm()) + 0.01 * weights
        velocity = 0.9 * velocity + gradient
        weights = weights - 0.1 * velocity
        take_step(stepper, points, indices)
    assert any(clipped)
    assert torch.allclose(flat(trained), weights, atol=1e-5)
