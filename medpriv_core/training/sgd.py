"""Stochastic gradient descent with momentum, by PyTorch's own arithmetic, without loading PyTorch's compiler.

The first step of any ``torch.optim.Optimizer`` loads ``torch._dynamo``, which takes some four seconds of every run's
start and of every test that trains. What computes a step, the function ``torch.optim.sgd.sgd``, does not ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

_BUFFER = "momentum_buffer"


class Sgd:
    """Moves parameters against their gradients, bit by bit as ``torch.optim.SGD`` does.

    parameters    that are moved, if they have a gradient
    param_groups  one group: ``lr``, ``momentum`` and ``weight_decay``, which may be changed between steps
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *, lr: float, momentum: float, weight_decay: float) -> None:
        self.parameters = list(parameters)
        self.param_groups: list[dict[str, Any]] = [{"lr": lr, "momentum": momentum, "weight_decay": weight_decay}]
        self._velocities: list[Tensor | None] = [None] * len(self.parameters)

    @torch.no_grad()
    def step(self) -> None:
        """Take one step with the gradients that are there."""
        places = [place for place, parameter in enumerate(self.parameters) if parameter.grad is not None]
        if not places:
            return
        velocities = [self._velocities[place] for place in places]
        sgd(
            [self.parameters[place] for place in places],
            [self.parameters[place].grad for place in places],  # type: ignore[misc]
            velocities,
            **self.param_groups[0],
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
        for place, velocity in zip(places, velocities, strict=True):
            self._velocities[place] = velocity

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """What the next step depends on, named as ``torch.optim.SGD`` names it."""
        known = {place: {_BUFFER: buffer} for place, buffer in enumerate(self._velocities) if buffer is not None}
        return {"state": known, "param_groups": [self.param_groups[0] | {"params": list(range(len(self.parameters)))}]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of this class or of ``torch.optim.SGD``; raises ``ValueError`` for another network's."""
        (group,) = state["param_groups"]
        if len(group["params"]) != len(self.parameters):
            raise ValueError("the state is that of another network")
        self.param_groups[0] = {name: group[name] for name in self.param_groups[0]}
        for place, parameter in enumerate(self.parameters):
            velocity = state["state"].get(place, {}).get(_BUFFER)
            self._velocities[place] = None if velocity is None else velocity.to(parameter, copy=True)
