"""Our optimizer is PyTorch's, bit by bit, and loads no compiler."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from medpriv_core.training.sgd import Sgd

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: list[dict[str, Any]] = [
    {"lr": 0.1, "momentum": 0.0, "weight_decay": 0.0},
    {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0},
    {"lr": 0.03, "momentum": 0.5, "weight_decay": 1e-3},
]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2), nn.Linear(2, 2))


def learn(trained: nn.Module, optimizer: Sgd | torch.optim.SGD, steps: range) -> None:
    for step in steps:
        torch.manual_seed(step)
        optimizer.zero_grad()
        trained(torch.randn(5, 3, 8, 8)).square().mean().backward()
        if step == 2:  # a layer that got no gradient is left alone
            trained[0].weight.grad = None  # type: ignore[index]
        optimizer.step()


def assert_same(one: nn.Module, other: nn.Module) -> None:
    for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("settings", SETTINGS)
def test_it_steps_as_pytorchs_does_and_goes_on_from_its_state_and_from_pytorchs(settings: dict[str, Any]) -> None:
    ours, theirs = network(), network()
    own, reference = Sgd(ours.parameters(), **settings), torch.optim.SGD(theirs.parameters(), **settings)
    learn(ours, own, range(4))
    learn(theirs, reference, range(4))
    assert_same(ours, theirs)
    for state in (own.state_dict(), reference.state_dict()):
        twin = copy.deepcopy(ours)
        again = Sgd(twin.parameters(), lr=1.0, momentum=0.0, weight_decay=0.0)
        again.load_state_dict(copy.deepcopy(state))
        learn(twin, again, range(4, 7))
        expected = copy.deepcopy(theirs)
        continued = torch.optim.SGD(expected.parameters(), **settings)
        continued.load_state_dict(reference.state_dict())
        learn(expected, continued, range(4, 7))
        assert_same(twin, expected)


def test_pytorchs_own_goes_on_from_its_state() -> None:
    ours, theirs = network(), network()
    own = Sgd(ours.parameters(), **SETTINGS[2])
    learn(ours, own, range(3))
    theirs.load_state_dict(ours.state_dict())
    reference = torch.optim.SGD(theirs.parameters(), **SETTINGS[2])
    state = own.state_dict()
    state["param_groups"][0] = reference.param_groups[0] | state["param_groups"][0]
    reference.load_state_dict(copy.deepcopy(state))
    learn(ours, own, range(3, 6))
    learn(theirs, reference, range(3, 6))
    assert_same(ours, theirs)


def test_what_it_is_given_to_load_is_not_changed_by_steps() -> None:
    trained = network()
    own = Sgd(trained.parameters(), **SETTINGS[1])
    learn(trained, own, range(1))
    state = copy.deepcopy(own.state_dict())
    kept = copy.deepcopy(state["state"][0]["momentum_buffer"])
    own.load_state_dict(state)
    learn(trained, own, range(1, 3))
    assert torch.equal(state["state"][0]["momentum_buffer"], kept)


def test_the_state_of_another_network_is_refused() -> None:
    state = Sgd(network().parameters(), **SETTINGS[1]).state_dict()
    with pytest.raises(ValueError, match="another network"):
        Sgd(nn.Linear(2, 2).parameters(), **SETTINGS[1]).load_state_dict(state)


def test_a_step_of_ours_loads_no_compiler() -> None:
    # What computes a step and what draws it, and all that a run loads besides.
    script = f"""
import sys; sys.path.append({str(ROOT)!r})
import torch
from torch import nn
import medpriv_core.training.session
from medpriv_core.spec import RunSpec
from medpriv_core.training.examples import Batch
from medpriv_core.training.steps import sgd
layer = nn.Linear(2, 2)
layer(torch.ones(1, 2)).sum().backward()
optimizer = sgd(layer, RunSpec(dataset="synthetic_chest"))
optimizer.step(); optimizer.zero_grad(); optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
