from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from medpriv_core.training.clipping import clipper
from medpriv_core.training.evaluation import Tally, evaluate
from medpriv_core.training.examples import Examples
from tests.training.conftest import Run, toy_spec


class CountReads(TorchDispatchMode):
    """Counts how often a number is fetched from a tensor, for which a GPU's host would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.reads += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


def batches(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Logits and labels of batches of 7, 8, 9, ... examples in 3 classes."""
    random = torch.Generator().manual_seed(0)
    return [
        (torch.randn(7 + i, 3, generator=random), torch.randint(0, 3, (7 + i,), generator=random)) for i in range(count)
    ]


def tallied(parts: list[tuple[torch.Tensor, torch.Tensor]]) -> Tally:
    tally = Tally()
    for logits, labels in parts:
        tally.add(F.cross_entropy(logits, labels, reduction="none"), logits, labels)
    return tally


def test_a_tally_is_the_mean_loss_and_the_share_of_correct_answers() -> None:
    parts = batches(4)
    logits, labels = (torch.cat(tensors).double().numpy() for tensors in zip(*parts, strict=True))
    own = logits[np.arange(len(labels)), labels.astype(int)]
    tally = tallied(parts)
    assert tally.seen == 34
    assert tally.accuracy == (logits.argmax(1) == labels).mean()
    assert tally.loss == pytest.approx((np.log(np.exp(logits).sum(1)) - own).mean(), rel=1e-6)


def test_a_tally_is_the_same_bit_for_bit_however_often_it_is_read_and_merged() -> None:
    parts = batches(20)
    at_once = tallied(parts)
    step_by_step = Tally()
    for part in parts:
        step_by_step.merge(tallied([part]))
        assert step_by_step.loss_sum > 0
    resumed = Tally(loss_sum=(first := tallied(parts[:9])).loss_sum, correct=first.correct, seen=first.seen)
    resumed.merge(tallied(parts[9:]))
    assert at_once.loss_sum == step_by_step.loss_sum == resumed.loss_sum
    assert at_once.correct == step_by_step.correct == resumed.correct
    assert at_once.seen == step_by_step.seen == resumed.seen


def test_of_nothing_there_are_no_figures() -> None:
    assert Tally().accuracy is None
    assert Tally().loss is None


def test_evaluation_uses_running_statistics_and_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    values, labels = torch.randn(30, 5), torch.randint(0, 3, (30,))
    network(values)  # gives BatchNorm statistics that are not those of the batch
    examples = Examples(values, labels, lambda batch, _generator: batch)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    evaluation = evaluate(network, examples, batch_size=8, mixed=None, check=lambda: None)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    network.eval()
    assert evaluation.tally.loss == pytest.approx(F.cross_entropy(network(values), labels).item(), rel=1e-5)
    assert np.allclose(evaluation.probabilities, network(values).softmax(1).detach().numpy(), atol=1e-6)
    assert evaluation.labels.tolist() == labels.tolist()


PRIVATE = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3, "sampling": "shuffled"}


@pytest.mark.parametrize("settings", [{}, {"class_weights": (1.0, 2.0), "average_last": 1.0}])
@pytest.mark.parametrize("method", [{}, PRIVATE])
@pytest.mark.parametrize("trainable", ["head", "norms", "all"])
def test_no_step_waits_for_the_device(
    trainable: Any, method: Any, settings: Any, new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clipper, "_may_look_at", lambda values: False)  # as on an accelerator
    session, go = new_run().open(toy_spec(epochs=1, trainable=trainable, batch_size=20, **method, **settings))
    take, reads = session.stepper.step, []

    def counted(*args: Any, **rest: Any) -> Any:
        with CountReads() as mode:
            tally = take(*args, **rest)
        reads.append(mode.reads)
        assert tally.loss_sum > 0
        return tally

    session.stepper.step = counted
    go()
    assert reads == [0, 0]


def test_the_count_of_reads_sees_one() -> None:
    with CountReads() as mode:
        torch.ones(3).sum().item()
    assert mode.reads == 1
