"""Noised copies: one release of each picture, whatever happens to the dataset or to the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from medpriv_core import atomic
from medpriv_core.datasets import noised
from medpriv_core.datasets.base import PreparedDataset
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.noised import noised_dataset
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.errors import DataHomeError, SettingError
from medpriv_core.home import DataHome, data_home
from medpriv_core.progress import Cancelled, no_progress
from tests.datasets.builders import chest_files, image_bytes, write_folder


def prepare(home: DataHome, folder: Path, files: dict[str, bytes] | None = None, size: int = 16) -> PreparedDataset:
    chest = ChestXray(open_files(write_folder(folder, files or chest_files(train=6, test=3))))
    return prepare_dataset(home, chest, image_size=size)


def make(
    home: DataHome, clean: PreparedDataset, *, beta: float = 1.0, draw: str = "per_pixel", **more
) -> PreparedDataset:
    return noised_dataset(home, clean, beta=beta, noise_draw=draw, **more)


def by_picture(clean: PreparedDataset, copy: PreparedDataset) -> dict[bytes, bytes]:
    return {
        before.tobytes(): after.tobytes()
        for name in ("train", "test")
        for before, after in zip(getattr(clean, name).images, getattr(copy, name).images, strict=True)
    }


@pytest.fixture
def clean(home: DataHome, tmp_path: Path) -> PreparedDataset:
    return prepare(home, tmp_path / "set")


def test_both_splits_are_noised_and_labels_stay(home: DataHome, clean: PreparedDataset) -> None:
    copy = make(home, clean)
    for before, after in ((clean.train, copy.train), (clean.test, copy.test)):
        assert after.images.shape == before.images.shape
        assert after.images.dtype == np.uint8
        assert (after.images != before.images).mean() > 0.5
        assert np.array_equal(after.labels, before.labels)
    with pytest.raises(ValueError, match="read-only"):
        copy.train.images[0] = 0


def test_a_copy_is_made_once(home: DataHome, clean: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    first = np.array(make(home, clean).train.images)
    monkeypatch.setattr(noised, "keyed_laplace", None)
    assert np.array_equal(make(home, clean).train.images, first)


def test_a_picture_that_joins_leaves_the_noise_of_the_others_as_it_was(home: DataHome, tmp_path: Path) -> None:
    files = chest_files(train=6, test=3)
    clean = prepare(home, tmp_path / "a", files)
    before = by_picture(clean, make(home, clean))
    grown = prepare(home, tmp_path / "b", files | {"train/NORMAL/0-new.jpeg": image_bytes(90, file_format="JPEG")})
    assert grown.folder != clean.folder
    after = by_picture(grown, make(home, grown))
    assert len(after) == len(before) + 1
    assert before.items() <= after.items()


@pytest.mark.parametrize("damage", ["all", "copy", "cut", "clean"])
def test_what_is_made_again_is_what_it_was_byte_for_byte(
    home: DataHome, clean: PreparedDataset, tmp_path: Path, damage: str
) -> None:
    before = by_picture(clean, make(home, clean))
    folder = clean.folder / "laplace-per_pixel-1"
    assert folder.is_dir()
    if damage == "all":
        shutil.rmtree(home.prepared)
    elif damage == "copy":
        (folder / "test.npy").unlink()
    elif damage == "cut":
        os.truncate(folder / "train.npy", 200)
    else:
        os.truncate(clean.folder / "train_images.npy", 200)
    said: list[str] = []
    again = prepare(home, tmp_path / "set")
    assert by_picture(again, make(home, again, say=said.append)) == before
    assert said == ([noised.REMADE] if damage in ("copy", "cut") else [])


def test_another_home_beta_draw_or_size_gives_other_noise(
    home: DataHome, clean: PreparedDataset, tmp_path: Path
) -> None:
    there = data_home(tmp_path / "other")
    copies = [
        make(home, clean),
        make(there, prepare(there, tmp_path / "set")),
        make(home, clean, beta=2.0),
        make(home, clean, draw="per_image"),
    ]
    stored = [copy.train.images.tobytes() for copy in copies]
    assert len(set(stored)) == 4


def test_the_copy_of_the_version_before_stays_the_release(
    home: DataHome, clean: PreparedDataset, tmp_path: Path
) -> None:
    folder = clean.folder / "laplace-per_pixel-1"
    folder.mkdir()
    drawn = np.random.default_rng(0).integers(0, 256, clean.train.images.shape, dtype=np.uint8)
    np.save(folder / "train.npy", drawn)
    np.save(folder / "test.npy", np.array(clean.test.images))
    assert np.array_equal(make(home, clean).train.images, drawn)
    assert not home.noise_secret.exists()
    os.truncate(clean.folder / "train_images.npy", 200)  # the clean images are made again, the release stays
    again = prepare(home, tmp_path / "set")
    assert np.array_equal(make(home, again).train.images, drawn)
    os.truncate(folder / "train.npy", 200)
    said: list[str] = []
    make(home, again, say=said.append)
    assert "one more release" in said[0]


def test_a_lost_secret_is_said(home: DataHome, clean: PreparedDataset) -> None:
    first = np.array(make(home, clean).train.images)
    home.noise_secret.unlink()
    said: list[str] = []
    assert np.array_equal(make(home, clean, say=said.append).train.images, first)  # stored: no new release
    assert said == []
    shutil.rmtree(clean.folder / "laplace-per_pixel-1")
    make(home, clean, beta=2.0)
    make(home, clean, say=said.append)
    assert said == []  # nothing is left of the old secret's
    home.noise_secret.unlink()
    make(home, clean, beta=4.0, say=said.append)
    assert "one more release" in said[0]


def test_the_secret_is_in_nothing_that_is_stored_or_said(home: DataHome, clean: PreparedDataset) -> None:
    make(home, clean, progress=no_progress)
    secret = home.noise_secret.read_bytes()
    for path in home.root.rglob("*"):
        if path.is_file() and path != home.noise_secret:
            assert secret not in path.read_bytes()
            assert secret.hex().encode() not in path.read_bytes()


def test_progress_counts_the_images_and_stopping_leaves_nothing(home: DataHome, clean: PreparedDataset) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        assert (phase, total) == ("Adding noise", 18)
        raise Cancelled

    with pytest.raises(Cancelled):
        make(home, clean, progress=stop)
    assert list(clean.folder.glob("*laplace*")) == []
    calls: list[int] = []
    make(home, clean, progress=lambda phase, done, total: calls.append(done))
    assert calls[-1] == 18


def test_leftovers_of_a_killed_process_are_removed(home: DataHome, clean: PreparedDataset) -> None:
    for name in (".laplace-per_pixel-1.abcd.part", "laplace-per_pixel-1.abcd.part"):  # of now and of 0.1.0
        (clean.folder / name).mkdir()
        np.save(clean.folder / name / "train.npy", np.zeros(3))
    make(home, clean)
    assert [path.name for path in clean.folder.glob("*laplace*")] == ["laplace-per_pixel-1"]


def test_waiting_for_another_process_can_be_stopped(home: DataHome, clean: PreparedDataset) -> None:
    started, release = threading.Event(), threading.Event()

    def slow(phase: str, done: int, total: int) -> None:
        started.set()
        release.wait(20)

    first = threading.Thread(target=make, args=(home, clean), kwargs={"progress": slow})
    first.start()
    assert started.wait(20)

    def stop(phase: str, done: int, total: int) -> None:
        assert phase == "Waiting for another process that noises the same images"
        raise Cancelled

    with pytest.raises(Cancelled):
        make(home, clean, progress=stop)
    release.set()
    first.join()
    assert make(home, clean).train.images.shape == clean.train.images.shape


def test_a_disk_that_is_too_small_is_noticed_before_noising(
    home: DataHome, clean: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(DataHomeError, match=r"the disk has 0 MB free"):
        make(home, clean)


def test_a_disk_that_fills_up_while_noising_gets_a_sentence(home: DataHome, tmp_path: Path) -> None:
    prepare(home, tmp_path / "set", chest_files(train=10), size=64)
    # The kernel refuses files above the limit as it refuses them on a full disk.
    script = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from pathlib import Path
from medpriv_core import home as home_module
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.noised import noised_dataset
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.errors import DataHomeError
home = home_module.data_home()
clean = prepare_dataset(home, ChestXray(open_files(Path({str(tmp_path / "set")!r}))), image_size=64)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    noised_dataset(home, clean, beta=1.0, noise_draw="per_pixel")
except DataHomeError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr  # not killed by SIGBUS
    assert "may not become as large as it has to" in result.stdout
    assert list(home.prepared.glob("*/*laplace*")) == []


def test_an_impossible_beta_is_refused(home: DataHome, clean: PreparedDataset) -> None:
    with pytest.raises(SettingError, match="beta"):
        make(home, clean, beta=0.0)
