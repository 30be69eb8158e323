"""The command line as a process of its own: runs from start to end, Ctrl-C, pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from medpriv_core.home import DataHome, data_home
from medpriv_core.runs import service
from tests.cli.bad_files import empty_state_dict, trapped_pickle, truncated_jpeg
from tests.cli.conftest import Command
from tests.datasets.builders import chest_files, write_folder
from tests.runs.test_processes import processes
from tests.small_data import NAME, add_small_dataset

TINY = ["--image-size", "28", "--device", "cpu", "--weights", "none", "--batch-size", "6"]
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataHome]:
    """One home for all runs here, so that one runner serves them; its processes are gone at the end."""
    folder = tmp_path_factory.mktemp("processes")
    home = data_home(folder / "home")
    add_small_dataset(home, folder, train=24, test=8)
    yield home
    for process in processes(home):
        process.kill()


@pytest.fixture
def at_home(shared_home: DataHome, monkeypatch: pytest.MonkeyPatch) -> DataHome:
    monkeypatch.setenv("MEDPRIV_HOME", str(shared_home.root))
    return shared_home


def start(*arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "medpriv_core", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **options,  # type: ignore[call-overload]
    )


def test_a_private_run_from_start_to_end(at_home: DataHome) -> None:
    settings = ["--method", "dp_sgd", "--noise-multiplier", "1", "--epochs", "2"]
    process = start("run", "--dataset", NAME, *TINY, *settings, "--json")
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    run = json.loads(out)
    assert (run["state"], run["message"]) == ("finished", None)
    assert (run["spec"]["method"], run["spec"]["noise_multiplier"], run["spec"]["epochs"]) == ("dp_sgd", 1.0, 2)
    assert [row["epoch"] for row in run["epochs"]] == [1, 2]
    assert run["setup"]["train_size"] == 24
    epsilons = [row["epsilon"] for row in run["epochs"]]
    assert 0 < epsilons[0] < epsilons[1]

    lines = err.splitlines()
    assert lines[0] == f"Run {run['id']}: PneumoniaMNIST · DP-SGD σ 1 · last layer"
    # One line for each epoch with its figures, and none that only says that it goes on.
    told = [line for line in lines if line.startswith("epoch ")]
    assert [line.split()[1] for line in told] == ["1", "2"]
    assert all("training accuracy " in line and "test accuracy " in line and "(δ 1e-5)" in line for line in told)
    assert not any(line.startswith("Epoch ") for line in lines)
    assert lines.count("Training") <= 1


def _other_network(folder: Path) -> list[str]:
    (folder / "other.pth").write_bytes(empty_state_dict())
    return ["--dataset", NAME, *TINY, "--weights", str(folder / "other.pth")]


def _pickle_with_code(folder: Path) -> list[str]:
    (folder / "trap.pth").write_bytes(trapped_pickle(folder / "sprung"))
    return ["--dataset", NAME, *TINY, "--weights", str(folder / "trap.pth")]


def _broken_picture(folder: Path) -> list[str]:
    files = chest_files() | {f"train/NORMAL/{name}.jpeg": truncated_jpeg() for name in ("cut", "torn")}
    write_folder(folder / "chest", files)
    return ["--dataset", "chest_xray", *TINY, "--batch-size", "2"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            _broken_picture,
            "The image train/NORMAL/cut.jpeg cannot be read. This file is damaged or cut short, so its image cannot "
            "be read. Export it again from its source, or replace it by a sound copy. 1 more images cannot be read "
            "either.",
        ),
    ],
    ids=["broken images"],
)
def test_a_run_that_fails_says_why(
    at_home: DataHome, tmp_path: Path, medpriv: Command, make: Any, sentence: str
) -> None:
    arguments = make(tmp_path)
    if (tmp_path / "chest").exists():
        assert medpriv("datasets", "add", "chest_xray", tmp_path / "chest").code == 0
    answer = medpriv("run", *arguments, "--json")
    assert answer.code == 2
    (last,) = (line for line in answer.err.splitlines() if line.startswith("medpriv: "))
    assert sentence in last
    assert "Traceback" not in answer.err
    assert (answer.json["state"], answer.json["message"]) == ("failed", last.removeprefix("medpriv: "))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_other_network, "is not the state dict of a torchvision ResNet-18"),
        (_pickle_with_code, "holds program code besides numbers"),
    ],
)
def test_weights_that_will_not_do_are_refused_before_the_run_is_queued(
    at_home: DataHome, tmp_path: Path, medpriv: Command, make: Any, sentence: str
) -> None:
    before = medpriv("runs", "list").out
    answer = medpriv("run", *make(tmp_path))
    assert (answer.code, answer.out) == (2, "")
    assert sentence in answer.err
    assert medpriv("runs", "list").out == before
    assert not (tmp_path / "sprung").exists()


def test_ctrl_c_stops_the_run_and_a_second_runner_is_not_needed(at_home: DataHome, medpriv: Command) -> None:
    process = start("run", "--dataset", NAME, *TINY, "--trainable", "all", "--epochs", "1000")
    assert process.stdout
    assert process.stderr
    run_id = process.stderr.readline().split(":")[0].removeprefix("Run ")
    for line in process.stderr:
        if line.startswith("epoch "):
            break

    second = medpriv("runner")
    assert (second.code, second.out) == (2, "")
    assert second.err == (
        f"medpriv: Another runner looks after the runs in {at_home.root} already; there is nothing to do here.\n"
    )

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "Stopping; press Ctrl-C again" in err
    assert "Traceback" not in err
    assert out.startswith("cancelled after epoch ")
    stopped = service.load_run(at_home, run_id)
    assert stopped.state == "cancelled"
    assert stopped.epochs
    assert (at_home.runs / run_id / "checkpoint.pt").is_file()


@pytest.mark.parametrize("arguments", [["datasets", "list", "--json"], ["run", "--help"]], ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_error(at_home: DataHome, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # as if head had already left
    command = [sys.executable, "-m", "medpriv_core", *arguments]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_terminal_without_greek_gets_the_result_all_the_same(at_home: DataHome, tmp_path: Path) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "i.png")
    options = ["--beta", "1", "--mechanism", "laplace_per_image", "--output", str(tmp_path / "o.png")]
    process = start("noise", str(tmp_path / "i.png"), *options, env=os.environ | {"PYTHONIOENCODING": "ascii:strict"})
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    assert "One pixel: \\u03b5 = \\u221e (two images" in out
