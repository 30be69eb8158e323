"""The benchmark command: small, because here only its shape matters."""

from __future__ import annotations

import json

import pytest

from medpriv_core.cli.main import main


def test_the_benchmark_compares_each_engine_with_the_ordinary_step(capsys: pytest.CaptureFixture[str]):
    options = ["--image-size", "32", "--batch-size", "4", "--rounds", "1", "--device", "cpu", "--json"]
    assert main(["bench", "dpsgd", *options]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["engine"] for row in rows] == ["plain", "one_pass", "one_pass, secure noise", "opacus"]
    plain, one_pass, _, opacus = rows
    assert plain["time_ratio_to_plain"] == plain["memory_ratio_to_plain"] == 1
    assert opacus["throughput_ratio_to_opacus_hooks"] == 1
    assert one_pass["time_ratio_to_plain"] == pytest.approx(one_pass["step_s"] / plain["step_s"])
    assert one_pass["images_per_s"] == pytest.approx(4 / one_pass["step_s"])
    assert one_pass["throughput_ratio_to_opacus_hooks"] == pytest.approx(opacus["step_s"] / one_pass["step_s"])
    # Four images' gradients of eleven million numbers each, which one pass never holds.
    assert opacus["step_memory_mb"] > one_pass["step_memory_mb"] + 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--image-size", "8"], "image_size must be between"),
        (["--batch-size", "0"], "batch_size must be between"),
        (["--rounds", "0"], "rounds must be between"),
        (["--device", "cuda:99"], "device"),
    ],
)
def test_impossible_sizes_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "dpsgd", *options]) == 2
    assert message in capsys.readouterr().err
