"""The averaged network against the mean of weights recorded after each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from medpriv_core.progress import Cancelled
from tests.training.conftest import FEATURES, Run, StopAfter, toy_spec
from tests.training.test_loop import same_weights, without_clocks

DP = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3}


def flat(module: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().reshape(-1) for parameter in module.parameters()])


def record_weights(session: Any) -> list[torch.Tensor]:
    """The weights after each step that the session will take."""
    weights, step = [], session.stepper.step

    def recorded(*args: Any, **rest: Any) -> Any:
        tally = step(*args, **rest)
        weights.append(flat(session.trained))
        return tally

    session.stepper.step = recorded
    return weights


@pytest.mark.parametrize(
    ("settings", "count"), [({"epochs": 4}, 10), (DP | {"epochs": 4}, 10), ({"trainable": "all", "batch_size": 20}, 2)]
)
def test_the_result_is_the_mean_of_the_weights_after_the_last_steps(
    settings: Any, count: Any, new_run: Callable[..., Run]
) -> None:
    session, go = new_run().open(toy_spec(average_last=0.5, **settings))
    weights = record_weights(session)
    go()
    assert len(weights) == 2 * count
    assert torch.allclose(flat(session.result), torch.stack(weights[count:]).double().mean(0).float(), atol=1e-6)
    assert not torch.equal(flat(session.result), weights[-1])
    assert torch.equal(flat(session.trained), weights[-1])


def test_epochs_are_evaluated_with_the_average_as_soon_as_it_has_begun(new_run: Callable[..., Run]) -> None:
    session, go = new_run().open(toy_spec(average_last=0.5, epochs=4))
    weights = record_weights(session)
    go()
    test = session.tests["test"]

    def loss(vector: torch.Tensor) -> float:
        head = nn.Linear(FEATURES, 2)
        nn.utils.vector_to_parameters(vector, head.parameters())
        return F.cross_entropy(head(test.values), test.labels).item()

    losses = [row.test.loss for row in session.rows]
    means = [weights[4], weights[9], torch.stack(weights[10:15]).mean(0), torch.stack(weights[10:20]).mean(0)]
    assert losses == pytest.approx([loss(mean) for mean in means], rel=1e-4)
    assert losses[3] != pytest.approx(loss(weights[19]), rel=1e-3)


@pytest.mark.parametrize("questions", [8, 15, 23])
def test_a_resumed_average_equals_an_uninterrupted_one_bit_for_bit(questions: Any, new_run: Callable[..., Run]) -> None:
    spec = toy_spec(epochs=4, average_last=0.7)
    whole, parts = new_run(), new_run()
    expected = whole.train(spec)
    with pytest.raises(Cancelled):
        parts.train(spec, should_stop=StopAfter(questions))
    resumed = parts.train(spec)
    assert resumed.average.count == expected.average.count == 14
    assert same_weights(resumed.result, expected.result)
    assert without_clocks(parts.directory.read_epochs()) == without_clocks(whole.directory.read_epochs())


def test_a_run_extended_before_its_average_would_begin_averages_its_new_last_steps(new_run: Callable[..., Run]) -> None:
    whole, parts = new_run(), new_run()
    expected = whole.train(toy_spec(epochs=4, average_last=0.5))
    parts.train(toy_spec(epochs=2, average_last=0.5))
    extended = parts.train(toy_spec(epochs=4, average_last=0.5))
    assert extended.average.count == 10
    assert same_weights(extended.result, expected.result)


def test_an_average_covers_its_share_of_the_steps_and_one_step_at_least() -> None:
    for share, steps, before in ((0.25, 100, 75), (1.0, 100, 0), (0.001, 10, 9)):
        assert toy_spec(average_last=share).steps_before_average(steps) == before
