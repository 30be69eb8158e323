"""What ``bench dpsgd`` compares is what it says, and it judges only where it may."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from medpriv_core.errors import SettingError
from medpriv_core.progress import no_progress
from medpriv_core.quiet import Ratio, Use
from medpriv_core.training import benchmark
from medpriv_core.training.benchmark import Benchmark, BenchmarkRow
from medpriv_core.training.benchmark_steps import GHOST, HOOKS, PLAIN, PRIVATE, ghost_step

QUIET = Use(2, 0.01, 0.0, 0.1)
BUSY = Use(2, 1.2, 0.0, 2.4)


STEADY = Ratio(1.22, 1.19, 1.26)


def row(engine: str = "one_pass", ratio: Ratio = STEADY, *, rounds: int = 5) -> BenchmarkRow:
    return BenchmarkRow(engine, 64, 128, rounds, 1.1, 116.0, 600.0, *ratio, 12.6, 1.2)


def test_a_verdict_has_the_median_and_the_spread() -> None:
    verdict = Benchmark([row()], [], QUIET).verdict

    assert verdict is not None
    assert "1.22 × (1.19 to 1.26) at 64 pixels" in verdict


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Benchmark([row()], [], BUSY), "other processes used 1.20 of 2 cores"),
        (Benchmark([row(ratio=Ratio(1.2, 0.93, 1.58))], [], QUIET), "differ too much (1.20 × (0.93 to 1.58)"),
        (Benchmark([row(rounds=2)], [], QUIET), "Fewer than 3 pairs"),
        (Benchmark([row(HOOKS)], [], QUIET), "no verdict"),
    ],
)
def test_without_quiet_and_steady_pairs_there_is_no_verdict(found: Benchmark, said: str) -> None:
    assert found.verdict is None
    assert found.no_verdict is not None
    assert said in found.no_verdict


def cost(seconds: float, *, ratio: float, memory: float = 2**20) -> benchmark._Cost:
    return benchmark._Cost([seconds] * 3, Ratio(ratio, ratio * 0.9, ratio * 1.1), memory)


def test_each_private_step_takes_turns_with_the_faster_ordinary_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def in_turn(names: Any, *_arguments: Any) -> Any:
        asked.append(list(names))
        return [cost(2.0 if name == PLAIN else 1.0, ratio=3.0) for name in names]

    monkeypatch.setattr(benchmark, "_in_turn", in_turn)
    found = benchmark.benchmark_dp_sgd(
        image_sizes=[64], batch_size=8, rounds=3, device=torch.device("cpu"), progress=no_progress
    )

    assert asked == [[PLAIN, "plain, channels last"], *(["plain, channels last", name] for name in PRIVATE)]
    assert [row.engine for row in found.rows] == [PLAIN, *PRIVATE]
    assert found.rows[0].step_s == 1.0
    assert found.rows[0].time_ratio_to_plain == 1.0
    assert found.rows[0].throughput_ratio_to_opacus_hooks == 3.0
    one_pass = found.rows[1]
    assert (one_pass.time_ratio_low, one_pass.time_ratio_high) == pytest.approx((2.7, 3.3))


def test_what_does_not_fit_into_memory_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_turn(names: Any, *_arguments: Any) -> Any:
        if HOOKS in names:
            raise benchmark._Ended
        return [cost(1.0, ratio=1.0) for _ in names]

    monkeypatch.setattr(benchmark, "_in_turn", in_turn)
    found = benchmark.benchmark_dp_sgd(
        image_sizes=[224], batch_size=8, rounds=3, device=torch.device("cpu"), progress=no_progress
    )

    assert GHOST in [row.engine for row in found.rows]
    assert HOOKS not in [row.engine for row in found.rows]
    assert found.left_out == [f"{HOOKS} at 224 pixels: its process ended, most likely for lack of memory."]
    assert {row.throughput_ratio_to_opacus_hooks for row in found.rows} == {None}

    def nothing(*_arguments: Any) -> None:
        raise benchmark._Ended

    monkeypatch.setattr(benchmark, "_in_turn", nothing)
    with pytest.raises(SettingError, match="does not fit into memory"):
        benchmark.benchmark_dp_sgd(
            image_sizes=[224], batch_size=8, rounds=3, device=torch.device("cpu"), progress=no_progress
        )


def test_a_process_of_its_own_takes_the_steps_and_knows_its_memory() -> None:
    (plain,) = benchmark._in_turn([PLAIN], 32, 2, 2, torch.device("cpu"))

    assert len(plain.times) == 2
    assert min(plain.times) > 0
    assert plain.ratio == (1.0, 1.0, 1.0)
    assert plain.memory > 2**20


def test_a_process_that_ends_is_noticed() -> None:
    with pytest.raises(benchmark._Ended), benchmark._steps_elsewhere("no such kind", 32, 2, torch.device("cuda", 99)):
        pass


def test_ghost_clipping_takes_the_step_of_clipped_gradients() -> None:
    """One image at a time by autograd: clip, add up, divide by the batch, and step."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    images, labels = torch.randn(5, 3, 6, 6), torch.tensor([0, 1, 0, 1, 1])
    before = [parameter.detach().clone() for parameter in network.parameters()]
    total = [torch.zeros_like(parameter) for parameter in network.parameters()]
    clipped = 0
    for image, label in zip(images, labels, strict=True):
        loss = F.cross_entropy(network(image[None]), label[None])
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        length = torch.stack([gradient.norm() for gradient in gradients]).norm()
        clipped += int(length > 0.5)
        for added, gradient in zip(total, gradients, strict=True):
            added += gradient * (0.5 / length).clamp(max=1)
    assert clipped >= 3
    ghost_step(network, images, labels, noise_multiplier=0.0, max_grad_norm=0.5)()
    for parameter, was, added in zip(network.parameters(), before, total, strict=True):
        torch.testing.assert_close(was - parameter.detach(), 1e-4 * added / 5, rtol=1e-3, atol=1e-7)


def test_a_row_has_all_that_the_table_shows() -> None:
    assert {field.name for field in dataclasses.fields(BenchmarkRow)} >= {"time_ratio_low", "time_ratio_high", "rounds"}
