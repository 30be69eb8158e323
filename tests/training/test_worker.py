"""The worker in this process, and as a process of its own that is stopped and killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock

from medpriv_core.datasets.base import PreparedDataset
from medpriv_core.datasets.noised import noised_dataset
from medpriv_core.errors import DatasetError, SettingError
from medpriv_core.home import DataHome
from medpriv_core.locks import is_held
from medpriv_core.mechanisms.additive import Gaussian, LaplacePerImage, LaplacePerPixel
from medpriv_core.mechanisms.discrete_laplace import DiscreteLaplace
from medpriv_core.mechanisms.dp_pix import DpPix
from medpriv_core.mechanisms.keyed import keyed_release
from medpriv_core.progress import Cancelled
from medpriv_core.records.outcome import Outcome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.training import worker
from medpriv_core.training.data import TrainingData
from medpriv_core.training.worker import run_worker
from tests.training.conftest import toy_spec
from tests.training.worker_child import CHILD, start_child, wait_for_epochs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


@pytest.fixture(autouse=True)
def toy_is_prepared(monkeypatch: pytest.MonkeyPatch, toy: PreparedDataset) -> None:
    monkeypatch.setattr(worker, "prepare_dataset", lambda home, name, *, image_size, progress, say: toy)


def test_a_finished_run_says_so_with_its_last_figures(directory: RunDirectory, home: DataHome) -> None:
    directory.create(toy_spec(method="dp_sgd", noise_multiplier=1.0, delta=1e-3))
    assert run_worker(directory.path, home) == 0
    outcome = directory.read_outcome()
    last = directory.read_epochs()[-1]
    assert outcome.state == "finished"
    assert outcome.last.epsilon == last.epsilon > 0
    assert outcome.last.delta == 1e-3
    assert outcome.last.test.accuracy == last.test.accuracy


@pytest.mark.parametrize(
    ("settings", "noise"),
    [
        ({}, LaplacePerPixel(20.0)),
        ({"noise_draw": "per_image"}, LaplacePerImage(20.0)),
        ({"noise_draw": "gaussian"}, Gaussian(20.0)),
        ({"noise_draw": "discrete_laplace"}, DiscreteLaplace(20.0)),
        ({"noise_draw": "dp_pix", "block": 5, "changed_pixels": 64}, DpPix(20.0, block=5, changed_pixels=64)),
    ],
)
def test_local_dp_trains_on_the_stored_copy_with_its_noise(
    directory: RunDirectory,
    home: DataHome,
    toy: PreparedDataset,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    noise: Any,
) -> None:
    stored = []

    def remembered(*arguments: Any, **options: Any) -> Any:
        stored.append(noised_dataset(*arguments, **options))
        return stored[-1]

    monkeypatch.setattr(worker, "noised_dataset", remembered)
    seen = []
    original = TrainingData.__init__
    monkeypatch.setattr(TrainingData, "__init__", lambda self, *data: (seen.append(data), original(self, *data))[1])
    spec = toy_spec(method="local_dp", beta=20.0, epochs=1, **settings)
    directory.create(spec)
    assert run_worker(directory.path, home) == 0
    # What is trained on, and not what was asked for: each picture with the noise that belongs to it.
    trained_on = seen[0][1].train.images
    assert np.array_equal(trained_on, keyed_release(toy.train.images, noise, secret=home.noise_secret.read_bytes()))
    # Another seed reads the same copy: its noise is nobody's to choose.
    again = RunDirectory(directory.path.parent / "again")
    again.create(spec.changed(seed=7))
    assert run_worker(again.path, home) == 0
    assert stored[0].folder == stored[1].folder
    assert len(list(stored[0].folder.parent.iterdir())) == 1


def test_what_the_user_can_put_right_fails_with_its_sentence(
    directory: RunDirectory, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(*args: Any, **kwargs: Any) -> None:
        raise DatasetError("The folder has no images.")

    monkeypatch.setattr(worker, "prepare_dataset", prepare)
    directory.create(toy_spec())
    assert run_worker(directory.path, home) == 2
    assert directory.read_outcome() == Outcome("failed", "The folder has no images.", exit_code=2)


def test_settings_are_kept_so_that_a_page_can_call_them_as_its_form_does(
    directory: RunDirectory, home: DataHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def prepare(*args: Any, **kwargs: Any) -> None:
        raise SettingError("Set [norm] to [norm=group_norm].")

    monkeypatch.setattr(worker, "prepare_dataset", prepare)
    directory.create(toy_spec())
    assert run_worker(directory.path, home) == 2
    assert directory.read_outcome().message == "Set [norm] to [norm=group_norm]."
    assert capsys.readouterr().err.splitlines()[-1] == "Set norm to group_norm."


def test_an_internal_error_fails_in_one_sentence_and_leaves_the_traceback_to_the_log(
    directory: RunDirectory, home: DataHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def prepare(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(worker, "prepare_dataset", prepare)
    directory.create(toy_spec())
    assert run_worker(directory.path, home) == 1
    assert directory.read_outcome().message == (
        "The worker stopped on an internal error (ZeroDivisionError: division by zero). The log has the details."
    )
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "is full"),
        (MemoryError(), "not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."), "not enough memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            "not enough memory",
        ),
    ],
)
def test_full_disk_and_memory_are_explained(
    error: Any, words: Any, directory: RunDirectory, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(worker, "prepare_dataset", prepare)
    directory.create(toy_spec())
    assert run_worker(directory.path, home) == 2
    assert words in directory.read_outcome().message


def test_a_full_disk_at_the_checkpoint_keeps_the_one_before(
    directory: RunDirectory, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.create(toy_spec(epochs=1))
    assert run_worker(directory.path, home) == 0
    before = directory.checkpoint.read_bytes()
    directory.clear_outcome()
    directory.create(toy_spec(epochs=2))

    def refuse(_descriptor: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", refuse)
        assert run_worker(directory.path, home) == 2
    assert "is full" in directory.read_outcome().message
    assert directory.checkpoint.read_bytes() == before
    assert not list(directory.path.glob(".*part"))


def test_an_ended_run_is_not_started_again(directory: RunDirectory, home: DataHome) -> None:
    directory.create(toy_spec())
    directory.write_outcome(Outcome("finished"))
    assert run_worker(directory.path, home) == 3
    assert directory.read_epochs() == []


def test_a_run_with_a_living_worker_is_left_alone(
    directory: RunDirectory, home: DataHome, capsys: pytest.CaptureFixture[str]
) -> None:
    directory.create(toy_spec())
    with FileLock(directory.lock):
        assert run_worker(directory.path, home) == 3
    assert directory.read_outcome() is None
    assert "already" in capsys.readouterr().err


def test_a_lock_whose_file_was_removed_is_taken_again(
    directory: RunDirectory, home: DataHome, toy: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []

    def prepare(home: DataHome, name: Any, *, image_size: Any, progress: Any, say: Any) -> Any:
        directory.lock.unlink()
        assert not is_held(directory.lock)
        progress("Reading", 0, 1)
        held.append(is_held(directory.lock))
        return toy

    monkeypatch.setattr(worker, "prepare_dataset", prepare)
    directory.create(toy_spec(epochs=1))
    assert run_worker(directory.path, home) == 0
    assert held == [True]
    assert not is_held(directory.lock)


def test_a_worker_whose_run_was_taken_up_by_another_leaves_without_a_trace(
    directory: RunDirectory,
    home: DataHome,
    toy: PreparedDataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = toy_spec(epochs=3)
    directory.create(spec)
    seen, others = [], FileLock(directory.lock)

    def log(sentence: Any) -> None:
        if sentence.startswith("epoch 1 "):
            directory.lock.unlink()
            others.acquire(timeout=0)
            seen.extend([directory.checkpoint.read_bytes(), directory.read_epochs()])

    monkeypatch.setattr(worker, "log_line", log)
    assert run_worker(directory.path, home) == 3
    assert others.is_locked
    assert directory.read_outcome() is None
    assert [directory.checkpoint.read_bytes(), directory.read_epochs()] == seen


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, home: DataHome, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_worker(tmp_path, home) == 2
    assert "no spec.json" in capsys.readouterr().err


def test_a_damaged_spec_fails_with_a_sentence(directory: RunDirectory, home: DataHome) -> None:
    directory.create(toy_spec())
    (directory.path / "spec.json").write_text("{")
    assert run_worker(directory.path, home) == 2
    assert "spec.json" in directory.read_outcome().message


def test_the_users_signal_handlers_come_back(directory: RunDirectory, home: DataHome) -> None:
    before = signal.getsignal(signal.SIGTERM)
    directory.create(toy_spec(epochs=1))
    run_worker(directory.path, home)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, None])
def test_a_stop_before_training_leaves_no_checkpoint(
    number: Any, directory: RunDirectory, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(home: DataHome, name: Any, *, image_size: Any, progress: Any, say: Any = None) -> None:
        if number is None:
            directory.ask_to_stop()
        else:
            os.kill(os.getpid(), number)
        progress("Reading images", 1, 2)

    monkeypatch.setattr(worker, "prepare_dataset", prepare)
    directory.create(toy_spec())
    assert run_worker(directory.path, home) == 0
    assert directory.read_outcome().state == "cancelled"
    assert not directory.checkpoint.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_the_device_that_the_launcher_has_chosen_is_the_one(directory: RunDirectory, home: DataHome) -> None:
    directory.create(toy_spec(device="auto"))
    assert run_worker(directory.path, home, device="cuda:1") == 2
    assert "[device] is cuda:1, but no CUDA device was found" in directory.read_outcome().message
    assert directory.read_spec().device == "auto"


def test_importing_the_worker_does_not_wait_for_torch() -> None:
    code = "import sys, medpriv_core.training.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_stopped_worker_saves_and_another_finishes_the_run(
    directory: RunDirectory, home: DataHome, published_width: None
) -> None:
    directory.create(toy_spec(epochs=1000, method="dp_sgd", noise_multiplier=2.0, delta=1e-3))
    child = start_child(directory)
    wait_for_epochs(directory, 2, child)
    directory.ask_to_stop()  # by a file and no signal, as on another machine
    assert child.wait(60) == 0, directory.log_tail()
    outcome = directory.read_outcome()
    assert outcome.state == "cancelled"
    assert outcome.last.epsilon >= directory.read_epochs()[-1].epsilon > 0

    done = len(directory.read_epochs())
    directory.clear_outcome()
    assert not directory.is_asked_to_stop
    directory.create(directory.read_spec().changed(epochs=done + 2))
    assert run_worker(directory.path, home) == 0
    assert directory.read_outcome().state == "finished"
    assert directory.read_setup().resumed_from_epoch == done
    assert [row.epoch for row in directory.read_epochs()] == list(range(1, done + 3))
    assert [row.steps for row in directory.read_epochs()] == [5 * epoch for epoch in range(1, done + 3)]


def test_a_killed_worker_leaves_no_outcome_and_another_goes_on(
    directory: RunDirectory, home: DataHome, published_width: None
) -> None:
    directory.create(toy_spec(epochs=1000))
    child = start_child(directory)
    wait_for_epochs(directory, 2, child)
    child.kill()
    child.wait(60)
    assert directory.read_outcome() is None

    before = directory.read_epochs()
    directory.create(toy_spec(epochs=len(before) + 2))
    assert run_worker(directory.path, home) == 0
    assert directory.read_outcome().state == "finished"
    after = directory.read_epochs()
    assert after[: len(before)] == before
    assert len(after) == len(before) + 2


def test_a_cancelled_exception_from_anywhere_is_a_stop_and_no_failure(
    directory: RunDirectory, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(*args: Any, **kwargs: Any) -> None:
        raise Cancelled

    monkeypatch.setattr(worker, "prepare_dataset", prepare)
    directory.create(toy_spec())
    assert run_worker(directory.path, home) == 0
    assert directory.read_outcome().state == "cancelled"


def test_a_run_whose_folder_is_deleted_while_it_trains_ends_with_a_sentence(
    directory: RunDirectory, home: DataHome, tmp_path: Path
) -> None:
    directory.create(toy_spec(epochs=1000, method="dp_sgd", noise_multiplier=2.0, delta=1e-3))
    log = tmp_path / "log"
    with open(log, "ab") as file:
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(directory.path)], cwd=ROOT, stderr=file)
    wait_for_epochs(directory, 1, child)
    directory.path.rename(tmp_path / "gone")  # at once, while it writes
    assert child.wait(120) == 2
    assert log.read_text().splitlines()[-1] == RunDirectory.DELETED
    assert "Traceback" not in log.read_text()
    assert not directory.path.exists()


def test_what_a_killed_worker_left_half_written_is_removed_by_the_next(directory: RunDirectory, home: DataHome) -> None:
    directory.create(toy_spec())
    for name in (".checkpoint.pt.0a1b2c3d.part", ".spent.json.0a1b2c3d.part", ".progress.json.0a1b2c3d.part"):
        (directory.path / name).write_bytes(b"half")
    (directory.path / ".labels.json.0a1b2c3d.part").write_bytes(b"somebody else's")
    assert run_worker(directory.path, home) == 0
    assert [path.name for path in directory.path.glob(".*")] == [".labels.json.0a1b2c3d.part"]


def test_of_a_folder_that_is_being_deleted_nothing_is_made_again(
    directory: RunDirectory, home: DataHome, tmp_path: Path
) -> None:
    directory.create(toy_spec(epochs=1000))
    log = tmp_path / "log"
    with open(log, "ab") as file:
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(directory.path)], cwd=ROOT, stderr=file)
    wait_for_epochs(directory, 1, child)
    (directory.path / "spec.json").unlink()
    assert child.wait(120) == 2
    for path in directory.path.iterdir():
        path.unlink()
    assert log.read_text().splitlines()[-1] == RunDirectory.DELETED
