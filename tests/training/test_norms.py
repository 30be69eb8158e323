"""A run in which only the last layer and the normalisation layers learn."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.training.conftest import Run, toy_spec


@pytest.mark.parametrize("norm", ["frozen_batch_norm", "group_norm"])
@pytest.mark.parametrize("private", [False, True])
def test_scale_and_shift_learn_while_convolutions_and_statistics_stay(
    new_run: Callable[..., Run], norm: str, private: bool
) -> None:
    dp = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3} if private else {}
    spec = toy_spec(trainable="norms", norm=norm, epochs=1, learning_rate=0.1, **dp)
    run = new_run()
    session = run.train(spec)
    learned = {name for name, parameter in session.trained.named_parameters() if parameter.requires_grad}
    assert "layer4.0.bn2.weight" in learned
    fresh = new_run().train(spec.changed(learning_rate=1e-7, momentum=0.0)).trained.state_dict()
    for name, value in session.trained.state_dict().items():
        moved = (value - fresh[name]).abs().max().item()
        assert (moved > 1e-5) == (name in learned), name
    resumed = run.train(spec.changed(epochs=2))
    assert torch.isfinite(resumed.trained.fc.weight).all()  # type: ignore[arg-type]
