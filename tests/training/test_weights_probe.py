"""Weights that were never trained, or came apart, are noticed; trained ones in any state of repair are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from medpriv_core.training.model import BatchNorm, build_model
from medpriv_core.training.resnet18 import ResNet18
from medpriv_core.training.weights import read_state_dict
from medpriv_core.training.weights_probe import doubt_weights

REAL = Path(__file__).resolve().parents[2] / ".." / "shared" / "weights" / "resnet18_imagenet.pth"
Weights = dict[str, Tensor]


def smooth(shape: torch.Size, random: torch.Generator) -> Tensor:
    """Filters as a trained network has them: noise that was smoothed over neighbouring places."""
    noise = torch.randn(shape[0] * shape[1], 1, shape[2] + 2, shape[3] + 2, generator=random)
    return (
        nn.functional.avg_pool2d(noise, 3, stride=1).reshape(shape)
        if shape[2] > 1
        else noise[..., 1:2, 1:2].reshape(shape)
    )


@pytest.fixture(scope="module")
def trained() -> Weights:
    """A network with smooth filters of uneven strength, its statistics measured on random pictures."""
    random = torch.Generator().manual_seed(0)
    network = ResNet18(classes=2, norm_layer=BatchNorm)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                strength = torch.randn(len(module.weight), 1, 1, 1, generator=random).exp()
                module.weight.copy_(0.02 * strength * smooth(module.weight.shape, random))
            if isinstance(module, BatchNorm):
                module.momentum = 1.0
        network.train()
        network.features(torch.randn(8, 3, 64, 64, generator=random))
    return {name: value.clone() for name, value in network.state_dict().items()}


def shuffled(value: Tensor) -> Tensor:
    return value.flatten()[torch.randperm(value.numel(), generator=torch.Generator().manual_seed(1))].reshape(
        value.shape
    )


def reordered(value: Tensor) -> Tensor:
    return value[torch.randperm(len(value), generator=torch.Generator().manual_seed(1))] if value.dim() == 4 else value


BROKEN: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "zero": (torch.zeros_like, "conv1.weight is all zero"),
    "constant": (lambda value: torch.full_like(value, 0.01), "the same number everywhere"),
    "shuffled": (shuffled, "like random numbers"),
    "in another order": (reordered, "do not belong to its filters"),
}


@pytest.mark.parametrize("how", list(BROKEN))
def test_weights_that_came_apart_are_noticed(trained: Weights, how: str) -> None:
    broken, reason = BROKEN[how]
    changed = {name: broken(value) if value.is_floating_point() else value for name, value in trained.items()}
    assert reason in (doubt_weights(changed) or "")


def test_random_weights_are_noticed_however_they_were_drawn(trained: Weights) -> None:
    for seed in range(3):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            fresh = ResNet18(classes=1000, norm_layer=BatchNorm).state_dict()
        assert "like random numbers" in (doubt_weights(fresh) or "")
    ours = build_model(classes=2, norm="frozen_batch_norm", state_dict=None, seed=0).state_dict()
    assert "like random numbers" in (doubt_weights(ours) or "")
    # Trained below, random above.
    mixed = {name: value if name.startswith(("conv1", "bn1")) else fresh[name] for name, value in trained.items()}
    assert "the filters of layer1.0.conv1.weight" in (doubt_weights(mixed) or "")


def test_what_is_trained_passes_also_changed_a_little_or_with_other_normalisation(trained: Weights) -> None:
    assert doubt_weights(trained) is None
    random = torch.Generator().manual_seed(2)
    tuned = {
        name: value + 0.1 * value.std() * torch.randn(value.shape, generator=random) if value.dim() == 4 else value
        for name, value in trained.items()
    }
    assert doubt_weights(tuned) is None
    without_statistics = {name: value for name, value in trained.items() if "running" not in name}
    assert doubt_weights(without_statistics) is None


def test_no_weights_are_no_doubt() -> None:
    assert doubt_weights(None) is None


@pytest.mark.skipif(not REAL.is_file(), reason="needs the pretrained weights")
def test_imagenets_weights_pass_and_the_same_in_pieces_do_not() -> None:
    real = read_state_dict(REAL)
    assert doubt_weights(real) is None
    half = {name: value.half().float() for name, value in real.items()}
    assert doubt_weights(half) is None
    for broken, reason in BROKEN.values():
        changed = {name: broken(value) if value.is_floating_point() else value for name, value in real.items()}
        assert reason in (doubt_weights(changed) or "")
