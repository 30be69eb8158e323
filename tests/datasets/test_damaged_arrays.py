"""Stored arrays and noised copies: damaged ones are made again as they were, and somebody is told."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medpriv_core.datasets import noised, prepared
from medpriv_core.datasets.base import Dataset, PreparedDataset
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.noised import noised_dataset
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome
from medpriv_core.leftovers import remove_leftovers
from medpriv_core.mechanisms.additive import LaplacePerPixel
from tests.datasets.builders import chest_files, write_folder
from tests.runs.damage import mutations, put

SIZE = 16
ARRAYS = ("train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy", "meta.json")
COPY = ("train.npy", "test.npy", "noise.json")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return ChestXray(open_files(write_folder(tmp_path / "set", chest_files(train=3, test=2))))


def prepare(home: DataHome, dataset: Dataset) -> tuple[PreparedDataset, list[str]]:
    said: list[str] = []
    return prepare_dataset(home, dataset, image_size=SIZE, say=said.append), said


def noise(home: DataHome, clean: PreparedDataset) -> tuple[PreparedDataset, list[str]]:
    said: list[str] = []
    return noised_dataset(home, clean, LaplacePerPixel(1.0), say=said.append), said


def values(some: PreparedDataset) -> list[list[int]]:
    arrays = (some.train.images, some.train.labels, some.test.images, some.test.labels)
    return [np.array(array).ravel().tolist() for array in arrays]


def without_checksums(path: Path) -> None:
    """As earlier versions wrote it."""
    known = json.loads(path.read_text())
    put(path, json.dumps({name: known[name] for name in known if name not in ("checksum", "checksums")}).encode())


@pytest.mark.parametrize("name", ARRAYS)
def test_no_damaged_byte_of_an_array_is_trained_on(name: str, home: DataHome, dataset: Dataset) -> None:
    clean, said = prepare(home, dataset)
    before, file, told = values(clean), clean.folder / name, 0
    assert said == []
    whole = file.read_bytes()
    for content in mutations(whole, random.Random(ARRAYS.index(name)), bytes_=25):
        put(file, content)
        again, said = prepare(home, dataset)
        assert values(again) == before, content
        told += prepared.DAMAGED in said
        put(file, whole)
    assert told > 20


@pytest.mark.parametrize("name", COPY)
def test_a_damaged_copy_is_made_again_with_the_noise_that_it_had(name: str, home: DataHome, dataset: Dataset) -> None:
    clean, _ = prepare(home, dataset)
    copy, said = noise(home, clean)
    before, file, told = values(copy), copy.folder / name, 0
    assert said == []
    whole = file.read_bytes()
    for content in mutations(whole, random.Random(COPY.index(name)), bytes_=25):
        put(file, content)
        again, said = noise(home, clean)
        assert values(again) == before, content
        told += said == [noised.REMADE]
        put(file, whole)
    assert told > 20


def test_an_array_of_another_shape_kind_or_order_is_not_taken(home: DataHome, dataset: Dataset) -> None:
    clean, _ = prepare(home, dataset)
    copy, _ = noise(home, clean)
    before, train = values(copy), np.array(copy.train.images)
    others = (
        train[:-1],
        train.astype(np.int8),
        train[..., 0],
        np.asfortranarray(train),
        np.array([{}], dtype=object),
        np.zeros(0, np.uint8),
    )
    for other in others:
        without_checksums(copy.folder / "noise.json")  # so that the array alone tells
        np.save(copy.folder / "train.npy", other)
        again, said = noise(home, clean)
        assert values(again) == before
        assert said == [noised.REMADE]


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (10**9, 10**9, 8, 1), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 16, 16, 1), }",
        b"{'descr': '|u1', 'fortran_order': False, {}: 1, 'shape': (6, 16, 16, 1), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (6, 16, 16, 1, ",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (6, 16, 16, 1), }",
        b"\xff" * 40,
    ],
)
def test_a_header_that_lies_is_damage_and_no_internal_error(header: bytes, home: DataHome, dataset: Dataset) -> None:
    clean, _ = prepare(home, dataset)
    copy, _ = noise(home, clean)
    before = values(copy)
    without_checksums(copy.folder / "noise.json")
    whole = (copy.folder / "train.npy").read_bytes()
    put(copy.folder / "train.npy", whole[:10] + header.ljust(117) + b"\n" + whole[128:])
    again, said = noise(home, clean)
    assert (values(again), said) == (before, [noised.REMADE])


def test_arrays_of_an_earlier_version_are_used_and_not_called_whole(home: DataHome, dataset: Dataset) -> None:
    clean, _ = prepare(home, dataset)
    copy, _ = noise(home, clean)
    for file in (clean.folder / "meta.json", copy.folder / "noise.json"):
        without_checksums(file)
    assert prepare(home, dataset)[1] == [prepared.UNCHECKED]
    assert noise(home, clean)[1] == [noised.UNCHECKED]
    # Labels are compared with those of the images all the same.
    labels = clean.folder / "train_labels.npy"
    whole = labels.read_bytes()
    put(labels, whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:])
    again, said = prepare(home, dataset)
    assert (values(again), said) == (values(clean), [prepared.DAMAGED])


def test_copy_and_record_damaged_together_are_recognised_by_the_other_file(home: DataHome, dataset: Dataset) -> None:
    clean, _ = prepare(home, dataset)
    copy, _ = noise(home, clean)
    put(copy.folder / "noise.json", b"{")
    put(copy.folder / "test.npy", b"")
    assert noise(home, clean)[1] == [noised.REMADE]
    for name in COPY:
        put(copy.folder / name, b"")
    (said,) = noise(home, clean)[1]
    assert "it is not known whether" in said


def test_no_damaged_byte_of_the_secret_makes_other_noise(home: DataHome, dataset: Dataset) -> None:
    clean, _ = prepare(home, dataset)
    copy, _ = noise(home, clean)
    before, whole = values(copy), home.noise_secret.read_bytes()
    for content in mutations(whole, random.Random(0), bytes_=40):
        put(home.noise_secret, content)
        put(copy.folder / "train.npy", b"")
        with pytest.raises(DataHomeError, match=r"is damaged\. Put it back from a copy"):
            noise(home, clean)
    put(home.noise_secret, whole)
    assert values(noise(home, clean)[0]) == before


def test_a_damaged_mark_of_the_secret_harms_nothing(home: DataHome, dataset: Dataset) -> None:
    clean, _ = prepare(home, dataset)
    copy, _ = noise(home, clean)
    before, mark = values(copy), home.root / "noise.mark"
    for content in mutations(mark.read_bytes(), random.Random(0), bytes_=20):
        put(mark, content)
        put(copy.folder / "train.npy", b"")
        assert values(noise(home, clean)[0]) == before


NOISER = """
import sys, time
from pathlib import Path
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.noised import noised_dataset
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.home import data_home
from medpriv_core.mechanisms.additive import LaplacePerPixel
clean = prepare_dataset(data_home(), ChestXray(open_files(Path(sys.argv[1]))), image_size=16)
def slow(phase, done, total):
    print(done, flush=True)
    time.sleep(60)
noised_dataset(data_home(), clean, LaplacePerPixel(1.0), progress=slow)
"""


def test_a_copy_that_was_killed_half_way_leaves_nothing_once_anybody_looks(home: DataHome, tmp_path: Path) -> None:
    write_folder(tmp_path / "set", chest_files(train=3, test=2))
    process = subprocess.Popen([sys.executable, "-c", NOISER, str(tmp_path / "set")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline()
    parts = list(home.prepared.glob("*/.laplace-*.part"))
    assert parts
    remove_leftovers(home)
    assert all(part.is_dir() for part in parts)  # somebody is at it
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    remove_leftovers(home)
    assert sorted(file.name for file in home.prepared.rglob("*.npy")) == sorted(ARRAYS[:4])


def test_leftovers_of_every_kind_are_removed_and_nothing_else(home: DataHome, dataset: Dataset) -> None:
    clean, _ = prepare(home, dataset)
    copy, _ = noise(home, clean)
    features = home.features / "0123"
    features.mkdir(parents=True)
    kept = {path for path in home.root.rglob("*") if path.suffix != ".lock"}
    left = [
        home.root / ".import-20260102-030405-abcd-0a1b2c3d",
        home.prepared / ".abc-16.0a1b2c3d.part",
        clean.folder / ".laplace-per_pixel-0.5.0a1b2c3d.part",
        clean.folder / "laplace-per_pixel-2.0a1b2c3d.part",
        home.features / ".0123.0a1b2c3d.part",
    ]
    for folder in left:
        folder.mkdir()
        (folder / "train.npy").write_bytes(b"x")
    remove_leftovers(home)
    assert {path for path in home.root.rglob("*") if path.suffix != ".lock"} == kept
    assert values(noise(home, clean)[0]) == values(copy)
