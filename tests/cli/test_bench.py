"""The benchmark command: small, in this process, because here only its shape matters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medpriv_core.cli.main import main
from medpriv_core.quiet import Reading, alternate, paired_ratio
from medpriv_core.training import benchmark
from medpriv_core.training.benchmark_steps import PRIVATE, make_step

OPTIONS = ["bench", "dpsgd", "--image-size", "32", "--batch-size", "2", "--device", "cpu"]
SECONDS = {"plain": 1.0, "plain, channels last": 2.0, "one_pass": 1.2, "opacus, hooks": 12.0}


@pytest.fixture(autouse=True)
def steps_here(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """One real step of each kind, but in this process, and the seconds of a clock that is made up."""
    taken: set[str] = set()

    def in_turn(names: Any, image_size: Any, batch_size: Any, rounds: Any, device: Any) -> Any:
        for name in {*names} - taken if rounds > 3 else ():
            make_step(name, image_size, batch_size, device)()
            taken.add(name)
        times = alternate([lambda name=name: SECONDS.get(name, 1.5) for name in names], rounds=rounds)  # type: ignore[misc]
        return [benchmark._Cost(own, paired_ratio(own, times[0]), 2**20) for own in times]

    monkeypatch.setattr(benchmark, "_in_turn", in_turn)
    return taken


def machine(monkeypatch: pytest.MonkeyPatch, *, others: float) -> None:
    """A machine on which other processes use so many processor seconds between two looks."""
    seen = iter(range(100))
    monkeypatch.setattr("medpriv_core.quiet.read_machine", lambda: Reading(0.0, others * next(seen), 0.0, 0.0))


def test_on_a_quiet_machine_there_are_rows_and_a_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], steps_here: set[str]
) -> None:
    machine(monkeypatch, others=0.0)
    assert main([*OPTIONS, "--rounds", "4", "--json"]) == 0
    assert steps_here == {"plain", "plain, channels last", *PRIVATE}
    found = json.loads(capsys.readouterr().out)
    assert [row["engine"] for row in found["rows"]] == [
        "plain",
        "one_pass",
        "one_pass, secure noise",
        "opacus, hooks",
        "opacus, ghost",
    ]
    plain, one_pass, _, hooks, _ = found["rows"]
    assert plain["time_ratio_to_plain"] == plain["memory_ratio_to_plain"] == 1
    assert hooks["throughput_ratio_to_opacus_hooks"] == 1
    assert one_pass["time_ratio_to_plain"] == one_pass["time_ratio_low"] == pytest.approx(1.2)
    assert one_pass["throughput_ratio_to_opacus_hooks"] == pytest.approx(10)
    assert one_pass["images_per_s"] == pytest.approx(2 / 1.2)
    assert "1.20 × (1.20 to 1.20) at 32 pixels" in found["verdict"]
    assert found["no_verdict"] is None


def test_on_a_busy_machine_the_verdict_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine(monkeypatch, others=1e6)
    assert main([*OPTIONS, "--rounds", "3", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] is None
    assert "The machine was busy" in found["no_verdict"]
    machine(monkeypatch, others=1e6)
    assert main([*OPTIONS, "--rounds", "3"]) == 3
    assert "so no verdict is given. Stop what else is running" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--image-size", "8"], "image_size must be between"),
        (["--batch-size", "0"], "batch_size must be between"),
        (["--rounds", "0"], "rounds must be between"),
        (["--device", "cuda:99"], "device"),
    ],
)
def test_impossible_sizes_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "dpsgd", *options]) == 2
    assert message in capsys.readouterr().err
