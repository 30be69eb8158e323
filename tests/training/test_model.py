from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from medpriv_core.spec import Norm
from medpriv_core.training.model import build_model
from medpriv_core.training.weights import read_state_dict


@pytest.fixture(scope="module")
def reference() -> nn.Module:
    """torchvision's network with random weights and random running statistics, in eval mode."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    network = resnet18()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    return network.eval()


def with_head_of(reference: nn.Module, *, norm: Norm = "frozen_batch_norm") -> nn.Module:
    model = build_model(classes=1000, norm=norm, state_dict=reference.state_dict(), seed=0)
    model.fc.load_state_dict(reference.fc.state_dict())
    return model


def assert_same_logits(model: nn.Module, reference: nn.Module) -> None:
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, found = reference(images), model(images)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_frozen_batch_norm_computes_what_torchvision_computes_in_eval_mode(reference: nn.Module) -> None:
    assert_same_logits(with_head_of(reference).eval(), reference)


def test_it_does_so_in_train_mode_too_and_changes_no_statistics(reference: nn.Module) -> None:
    model = with_head_of(reference).train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    assert_same_logits(model, reference)
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())


@pytest.mark.real_data
def test_frozen_batch_norm_keeps_the_pretrained_function(imagenet_weights: Path) -> None:
    from torchvision.models import resnet18

    reference = resnet18()
    # The head of ImageNet's classes is no part of what is read; here any head will do.
    reference.load_state_dict({**reference.state_dict(), **read_state_dict(imagenet_weights)})
    assert_same_logits(with_head_of(reference.eval()).train(), reference)


@pytest.mark.parametrize("norm", ["frozen_batch_norm", "group_norm"])
def test_no_layer_mixes_the_images_of_a_batch(reference: nn.Module, norm: Any) -> None:
    model = with_head_of(reference, norm=norm).train()
    assert not any(isinstance(module, _BatchNorm) for module in model.modules())
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        alone, together = model(images[:1]), model(images)[:1]
    assert torch.allclose(alone, together, rtol=1e-3, atol=1e-3 * together.abs().max().item())


def test_batch_norm_is_torchvisions_in_both_modes(reference: nn.Module) -> None:
    model = with_head_of(reference, norm="batch_norm")
    assert_same_logits(model.eval(), reference)
    training = copy.deepcopy(reference).train()
    assert_same_logits(model.train(), training)
    assert torch.allclose(model.layer4[1].bn2.running_mean, training.layer4[1].bn2.running_mean, rtol=1e-3, atol=1e-5)  # type: ignore[index]
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    alone, together = model(images[:1]), model(images)[:1]
    assert not torch.allclose(alone, together, rtol=0.01, atol=0.01 * together.abs().max().item())


def test_batch_norm_can_learn_from_a_single_small_image(reference: nn.Module) -> None:
    model = with_head_of(reference, norm="batch_norm").train()
    deepest, before = model.layer4[1].bn2, model.layer4[1].bn2.running_mean.clone()  # type: ignore[index]
    logits = model(torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)))
    (gradient,) = torch.autograd.grad(logits[0, 0], deepest.weight)
    assert gradient.norm() > 0
    assert torch.equal(deepest.running_mean, before)


@pytest.mark.parametrize("norm", ["frozen_batch_norm", "group_norm", "batch_norm"])
def test_nothing_works_in_place(reference: nn.Module, norm: Any) -> None:
    model = with_head_of(reference, norm=norm)
    assert not any(getattr(module, "inplace", False) for module in model.modules())


def test_group_norm_keeps_the_convolutions_and_starts_its_own_scales(reference: nn.Module) -> None:
    model = with_head_of(reference, norm="group_norm")
    assert torch.equal(model.layer3[1].conv2.weight, reference.layer3[1].conv2.weight)  # type: ignore[index]
    assert torch.equal(model.layer3[1].bn2.weight, torch.ones(256))  # type: ignore[index]


@pytest.mark.parametrize(("norm", "parameters"), [("group_norm", 11_177_538), ("frozen_batch_norm", 11_177_538)])
def test_trainable_parameters_of_two_classes(norm: Any, parameters: Any) -> None:
    model = build_model(classes=2, norm=norm, state_dict=None, seed=0)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == parameters


@pytest.mark.parametrize("norm", ["frozen_batch_norm", "group_norm"])
def test_random_weights_follow_the_seed_alone_and_keep_the_signal_in_bounds(norm: Any) -> None:
    state = torch.get_rng_state()
    first, again, other = (build_model(classes=2, norm=norm, state_dict=None, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(first.features(images), again.features(images))
        assert not torch.equal(first.features(images), other.features(images))
        assert 0.1 < first.features(images).std() < 10


def test_the_fresh_last_layer_finds_all_classes_equally_likely(reference: nn.Module) -> None:
    model = build_model(classes=5, norm="frozen_batch_norm", state_dict=reference.state_dict(), seed=0)
    with torch.no_grad():
        assert torch.equal(model(torch.randn(2, 3, 64, 64)), torch.zeros(2, 5))
