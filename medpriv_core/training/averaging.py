"""The running average of the weights over the last steps.

The steps of SGD, noisy ones above all, circle around a good place; the middle of their path is nearer to it than its
end (Polyak and Juditsky 1992). Under DP-SGD the average is computed from weights that are released anyway, so it costs
no privacy.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """The mean of ``trained``'s weights after each step later than ``after_step``, in ``network``.

    Make it before hooks are put on ``trained``: ``network`` is a copy.
    """

    def __init__(self, trained: nn.Module, *, after_step: int) -> None:
        self.network = copy.deepcopy(trained).requires_grad_(False)
        self.count = 0
        self._trained = trained
        self._after_step = after_step

    def step_taken(self, number: int) -> None:
        """Take in the weights after step ``number`` (of the whole run, from 1)."""
        if number <= self._after_step + 1:
            self.count = 0  # also of an average that began too early, before the run was made longer
        if number <= self._after_step:
            return
        self.count += 1
        with torch.no_grad():
            for mean, value in zip(_values(self.network), _values(self._trained), strict=True):
                mean.lerp_(value, 1 / self.count)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "network": self.network.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]
        self.network.load_state_dict(state["network"])


def _values(module: nn.Module) -> Iterator[Tensor]:
    return (value for value in module.state_dict().values() if value.is_floating_point())
