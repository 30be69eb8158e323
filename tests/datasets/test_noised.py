"""Noised copies: one release of each picture, whatever happens to the dataset or to the disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import random
import shutil
import struct
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from medpriv_core import atomic
from medpriv_core.datasets import noised
from medpriv_core.datasets.base import PreparedDataset, PreparedSplit
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.noised import noised_dataset
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome, data_home
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.progress import Cancelled, no_progress
from tests.datasets.builders import chest_files, image_bytes, write_folder


def prepare(home: DataHome, folder: Path, files: dict[str, bytes] | None = None, size: int = 16) -> PreparedDataset:
    chest = ChestXray(open_files(write_folder(folder, files or chest_files(train=6, test=3))))
    return prepare_dataset(home, chest, image_size=size)


def make(
    home: DataHome, clean: PreparedDataset, *, beta: float = 1.0, name: str = "laplace_per_pixel", **more: Any
) -> PreparedDataset:
    return noised_dataset(home, clean, picture_noise(name, beta=beta), **more)


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


GREY, SIDE = 128, 32


def grey_pictures(clean: PreparedDataset, count: int = 60) -> PreparedDataset:
    """Alike but for two pixels in a corner, which number them; the same in either split but for the last numbers."""
    images = np.full((2 * count, SIDE, SIDE, 1), GREY, dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(2 * count)
    splits = [PreparedSplit(part, np.zeros(count, dtype=np.int64)) for part in (images[:count], images[count:])]
    return dataclasses.replace(clean, train=splits[0], test=splits[1])


def noise_of(copy: PreparedDataset) -> np.ndarray:
    """What was added to the grey of each picture, (n, values), in units of black to white; row 0 has the numbers."""
    both = np.concatenate([copy.train.images, copy.test.images])[:, 8:]
    return (both.reshape(len(both), -1).astype(float) - GREY) / 255


# A deviation of the noise that is hardly ever clamped, by the textbook's formula for each of them.
DEVIATIONS = {
    "laplace_per_pixel": math.sqrt(2) * 0.04,
    "laplace_per_image": math.sqrt(2) * 0.04,
    "gaussian": 0.04,
    "discrete_laplace": math.sqrt(2) * 0.04,
    "dp_pix": math.sqrt(2) * 0.04 * 16 / 8**2,
}


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_copy_has_the_noise_that_was_asked_for(home: DataHome, clean: PreparedDataset, name: str) -> None:
    values = noise_of(make(home, grey_pictures(clean), beta=0.04, name=name))
    # One value of each picture where they share their noise, one of each cell of the mosaic.
    alone = {"laplace_per_image": values[:, :1], "dp_pix": values.reshape(len(values), 24, 32)[:, ::8, ::8]}
    numbers = alone.get(name, values).ravel()
    deviation = DEVIATIONS[name]
    # A Laplace number has the fourth moment 6, so its variance is known to sqrt(5 / n).
    assert numbers.std() == pytest.approx(deviation, rel=4 * math.sqrt(5 / numbers.size) / 2 + 0.02)
    assert abs(numbers.mean()) < 4 * deviation / math.sqrt(numbers.size)
    if name.startswith("laplace"):
        spread = np.random.default_rng(0).uniform(-0.5 / 255, 0.5 / 255, numbers.size)  # over the rounding
        assert scipy.stats.kstest(numbers + spread, scipy.stats.laplace(scale=0.04).cdf).pvalue > 1e-4


@pytest.mark.parametrize("name", sorted(set(MECHANISMS) - {"laplace_per_image", "dp_pix"}))
def test_each_picture_has_a_draw_of_its_own(home: DataHome, clean: PreparedDataset, name: str) -> None:
    values = noise_of(make(home, grey_pictures(clean), beta=0.04, name=name))
    correlations = np.corrcoef(values)[np.triu_indices(len(values), 1)]
    assert np.abs(correlations).max() < 6 / math.sqrt(values.shape[1])
    # Nor does a picture repeat its own: rows and columns further on.
    squares = values.reshape(len(values), -1, SIDE)
    for shifted in (squares[:, 1:] * squares[:, :-1], squares[:, :, 1:] * squares[:, :, :-1]):
        assert abs(shifted.mean()) < 5 * DEVIATIONS[name] ** 2 / math.sqrt(shifted.size)


@pytest.mark.parametrize("name", ["laplace_per_image", "dp_pix"])
def test_each_picture_has_its_own_shift_or_mosaic(home: DataHome, clean: PreparedDataset, name: str) -> None:
    values = noise_of(make(home, grey_pictures(clean), beta=0.3, name=name))
    # Shifts may be clamped or rounded alike: of 120, 80 ± 4.3 differ, in 20,000 simulations 62 at least.
    assert len({row.tobytes() for row in values}) > 0.4 * len(values)


@pytest.mark.parametrize("name", MECHANISMS)
def test_what_is_drawn_again_is_what_was_drawn(home: DataHome, clean: PreparedDataset, name: str) -> None:
    grey = grey_pictures(clean)
    first = noise_of(make(home, grey, name=name))
    shutil.rmtree(grey.folder)
    # The same pictures in another dataset, in another order and beside others, have the noise that they had.
    other = dataclasses.replace(grey, folder=home.prepared / "other", train=grey.test, test=grey.train)
    half = len(first) // 2
    assert np.array_equal(noise_of(make(home, other, name=name)), np.concatenate([first[half:], first[:half]]))


@pytest.mark.parametrize("name", MECHANISMS)
def test_nobody_s_seed_decides_about_the_noise(tmp_path: Path, name: str) -> None:
    # Everything that a seed could come from is the same for both homes.
    drawn = []
    for place in ("one", "two"):
        np.random.seed(0)
        random.seed(0)
        torch.manual_seed(0)
        home = data_home(tmp_path / place)
        drawn.append(noise_of(make(home, grey_pictures(prepare(home, tmp_path / "set")), name=name, beta=0.3)))
        assert np.random.random() == pytest.approx(0.5488135)  # nor was the generator of the program used
    same = (drawn[0] == drawn[1]).mean()
    # Half of Laplace noise of this strength is not clamped, and of that hardly anything is alike.
    assert same < 0.5


def test_the_generator_is_cryptographic_and_keyed_by_the_secret(home: DataHome, clean: PreparedDataset) -> None:
    grey = grey_pictures(clean, count=2)
    copy = make(home, grey, beta=0.3)
    picture = grey.train.images[1]
    key = hashlib.blake2b(key=home.noise_secret.read_bytes(), person=b"medpriv laplace", digest_size=32)
    key.update(bytes([9]) + b"per_pixel" + struct.pack("<d", 0.3) + bytes([3]) + struct.pack("<3Q", *picture.shape))
    key.update(picture.tobytes())
    stream = Cipher(algorithms.AES256(key.digest()), modes.CTR(bytes(16))).encryptor()
    numbers = np.frombuffer(stream.update(bytes(8 * picture.size)), dtype="<u8")
    magnitude = -np.log((2.0 * (numbers >> 1) + 1) / 2.0**64)
    expected = picture.ravel() + 255 * 0.3 * np.where(numbers & 1, -magnitude, magnitude)
    assert np.array_equal(copy.train.images[1].ravel(), np.rint(np.clip(expected, 0, 255)))
    assert json.loads((copy.folder / "noise.json").read_text())["generator"] == "AES-256-CTR keyed by BLAKE2b"


def test_a_beta_of_many_digits_has_a_copy_of_its_own(home: DataHome, clean: PreparedDataset) -> None:
    # Six digits in the name of a folder once gave a run the noise of another beta, weaker than the epsilon it was told.
    copies = [make(home, clean, beta=beta) for beta in (1.0, 1.0000001)]
    assert copies[0].folder != copies[1].folder
    assert copies[0].folder.name == "laplace-per_pixel-1"


def test_a_copy_is_made_once(home: DataHome, clean: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    first = np.array(make(home, clean).train.images)
    monkeypatch.setattr(noised, "keyed_release", None)
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
        make(home, clean, name="laplace_per_image"),
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
from medpriv_core.mechanisms.catalog import picture_noise
home = home_module.data_home()
clean = prepare_dataset(home, ChestXray(open_files(Path({str(tmp_path / "set")!r}))), image_size=64)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    noised_dataset(home, clean, picture_noise("laplace_per_pixel", beta=1.0))
except DataHomeError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr  # not killed by SIGBUS
    assert "may not become as large as it has to" in result.stdout
    assert list(home.prepared.glob("*/*laplace*")) == []
